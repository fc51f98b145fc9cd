"""No file of an archive is lost without a word: what lies behind an end, before a start, or under an odd name."""

import bz2
import gc
import gzip
import io
import stat
import struct
import tarfile
import zipfile
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import pytest

from ml.data.hidden_files import note_of_hidden
from ml.errors import ArchiveRejected
from ml.unpack.archive import MAX_BYTES, MAX_FILES, extract_archive, open_entries
from ml.unpack.listing import list_archive
from tests.ml.unpack.test_archive import Files, hard_linked, refused, tarred, zipped
from tests.ml.unpack.test_entry_names import dosed, names_of
from tests.ml.unpack.test_hostile_archives import listed, members, pax, record
from tests.ml.unpack.test_hostile_archives import tarred as styled

ONE, OTHER = {"pets/pug_1.jpg": b"x" * 900}, {"boxer_1.jpg": b"y"}


def with_times(data: bytes) -> bytes:
    """A tar of GNU's format with a time of access in each header, as `tar --incremental` and others write it."""
    changed = bytearray(data)
    for at in range(0, len(data), tarfile.BLOCKSIZE):
        if data[at + 257 : at + 265] == b"ustar  \0":
            changed[at + 345 : at + 357] = b"15302667333\0"
            changed[at + 148 : at + 156] = b" " * 8
            changed[at + 148 : at + 156] = b"%06o\0 " % sum(changed[at : at + tarfile.BLOCKSIZE])
    return bytes(changed)


@pytest.mark.parametrize("name", ["pets/pug_1.jpg", f"pets/{'l' * 120}_1.jpg"])
def test_a_time_in_a_header_of_gnu_is_no_folder(tmp_path: Path, name: str) -> None:
    data = with_times(styled({name: b"x", "pets/pug_2.jpg": b"y"}, tarfile.GNU_FORMAT))
    assert listed(tmp_path, data).names == [name, "pets/pug_2.jpg"]
    extract_archive(tmp_path / "archive", tmp_path / "out")
    assert (tmp_path / "out" / name).read_bytes() == b"x"
    assert (tmp_path / "out/pets/pug_2.jpg").read_bytes() == b"y"


def test_a_header_of_gnu_with_times_still_has_to_hold(tmp_path: Path) -> None:
    data = bytearray(with_times(styled(ONE, tarfile.GNU_FORMAT)))
    data[0] ^= 1
    with pytest.raises(ArchiveRejected):
        listed(tmp_path, bytes(data))


def test_folders_before_a_long_name_stay(tmp_path: Path) -> None:
    """They stand in POSIX's header where GNU's has its times."""
    name = "/".join(["a" * 60, "b" * 60, "pug_1.jpg"])
    assert listed(tmp_path, styled({name: b"x"}, tarfile.USTAR_FORMAT)).names == [name]


@pytest.mark.parametrize(
    ("name", "encoding"), [("ソ.jpg", "cp932"), ("予/猫_1.jpg", "cp932"), ("成功.jpg", "big5"), ("僜/1.jpg", "gbk")]
)
def test_half_a_letter_is_no_separator(tmp_path: Path, name: str, encoding: str) -> None:
    """Its second byte is that of a backslash; such a name was a folder with a hidden file in it."""
    data = dosed([(name.encode(encoding), b"x", b""), (b"dogs\\pug_1.jpg", b"y", b"")])
    guessed, said = names_of(tmp_path, data)
    assert sum((tmp_path / "out" / one).is_file() for one in guessed) == 2
    assert [one.count("/") for one in guessed if "\N{FULLWIDTH REVERSE SOLIDUS}" in one][-1] == name.count("/")
    assert said is not None
    assert listed(tmp_path, data).note == said
    extract_archive(tmp_path / "archive", tmp_path / "again", encoding=encoding)
    assert (tmp_path / "again" / name).read_bytes() == b"x"


def test_folders_of_a_zip_without_a_slash_may_end_in_any_letter(tmp_path: Path) -> None:
    names = ["Tiere\\Café\\c.jpg", "Tiere\\Menü\\d.jpg", "Tiere\\Hund\\d.jpg"]
    guessed, said = names_of(tmp_path, dosed([(name.encode("cp850"), b"x", b"") for name in names]))
    assert set(guessed) >= {name.replace("\\", "/") for name in names}
    assert said is not None
    assert "half of a letter" not in said


def test_where_a_backslash_may_be_either_it_is_told(tmp_path: Path) -> None:
    _, said = names_of(tmp_path, dosed([("Кошки\\a.jpg".encode("cp866"), b"x", b"")]))
    assert said is not None
    assert "In 1 of them a backslash was taken for half of a letter. If that looks wrong, give `encoding`." in said


def test_a_folder_s_end_that_may_be_half_a_letter_is_told(tmp_path: Path) -> None:
    """Both names are of one folder, `ソ` being half of it."""
    _, said = names_of(tmp_path, dosed([("犬\\ソファ.jpg".encode("cp932"), b"x", b""), (b"a\\b.jpg", b"y", b"")]))
    assert said is not None
    assert "In 1 of them a backslash behind a letter beyond ASCII was taken for the end of a folder." in said


def test_a_file_whose_last_letter_looks_like_a_folder_s_end_leads_to_encoding(tmp_path: Path) -> None:
    data = dosed([("dogs\\ソ".encode("cp932"), b"x", b""), (b"dogs\\a.jpg", b"y", b"")])
    assert "give `encoding`" in refused(tmp_path, data)


def test_half_a_letter_is_no_separator_in_a_tar(tmp_path: Path) -> None:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w", format=tarfile.GNU_FORMAT, encoding="cp932") as tar:
        tar.addfile(tarfile.TarInfo("ソ.jpg"), io.BytesIO())
    assert names_of(tmp_path, data.getvalue())[0] == ["\udc83\N{FULLWIDTH REVERSE SOLIDUS}.jpg"]


def test_a_photo_whose_name_is_a_suffix_alone_is_told(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / ".JPG").write_bytes(b"x")
    assert "1 photo was passed over" in (note_of_hidden(tmp_path) or "")


@pytest.mark.parametrize("behind", [b"", zipped(ONE), b"x", tarred(ONE)])
def test_zeros_at_the_front_are_an_empty_tar_where_nothing_follows(tmp_path: Path, behind: bytes) -> None:
    if not behind:
        assert listed(tmp_path, bytes(1024)).names == []
        return
    assert "neither a zip nor a tar" in refused(tmp_path, bytes(1024) + behind)


@pytest.mark.parametrize("behind", [tarred(OTHER), tarred(OTHER, "w:gz"), zipped(OTHER), b"x"])
def test_what_lies_behind_a_packed_tar_is_told(tmp_path: Path, behind: bytes) -> None:
    assert "behind the bzip2 data" in refused(tmp_path, tarred(ONE, "w:bz2") + behind)
    assert "behind the xz data" in refused(tmp_path, tarred(ONE, "w:xz") + behind)
    assert refused(tmp_path, tarred(ONE, "w:gz") + behind)


def test_a_bzip2_of_several_streams_is_read_whole(tmp_path: Path) -> None:
    data = tarred(ONE)
    packed = [bz2.compress(data[at : at + 3000]) for at in range(0, len(data), 3000)]
    assert listed(tmp_path, b"".join(packed) + bytes(700)).names == [*ONE]
    assert "middle of a stream" in refused(tmp_path, b"".join(packed)[:-9])


@pytest.mark.parametrize("behind", [zipped({}), zipped(OTHER), tarred(OTHER), tarred(OTHER, "w:gz"), b"x"])
def test_what_lies_behind_a_zip_is_told(tmp_path: Path, behind: bytes) -> None:
    for first in (zipped(ONE), zipped({})):
        assert "lies be" in refused(tmp_path, first + behind)


def test_zeros_and_line_ends_behind_a_zip_are_nothing(tmp_path: Path) -> None:
    for padding in (b"\r\n", bytes(512), bytes(40_000)):
        assert listed(tmp_path, zipped(ONE) + padding).names == [*ONE]
    assert listed(tmp_path, zipped({})).names == []


def test_an_entry_deleted_at_the_front_is_told_as_that(tmp_path: Path) -> None:
    data = bytearray(zipped(ONE | OTHER))
    start, end = data.index(b"PK\x01\x02"), data.index(b"PK\x05\x06")
    second = data.index(b"PK\x01\x02", start + 1)
    struct.pack_into("<2HL", data, end + 8, 1, 1, end - second)
    struct.pack_into("<L", data, end + 16, second)
    assert "a deleted entry lies before" in refused(tmp_path, bytes(data))


def test_places_in_a_zip_over_4_gib_may_be_told_in_32_bits(tmp_path: Path) -> None:
    """As the Finder does; most of this file are holes."""
    files, places = ONE | OTHER | {"last.jpg": b"z"}, [0, 6000, (1 << 32) + 50]
    data = zipped(files)
    starts = [one.header_offset for one in zipfile.ZipFile(io.BytesIO(data)).infolist()]
    start = data.index(b"PK\x01\x02")
    tail = bytearray(data[start:])
    at = 0
    for place in places:
        struct.pack_into("<L", tail, at + 42, place & 0xFFFF_FFFF)
        at = tail.index(b"PK", at + 1)
    listed_at = places[-1] + start - starts[-1]
    struct.pack_into("<L", tail, at + 16, listed_at & 0xFFFF_FFFF)
    with (tmp_path / "archive").open("wb") as file:
        for place, begin, end in zip(places, starts, [*starts[1:], start], strict=True):
            file.seek(place)
            file.write(data[begin:end])
        file.write(tail)
    extract_archive(tmp_path / "archive", tmp_path / "out")
    for name, content in files.items():
        assert (tmp_path / "out" / name).read_bytes() == content


def test_an_absurd_size_in_a_zip_over_4_gib_costs_no_time(tmp_path: Path) -> None:
    """Places were read on 4 GiB at a time: this size would have taken a billion steps."""
    sizes = struct.pack("<HHQQ", 1, 16, 0, 1 << 62)
    head = struct.pack("<6H3L5H", 45, 45, 0, 0, 0, 0x21, 0, 0xFFFF_FFFF, 0xFFFF_FFFF, 1, len(sizes), 0, 0, 0)
    entries = b"".join(b"PK\x01\x02" + head + struct.pack("<LL", 0, at) + b"a" + sizes for at in (0, 1))
    with (tmp_path / "archive").open("wb") as file:
        file.write(b"PK\x03\x04")
        file.seek(1 << 32)
        file.write(entries + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 2, 2, len(entries), 0, 0))
    with pytest.raises(ArchiveRejected, match="packed bytes together"):
        list_archive(tmp_path / "archive", seconds=60)


def test_what_fills_the_last_block_of_an_extended_header_may_be_anything(tmp_path: Path) -> None:
    data = bytearray(pax(record(b"path", b"pug_2.jpg")))
    used = len(record(b"path", b"pug_2.jpg"))
    data[512 + used : 1024] = b"\xab" * (512 - used)
    assert listed(tmp_path, bytes(data)).names == ["pug_2.jpg"]


@pytest.mark.parametrize("make", [zipped, tarred])
def test_a_folder_may_end_in_a_colon_and_a_drive_is_none(tmp_path: Path, make: Callable[[Files], bytes]) -> None:
    assert listed(tmp_path, make({"Cats:/a.jpg": b"x"})).names == ["Cats:/a.jpg"]
    assert "outside" in refused(tmp_path, make({"C:/a.jpg": b"x"}))


@pytest.mark.parametrize(
    ("data", "says", "hint"),
    [
        (b"7z\xbc\xaf\x27\x1c" + bytes(600), "7-Zip", "makes a .zip"),
        (b"Rar!\x1a\x07\x01\x00" + bytes(600), "RAR", "make a .zip"),
        (b"\x28\xb5\x2f\xfd" + b"x" * 600, "Zstandard", "zstd -d"),
        (b"\x5d\0\0\x80\0" + b"x" * 600, "LZMA", "xz -d"),
    ],
)
def test_other_archives_are_called_by_name(tmp_path: Path, data: bytes, says: str, hint: str) -> None:
    said = refused(tmp_path, data)
    assert says in said
    assert hint in said


def test_a_sparse_file_is_told_as_that(tmp_path: Path) -> None:
    member = tarfile.TarInfo("a.jpg")
    member.type = tarfile.GNUTYPE_SPARSE
    assert "--sparse" in refused(tmp_path, member.tobuf(tarfile.GNU_FORMAT) + bytes(1024))


def test_a_sparse_file_s_size_alone_cuts_nothing_off(tmp_path: Path) -> None:
    assert "--sparse" in refused(tmp_path, pax(record(b"GNU.sparse.realsize", b"0")))


@pytest.mark.parametrize("style", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_a_lost_file_leaves_its_name_to_no_other(tmp_path: Path, style: int) -> None:
    """Of a header in several parts the last was lost, with the file: the next file's stands behind."""
    data = styled({"möpse/" * 20 + "1.jpg": b"pug", "böxer/" * 20 + "1.jpg": b"boxer"}, style=style)
    start = data.index(b"pug") - 512
    assert "whose entry is lost" in refused(tmp_path, data[:start] + data[start + 1024 :])


def test_what_came_through_a_pipe_is_a_file(tmp_path: Path) -> None:
    """`... | zip out.zip -`"""

    def change(member: zipfile.ZipInfo) -> None:
        member.external_attr = (stat.S_IFIFO | 0o600) << 16

    assert names_of(tmp_path, zipped({"-": b"x"}, change))[0] == ["-"]


def test_a_path_longer_than_disks_take_is_refused(tmp_path: Path) -> None:
    name = ("d" * 250 + "/") * 13 + "a.jpg"
    for data in (gzip.compress(tarred({name: b"x"})), zipped({name: b"x"})):
        assert "under 3000 bytes together" in refused(tmp_path, data)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("make", [zipped, tarred])
def test_a_listing_tells_of_what_is_named_twice(tmp_path: Path, make: Callable[[Files], bytes]) -> None:
    for names in (["a.jpg", "./a.jpg"], ["a", "a/b.jpg"], ["a/b.jpg", "a"], ["a", "a/"]):
        with pytest.raises(ArchiveRejected, match="is in the archive twice"):
            listed(tmp_path, make(dict.fromkeys(names, b"")))
    assert listed(tmp_path, zipped({"a/": b"", "a/b/1.jpg": b"", "a/b/": b""})).names == ["a/b/1.jpg"]


def test_a_list_that_is_a_further_name_of_a_file_is_read(tmp_path: Path) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        truth = tarfile.TarInfo("lists/truth")
        truth.size = 9
        tar.addfile(truth, io.BytesIO(b"1.jpg,pug"))
        link = tarfile.TarInfo("labels.csv")
        link.type, link.linkname = tarfile.LNKTYPE, "lists/truth"
        tar.addfile(link)
    assert listed(tmp_path, out.getvalue()).tables == {"labels.csv": b"1.jpg,pug"}
    with pytest.raises(ArchiveRejected, match="which is no file before it"):
        listed(tmp_path, hard_linked("labels.csv", "lists/truth"))


@pytest.mark.parametrize("middle", ["lists/second", "lists/second.csv"])
def test_a_list_is_read_through_any_number_of_further_names_as_an_import_reads_it(tmp_path: Path, middle: str) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        truth = tarfile.TarInfo("lists/first")
        truth.size = 9
        tar.addfile(truth, io.BytesIO(b"1.jpg,pug"))
        for name, target in ((middle, "lists/first"), ("lists/third", middle), ("labels.csv", "./lists/third")):
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.LNKTYPE, target
            tar.addfile(link)
    tables = listed(tmp_path, out.getvalue()).tables
    assert tables == dict.fromkeys([name for name in (middle, "labels.csv") if name.endswith(".csv")], b"1.jpg,pug")
    extract_archive(tmp_path / "archive", tmp_path / "in" / "to")
    assert {name: (tmp_path / "in" / "to" / name).read_bytes() for name in tables} == tables


def test_a_further_name_of_itself_is_refused_by_trial_and_import(tmp_path: Path) -> None:
    data = hard_linked("labels.csv", "labels.csv")
    with pytest.raises(ArchiveRejected, match="which is no file before it"):
        listed(tmp_path, data)
    (tmp_path / "archive").unlink()
    assert "which is no file before it" in refused(tmp_path, data)


def of_part(data: bytes, part: int, list_part: int) -> bytes:
    """A zip whose end says that it is a part of several, and in which of them the list begins."""
    at = data.rindex(b"PK\x05\x06")
    return data[: at + 4] + struct.pack("<HH", part, list_part) + data[at + 8 :]


def widely_ended(data: bytes, part: int, parts: int) -> bytes:
    """A zip with an end record of the newer form and what points to it."""
    at = data.rindex(b"PK\x05\x06")
    count, size, begin = struct.unpack_from("<10xHLL", data, at)
    wide = b"PK\x06\x06" + struct.pack("<QHHLLQQQQ", 44, 45, 45, part, part, count, count, size, begin)
    pointer = b"PK\x06\x07" + struct.pack("<LQL", part, at, parts)
    return data[:at] + wide + pointer + of_part(data, 0xFFFF, 0xFFFF)[at:]


ZIP = zipped({"pug_1.jpg": b"x" * 50, "pug_2.jpg": b"y" * 50})


@pytest.mark.parametrize(
    "data",
    [
        b"PK\x07\x08" + ZIP[:90],
        of_part(ZIP[60:], 1, 1),
        of_part(ZIP[60:], 3, 2),
        of_part(ZIP, 0, 1),
        widely_ended(ZIP, 1, 2),
        widely_ended(ZIP, 0, 2),
    ],
    ids=["first", "last", "last of four", "list elsewhere", "last, wide", "of two, wide"],
)
def test_a_part_of_a_split_zip_is_called_that_and_how_to_join_it(tmp_path: Path, data: bytes) -> None:
    said = refused(tmp_path, data)
    assert said.startswith("the file is one part of a zip that was split into several Join them (`zip -s 0 ")
    with pytest.raises(ArchiveRejected, match="one part of a zip"):
        listed(tmp_path, data)


def test_a_zip_that_was_not_split_is_read_and_one_that_is_cut_short_is_no_part(tmp_path: Path) -> None:
    for data in (ZIP, of_part(ZIP, 0xFFFF, 0xFFFF), widely_ended(ZIP, 0, 1), b"PK\x07\x08" + ZIP):
        assert listed(tmp_path, data).names == ["pug_1.jpg", "pug_2.jpg"]
    with pytest.raises(ArchiveRejected, match="broken or cut short"):
        listed(tmp_path, ZIP[:90])


def sharing(entries: int, payload: bytes) -> bytes:
    """A zip whose entries all have the same packed bytes, which the headers of the others lie before."""
    names, out, listed_ = [b"%04d.csv" % number for number in range(entries)], b"", b""
    total = (30 + 8) * entries
    for name in names:
        sizes = struct.pack("<LLLH", 0, len(payload), 1, len(name))
        listed_ += b"PK\x01\x02\x14\0\x14\0\0\0\x08\0\0\0\x21\0" + sizes
        listed_ += struct.pack("<HHHHLL", 0, 0, 0, 0, 0, len(out)) + name
        extra = struct.pack("<H", total - len(out) - 38)
        out += b"PK\x03\x04\x14\0\0\0\x08\0\0\0\x21\0" + sizes + extra + name
    end = struct.pack("<4s4HLLH", b"PK\x05\x06", 0, 0, entries, entries, len(listed_), len(out) + len(payload), 0)
    return out + payload + listed_ + end


def test_entries_of_a_zip_do_not_share_their_bytes(tmp_path: Path) -> None:
    empty = b"\0\0\0\xff\xff" * 2000 + b"\x03\0"
    assert "packed bytes together" in refused(tmp_path, sharing(9, empty))


def test_packed_bytes_that_unpack_to_nothing_give_signs_of_life(tmp_path: Path) -> None:
    (tmp_path / "archive").write_bytes(sharing(1, b"\0\0\0\xff\xff" * 200_000 + b"\x03\0"))
    told = list[int]()
    with open_entries(
        tmp_path / "archive",
        max_bytes=MAX_BYTES,
        max_files=MAX_FILES,
        encoding=None,
        tell=lambda done, _total: told.append(done),
    ) as entries:
        content = next(entries).content
        before = len(told)
        assert content is not None
        assert content.read(8 << 20) == b""
    assert len(told) - before >= 1


def test_a_zips_entries_are_no_objects_all_at_once(tmp_path: Path) -> None:
    """The garbage collector goes through every object that is there, and holds up whatever else runs."""
    (tmp_path / "archive").write_bytes(members([b"%05d.jpg" % number for number in range(3000)]))
    with open_entries(
        tmp_path / "archive", max_bytes=MAX_BYTES, max_files=MAX_FILES, encoding=None, tell=lambda _done, _total: None
    ) as entries:
        gc.collect()
        before = len(gc.get_objects())
        assert len([entry.name for entry in islice(entries, 2000)]) == 2000
        assert len(gc.get_objects()) - before < 500
