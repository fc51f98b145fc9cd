"""Archives that would cost far more than their bytes, by what stands beside the files."""

import gzip
import io
import lzma
import random
import struct
import tarfile
import tracemalloc
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ml.errors import ArchiveRejected
from ml.unpack import listing
from ml.unpack.archive import MAX_BYTES, MAX_FILES, extract_archive, open_entries
from ml.unpack.listing import list_archive
from ml.unpack.metered import MeteredReader
from tests.ml.unpack.test_archive import refused, zipped

MIB = 1 << 20
PLENTY = 60.0


@contextmanager
def little_memory(most: int) -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < most
    finally:
        tracemalloc.stop()


def listed(tmp_path: Path, data: bytes) -> listing.Listing:
    (tmp_path / "archive").write_bytes(data)
    return list_archive(tmp_path / "archive", seconds=PLENTY)


def tarred(files: dict[str, bytes], style: int = tarfile.PAX_FORMAT, mode: str = "w") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode, format=style) as tar:  # type: ignore[call-overload]  # any of its modes
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return out.getvalue()


def linked(target: str) -> bytes:
    """A tar of a folder with the long name of a link's target before it, and of a file."""
    folder = tarfile.TarInfo("folder")
    folder.type, folder.linkname = tarfile.DIRTYPE, target
    return folder.tobuf(tarfile.GNU_FORMAT) + tarred({"pug_1.jpg": b"x"})


def pax(records: bytes, claimed: int | None = None, name: str = "pax") -> bytes:
    """A tar of one file with an extended header before it."""
    head = tarfile.TarInfo(name)
    head.type, head.size = tarfile.XHDTYPE, len(records) if claimed is None else claimed
    padding = bytes(-len(records) % 512)
    return head.tobuf(tarfile.USTAR_FORMAT) + records + padding + tarred({"pug_1.jpg": b"x"})


def record(key: bytes, value: bytes) -> bytes:
    rest = b" " + key + b"=" + value + b"\n"
    length = len(rest)
    while length != len(b"%d" % length) + len(rest):
        length = len(b"%d" % length) + len(rest)
    return b"%d" % length + rest


def members(names: list[bytes], extra: bytes = b"") -> bytes:
    """A zip of files without content, each called x where it lies; little but its list is large."""
    one = zipped({"x": b""})
    start, end = one.index(b"PK\x01\x02"), one.index(b"PK\x05\x06")
    heads = bytearray()
    for place, name in enumerate(names):
        head = bytearray(one[start : start + 46])
        struct.pack_into("<L", head, 42, place * start)
        struct.pack_into("<2H", head, 28, len(name), len(extra))
        heads += head + name + extra
    tail = bytearray(one[end:])
    count = min(len(names), 0xFFFF)
    struct.pack_into("<2H2L", tail, 8, count, count, len(heads), len(names) * start)
    return one[:start] * len(names) + bytes(heads) + bytes(tail)


PUGS = {f"pug_{n}.jpg": bytes([n]) * 700 for n in range(4)}


@pytest.mark.parametrize("mode", ["w", "w:gz"])
@pytest.mark.parametrize("style", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_a_broken_header_in_the_middle_loses_nothing_without_a_word(tmp_path: Path, mode: str, style: int) -> None:
    data = bytearray(tarred(PUGS, style))
    data[2 * 1536 + 3] ^= 1
    packed = gzip.compress(bytes(data)) if mode == "w:gz" else bytes(data)
    assert "header in the archive is broken" in refused(tmp_path, packed)
    with pytest.raises(ArchiveRejected):
        listed(tmp_path, packed)


def test_an_end_in_the_middle_and_a_second_archive_are_told(tmp_path: Path) -> None:
    whole = tarred(PUGS)
    blank = whole[:1536] + bytes(512) + whole[2048:]
    hole = whole[:3072] + bytes(1024) + whole[4096:]
    behind = (tarred(PUGS), zipped(PUGS), tarred(PUGS, mode="w:gz"), b"\n" + tarred(PUGS), b"junk" * 128)
    for data in (blank, hole, *(whole + one for one in behind)):
        for packed in (data, gzip.compress(data, 1)):
            with pytest.raises(ArchiveRejected, match="goes on behind its end mark"):
                listed(tmp_path, packed)
    # One block of zeros is an end too.
    end = len(whole.rstrip(b"\0"))
    end += -end % 512
    for padding in (bytes(512 * 300), bytes(1024) + b"\r\n", bytes(512), bytes(512) + b"\n"):
        assert len(listed(tmp_path, whole[:end] + padding).names) == len(PUGS)


def test_a_size_below_0_is_refused(tmp_path: Path) -> None:
    assert "below 0" in refused(tmp_path, pax(record(b"size", b"-1536")))


def test_a_header_for_all_entries_with_the_name_of_one_is_refused(tmp_path: Path) -> None:
    of_all = bytearray(pax(record(b"path", b"a.jpg")))
    of_all[156:157] = tarfile.XGLTYPE
    of_all[148:156] = b" " * 8
    of_all[148:156] = b"%06o\0 " % sum(of_all[:512])
    assert "for all its entries" in refused(tmp_path, bytes(of_all))


@pytest.mark.parametrize(("kind", "says"), [(b"D", "incremental"), (b"M", "multi-volume")])
def test_kinds_of_gnu_tar_that_hold_no_files_are_called_by_name(tmp_path: Path, kind: bytes, says: str) -> None:
    head = tarfile.TarInfo("backup")
    head.type = kind
    assert says in refused(tmp_path, head.tobuf(tarfile.GNU_FORMAT) + tarred(PUGS))


def test_a_label_of_gnu_tar_is_passed_over(tmp_path: Path) -> None:
    head = tarfile.TarInfo("backup of monday")
    head.type = b"V"
    assert listed(tmp_path, head.tobuf(tarfile.GNU_FORMAT) + tarred(PUGS)).names == list(PUGS)


def test_a_label_with_a_size_is_refused_and_labels_count(tmp_path: Path) -> None:
    head = tarfile.TarInfo("backup of monday")
    head.type = b"V"
    assert "more than 10 entries" in refused(tmp_path, head.tobuf(tarfile.GNU_FORMAT) * 20 + tarred(PUGS), max_files=10)
    for size in (-512, 1536):
        head.size = size
        with pytest.raises(ArchiveRejected):
            listed(tmp_path, tarred(PUGS)[:1536] + head.tobuf(tarfile.GNU_FORMAT) + tarred(PUGS))


def test_a_zip_behind_another_is_told(tmp_path: Path) -> None:
    assert "lies before the first entry" in refused(tmp_path, zipped(PUGS) + zipped({"boxer_1.jpg": b"x"}))


@pytest.mark.parametrize("mark", [b"PK00", b"PK\x07\x08"])
def test_the_mark_of_a_zip_that_might_have_been_split_is_passed_over(tmp_path: Path, mark: bytes) -> None:
    assert listed(tmp_path, mark + zipped(PUGS)).names == list(PUGS)


def test_a_folder_with_an_entry_of_its_own_counts_once(tmp_path: Path) -> None:
    (tmp_path / "archive").write_bytes(zipped({f"{n}/{name}": b"" for n in range(9) for name in ("", "pug_1.jpg")}))
    extract_archive(tmp_path / "archive", tmp_path / "in" / "to", max_files=18)


@pytest.mark.parametrize("name", ["PKx/pug_1.jpg", "PK\x03/pug_1.jpg", "BZhang/pug_1.jpg", "BZh9/pug_1.jpg"])
def test_a_tar_is_known_whatever_its_first_name_is(tmp_path: Path, name: str) -> None:
    assert listed(tmp_path, tarred({name: b"x"})).names == [name]


def test_folders_count_as_entries_do(tmp_path: Path) -> None:
    deep = zipped({f"{n:x}/" + "a/" * 25 + "b": b"" for n in range(40)})
    assert "more than 400 entries" in refused(tmp_path, deep, max_files=400)
    (tmp_path / "archive").write_bytes(zipped({f"{n:x}/" + "a/" * 25 + "b": b"" for n in range(1000)}))
    with pytest.raises(ArchiveRejected, match="times its size"):
        extract_archive(tmp_path / "archive", tmp_path / "in" / "many")


def test_a_zip_whose_list_has_swallowed_an_entry_is_refused(tmp_path: Path) -> None:
    data = bytearray(zipped(PUGS))
    first, second, third = [at for at in range(len(data)) if data[at : at + 4] == b"PK\x01\x02"][:3]
    struct.pack_into("<H", data, first + 32, third - second)
    assert "says that it has 4 entries, and its list has 3" in refused(tmp_path, bytes(data))


def test_a_name_beyond_any_path_is_refused_before_objects_are_made(tmp_path: Path) -> None:
    assert "a name of 60000 bytes" in refused(tmp_path, members([b"a/" * 30_000]))


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_what_zipfile_unpacks_without_a_limit_is_not_read(tmp_path: Path, method: int) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        archive.writestr("labels.csv", bytes(16 * MIB))
    with little_memory(4 * MIB):
        said = refused(tmp_path, out.getvalue())
    assert f"by method {method} (" in said
    assert "by Deflate" in said


def test_what_is_no_archive_is_not_tried_as_one_of_lzma(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its dictionary may be of any size, and tarfile tries it on whatever else is no tar."""
    tried: list[object] = []
    monkeypatch.setattr(lzma, "LZMAFile", lambda *_args, **_kwargs: tried.append(1))
    assert "neither a zip nor a tar" in refused(tmp_path, lzma.compress(b"x" * 2000, lzma.FORMAT_ALONE))
    assert tried == []


def test_a_first_header_that_claims_much_is_refused_before_it_is_read(tmp_path: Path) -> None:
    data = pax(b"", claimed=1 << 30)
    (tmp_path / "archive").write_bytes(data)
    with (tmp_path / "archive").open("r+b") as file:
        file.truncate(64 * MIB)
    with little_memory(4 * MIB), pytest.raises(ArchiveRejected, match="absurd"):
        list_archive(tmp_path / "archive", seconds=PLENTY)


@pytest.mark.parametrize(
    "records",
    [
        pytest.param(record(b"path", b"1" * 12_000), id="digits, searched from each of them"),
        pytest.param(b"2 " * 2000 + b"k=v\n", id="names that overlap, kept once for each"),
        pytest.param(record(b"path", b"x" * 70_000), id="more than headers have"),
        pytest.param(record(b"comment", b"x" * MIB), id="more than attributes have"),
        pytest.param(b"9 a=bcde\n\0" + b"1 hdrcharset=" * 2400, id="a charset searched behind the end of records"),
        pytest.param(b"9 k=v\n", id="longer than it is"),
        pytest.param(b"nonsense", id="none"),
    ],
)
def test_an_extended_header_that_tarfile_works_on_for_long_is_refused(tmp_path: Path, records: bytes) -> None:
    assert "has a header" in refused(tmp_path, pax(records))


def test_extended_headers_one_behind_the_other_have_a_limit_together(tmp_path: Path) -> None:
    """Only those for all entries may come more than once."""
    head = tarfile.TarInfo("all")
    records = record(b"a", b"b")
    head.type, head.size = tarfile.XGLTYPE, len(records)
    one = head.tobuf(tarfile.USTAR_FORMAT) + records.ljust(512, b"\0")
    assert "absurd" in refused(tmp_path, one * 150 + tarred({"pug_1.jpg": b"x"}))


def test_an_extended_header_as_it_should_be_is_read(tmp_path: Path) -> None:
    records = record(b"path", "Löwe/".encode() * 20 + b"1" * 200 + b".jpg") + record(
        b"SCHILY.xattr.user.x", b"\n\0=7 a"
    )
    assert listed(tmp_path, pax(records)).names == ["Löwe/" * 20 + "1" * 200 + ".jpg"]
    assert listed(tmp_path, bytes(10_240)).names == []


def test_attributes_of_a_file_are_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """tarfile gets the records that say where an entry lies and how long it is, and no others."""
    given, read = list[bytes](), MeteredReader.read

    def noted(reader: MeteredReader, size: int) -> bytes:
        given.append(read(reader, size))
        return given[-1]

    monkeypatch.setattr(MeteredReader, "read", noted)
    records = record(b"path", b"pug_2.jpg") + record(b"SCHILY.xattr.user.x", b"1" * 200_000)
    assert listed(tmp_path, pax(records)).names == ["pug_2.jpg"]
    assert record(b"path", b"pug_2.jpg") in given
    assert not any(b"SCHILY" in one for one in given)


@pytest.mark.parametrize("letter", "xgXLK")
@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK])
def test_a_long_name_is_no_header_whatever_letter_stands_in_it(tmp_path: Path, letter: str, kind: bytes) -> None:
    """Its 157th byte stands where a header says what it is."""
    long = ("a" * 60 + "/") * 2 + "b" * 34 + letter + ".jpg"
    assert long[156] == letter
    if kind == tarfile.GNUTYPE_LONGNAME:
        data, names = tarred({long: b"x", "pug_1.jpg": b"x"}, tarfile.GNU_FORMAT), [long, "pug_1.jpg"]
    else:
        data, names = linked(long), ["pug_1.jpg"]
    assert listed(tmp_path, data).names == names


def test_a_long_name_hides_no_extended_header_behind_it(tmp_path: Path) -> None:
    name = (bytes(156) + b"x").ljust(512, b"\0")
    head = tarfile.TarInfo("long")
    head.type, head.size = tarfile.GNUTYPE_LONGNAME, len(name)
    for digits in (record(b"path", b"1" * 12_000), b"1" * 12_000):
        assert "has a header" in refused(tmp_path, head.tobuf(tarfile.GNU_FORMAT) + name + pax(digits, name=""))


@pytest.mark.parametrize("style", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_a_large_table_in_a_tar_is_read(tmp_path: Path, style: int, mode: str) -> None:
    table = random.Random(1).randbytes(3 * MIB)  # noqa: S311 - no secret
    found = listed(tmp_path, tarred({"labels.csv": table, "pug_1.jpg": b"x"}, style, mode))
    assert found.tables == {"labels.csv": table}
    assert found.names == ["labels.csv", "pug_1.jpg"]


def test_a_name_of_a_gzip_without_an_end_is_counted(tmp_path: Path) -> None:
    """What the packed stream says of itself is read before it gives a byte; the deadline is looked at all the same."""
    whole = gzip.compress(tarred({"pug_1.jpg": b"x"}), mtime=0)
    named = whole[:3] + b"\x08" + whole[4:10] + b"n" * MIB + b"\0" + whole[10:]
    (tmp_path / "archive").write_bytes(named)
    told: list[int] = []
    with open_entries(
        tmp_path / "archive",
        max_bytes=MAX_BYTES,
        max_files=MAX_FILES,
        encoding=None,
        tell=lambda done, _total: told.append(done),
    ) as entries:
        assert [entry.name for entry in entries] == ["pug_1.jpg"]
    assert len([done for done in told if done < MIB]) > 10


def test_what_is_passed_over_in_a_packed_tar_is_looked_at_on_the_way(tmp_path: Path) -> None:
    (tmp_path / "archive").write_bytes(gzip.compress(tarred({"a.bin": bytes(40 * MIB), "pug_1.jpg": b"x"}), 1, mtime=0))
    told: list[int] = []
    with open_entries(
        tmp_path / "archive",
        max_bytes=MAX_BYTES,
        max_files=MAX_FILES,
        encoding=None,
        tell=lambda done, _total: told.append(done),
    ) as entries:
        next(entries)
        before = len(told)
        next(entries)
    assert len(told) - before >= 40 // 16 + 3


def test_a_zips_entries_are_counted_before_objects_are_made_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, made = members([b"x"] * 50), list[object]()
    monkeypatch.setattr(zipfile, "ZipInfo", lambda *args: made.append(args))
    assert "more than 20 entries" in refused(tmp_path, data, max_files=20)
    assert made == []


def test_a_zips_list_may_be_shorter_where_it_is_only_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = bytearray(members([b"%03d" % number for number in range(1000)]))
    assert len(listed(tmp_path, bytes(data)).names) == 1000
    monkeypatch.setattr(listing, "DIRECTORY_BYTES", 20_000)
    with pytest.raises(ArchiveRejected, match="list of entries has"):
        listed(tmp_path, bytes(data))
    # It is measured where it is read: the end's mark may stand once more within the end, where nobody uses it.
    at = data.rindex(b"PK\x05\x06") + 8
    data[at : at + 4] = b"PK\x05\x06"
    with pytest.raises(ArchiveRejected, match="list of entries has"):
        listed(tmp_path, bytes(data))


def test_an_entry_with_much_beside_its_name_is_refused(tmp_path: Path) -> None:
    assert "beside its name" in refused(tmp_path, members([b"a.jpg"], struct.pack("<HH", 0x9999, 0) * 8000))
    assert "fields beside its name" in refused(tmp_path, members([b"a.jpg"], struct.pack("<HH", 0x9999, 0) * 65))
    assert listed(tmp_path, members([b"x"], struct.pack("<HH", 0x9999, 0) * 64)).names == ["x"]


def test_the_counting_of_a_zips_entries_gives_signs_of_life(tmp_path: Path) -> None:
    (tmp_path / "archive").write_bytes(members([b"x"] * 5000))
    told = list[int]()
    with open_entries(
        tmp_path / "archive",
        max_bytes=MAX_BYTES,
        max_files=MAX_FILES,
        encoding=None,
        tell=lambda done, _total: told.append(done),
    ) as entries:
        next(entries)
    # From the front on, as the reading of the files then goes.
    assert len(told) >= 5
    assert told == sorted(told)


@pytest.mark.parametrize(
    ("name", "says"),
    [("d/" * 40 + "a.jpg", "deeper than 32"), ("x" * 300 + ".jpg", "too long"), ("../a.jpg", "outside")],
)
def test_a_listing_takes_the_paths_that_an_import_takes(tmp_path: Path, name: str, says: str) -> None:
    for data in (zipped({name: b"x"}), tarred({name: b"x"})):
        with pytest.raises(ArchiveRejected, match=says):
            listed(tmp_path, data)
    assert listed(tmp_path, zipped({"b.jpg/.": b"x", "./a//c.jpg": b"y"})).names == ["b.jpg", "a/c.jpg"]


def test_a_listing_ends_where_its_names_have_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "MAX_NAMES_BYTES", 100)
    found = listed(tmp_path, tarred({f"pug_{number:03}.jpg": b"x" for number in range(50)}))
    assert (found.complete, len(found.names)) == (False, 9)
