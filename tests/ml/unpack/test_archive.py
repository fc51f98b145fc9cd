import bz2
import errno
import gzip
import io
import os
import stat
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from ml.errors import ArchiveRejected, DiskFull, Stopped
from ml.unpack import archive as unpacking
from ml.unpack.archive import MAX_BYTES, MAX_FILES, extract_archive
from ml.unpack.metered import RATIO, RATIO_FREE_BYTES
from tests.ml.pictures import jpeg

Files = dict[str, bytes]


def tarred(files: Files, mode: str = "w", change: Callable[[tarfile.TarInfo], None] | None = None) -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode=mode) as tar:  # type: ignore[call-overload]  # the mode is a parameter here
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            if change is not None:
                change(member)
            tar.addfile(member, io.BytesIO(content))
    return data.getvalue()


def zipped(files: Files, change: Callable[[zipfile.ZipInfo], None] | None = None) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            member = zipfile.ZipInfo(name)
            member.compress_type = zipfile.ZIP_DEFLATED
            if change is not None:
                change(member)
            archive.writestr(member, content)
    return data.getvalue()


def refused(tmp_path: Path, data: bytes, max_bytes: int = MAX_BYTES, max_files: int = MAX_FILES) -> str:
    """What is said of a refused archive, of which nothing may be left; the hint follows."""
    archive, into = tmp_path / "archive", tmp_path / "in" / "to"
    archive.write_bytes(data)
    with pytest.raises(ArchiveRejected) as caught:
        extract_archive(archive, into, max_bytes=max_bytes, max_files=max_files)
    assert list(into.parent.iterdir()) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["archive", "in"]
    return f"{caught.value.detail} {caught.value.hint}"


FILES = {f"pets/pug_{n}.jpg": jpeg(seed=n) + bytes(n * 7) for n in range(8)}


@pytest.mark.parametrize("mode", ["zip", "w", "w:gz", "w:bz2", "w:xz"])
def test_each_kind_unpacks_to_the_same_files(tmp_path: Path, mode: str) -> None:
    files = FILES | {"a/b/c/deep.txt": b"", "block.bin": bytes(1024)}
    archive = tmp_path / "no-suffix"
    archive.write_bytes(zipped(files) if mode == "zip" else tarred(files, mode))
    extract_archive(archive, tmp_path / "out")
    got = {str(path.relative_to(tmp_path / "out")): path.read_bytes() for path in (tmp_path / "out").rglob("*.*")}
    assert got == files


def test_folders_and_windows_names_are_understood(tmp_path: Path) -> None:
    (tmp_path / "archive").write_bytes(zipped({"pets/": b"", "pets\\pug\\1.jpg": b"x"}))
    extract_archive(tmp_path / "archive", tmp_path / "out")
    assert (tmp_path / "out/pets/pug/1.jpg").read_bytes() == b"x"


@pytest.mark.parametrize(
    "name", ["../evil.jpg", "pets/../../evil.jpg", "/etc/evil.jpg", "..\\evil.jpg", "C:\\evil.jpg"]
)
@pytest.mark.parametrize("make", [zipped, tarred])
def test_names_that_lead_outside_are_refused(tmp_path: Path, make: Callable[[Files], bytes], name: str) -> None:
    assert "outside" in refused(tmp_path, make({"good_1.jpg": b"x", name: b"evil"}))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE], ids=repr)
def test_links_and_devices_in_a_tar_are_refused(tmp_path: Path, kind: bytes) -> None:
    def change(member: tarfile.TarInfo) -> None:
        if member.name == "b.jpg":
            member.type, member.linkname, member.size = kind, "/etc/passwd", 0

    assert "'b.jpg' is a link, a device" in refused(tmp_path, tarred({"a.jpg": b"x", "b.jpg": b""}, change=change))


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFSOCK])
def test_links_and_devices_in_a_zip_are_refused(tmp_path: Path, kind: int) -> None:
    def change(member: zipfile.ZipInfo) -> None:
        member.external_attr = (kind | 0o777) << 16

    assert "is a link, a device" in refused(tmp_path, zipped({"b.jpg": b"/etc/passwd"}, change))


def test_a_sparse_file_is_refused(tmp_path: Path) -> None:
    def change(member: tarfile.TarInfo) -> None:
        member.type = tarfile.GNUTYPE_SPARSE

    assert refused(tmp_path, tarred({"b.jpg": b""}, change=change))


@pytest.mark.parametrize("make", [zipped, lambda files: tarred(files, "w:gz"), lambda files: tarred(files, "w:xz")])
def test_a_bomb_is_refused_by_its_ratio(tmp_path: Path, make: Callable[[Files], bytes]) -> None:
    assert "20 times its size" in refused(tmp_path, make({"a.jpg": b"x", "bomb": bytes(80 << 20)}))


def test_a_zip_that_lies_about_its_size_is_refused(tmp_path: Path) -> None:
    honest = zipped({"bomb": bytes(10 << 20)})
    lying = honest.replace(struct.pack("<I", 10 << 20), struct.pack("<I", 100))
    assert lying != honest
    assert "broken" in refused(tmp_path, lying)


@pytest.mark.parametrize("wide", [False, True])
def test_a_zip_whose_end_promises_more_than_there_is_is_refused(tmp_path: Path, wide: bool) -> None:
    data = bytearray(zipped(FILES))
    end = data.rindex(b"PK\x05\x06")
    if wide:
        record = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 8, 8, 1 << 40, 0)
        data[end:end] = record + struct.pack("<4sLQL", b"PK\x06\x07", 0, end, 1)
    else:
        struct.pack_into("<L", data, end + 12, 0x7FFFFFFF)
    assert "broken" in refused(tmp_path, bytes(data))


def test_a_tar_header_of_an_absurd_size_is_refused(tmp_path: Path) -> None:
    member = tarfile.TarInfo("pax")
    member.type, member.size = tarfile.XHDTYPE, 1 << 30
    data = member.tobuf(tarfile.GNU_FORMAT) + bytes(4 << 20)
    assert "absurd" in refused(tmp_path, gzip.compress(data))


def test_the_totals_are_limits(tmp_path: Path) -> None:
    assert "more than 3 entries" in refused(tmp_path, tarred(FILES), max_files=3)
    assert "more than 3 entries" in refused(tmp_path, zipped(FILES), max_files=3)
    assert "unpacks to more than" in refused(tmp_path, tarred(FILES, "w:gz"), max_bytes=5000)
    assert "unpacks to more than" in refused(tmp_path, zipped(FILES), max_bytes=3000)


@pytest.mark.parametrize("mode", ["zip", "w", "w:gz", "w:bz2", "w:xz"])
@pytest.mark.parametrize("share", [0.4, 0.97])
def test_a_truncated_archive_is_refused(tmp_path: Path, mode: str, share: float) -> None:
    data = zipped(FILES) if mode == "zip" else tarred(FILES, mode)
    # A tar ends in padding, whose loss would be no loss.
    end = len(data.rstrip(b"\0")) if mode == "w" else len(data)
    assert refused(tmp_path, data[: int(end * share)])


def test_a_tar_cut_between_two_files_is_refused(tmp_path: Path) -> None:
    whole = tarred({"a_1.jpg": bytes(512), "b_1.jpg": bytes(512)})
    assert "end mark is missing" in refused(tmp_path, whole[:1024])


def test_a_flipped_byte_is_noticed_by_the_checksum(tmp_path: Path) -> None:
    for data in (zipped(FILES), tarred(FILES, "w:gz"), tarred(FILES, "w:bz2"), tarred(FILES, "w:xz")):
        middle = len(data) // 2
        assert refused(tmp_path, data[:middle] + bytes([data[middle] ^ 0xFF]) + data[middle + 1 :])


@pytest.mark.parametrize(
    "data", [b"", b"hello", jpeg(), gzip.compress(b"no tar", mtime=0), bz2.compress(b"no tar"), b"PK\x03\x04"]
)
def test_what_is_no_archive_is_refused(tmp_path: Path, data: bytes) -> None:
    assert refused(tmp_path, data)


def test_an_encrypted_zip_is_refused(tmp_path: Path) -> None:
    data = bytearray(zipped({"a.jpg": b"x"}))
    data[data.index(b"PK\x01\x02") + 8] |= 1
    assert "encrypted" in refused(tmp_path, bytes(data))


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("make", [zipped, tarred])
def test_an_entry_named_twice_is_refused(tmp_path: Path, make: Callable[[Files], bytes]) -> None:
    assert "twice" in refused(tmp_path, make({"a.jpg": b"x", "./a.jpg": b"y"}))
    assert "twice" in refused(tmp_path, make({"a.jpg": b"x", "a.jpg/b.jpg": b"y"}))


def test_names_that_differ_in_case_stay_two_files(tmp_path: Path) -> None:
    (tmp_path / "archive").write_bytes(zipped({"Pug_1.jpg": b"x", "pug_1.jpg": b"y"}))
    extract_archive(tmp_path / "archive", tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["Pug_1.jpg", "pug_1.jpg"]


def test_a_name_too_long_is_refused(tmp_path: Path) -> None:
    assert "too long" in refused(tmp_path, zipped({"x" * 300 + ".jpg": b"x"}))


def test_names_nested_too_deep_are_refused(tmp_path: Path) -> None:
    files = {"d/" * depth + "a.jpg": b"x" for depth in (20, 400, 800, 1600)}
    assert "deeper than 32" in refused(tmp_path, zipped(files))


@pytest.mark.parametrize("name", ["", "\0evil.jpg", "pug_1.jpg\0.txt"])
def test_an_entry_without_a_name_is_refused(tmp_path: Path, name: str) -> None:
    held = "#" * max(1, len(name))
    data = zipped({"a.jpg": b"x", held: b"y"})
    if name:
        assert "has a NUL in it" in refused(tmp_path, data.replace(held.encode(), name.encode()))
    else:
        assert "has no name" in refused(tmp_path, _nameless(data))


@pytest.mark.parametrize("name", ["", ".", "./"])
def test_a_file_without_a_name_in_a_tar_is_refused(tmp_path: Path, name: str) -> None:
    assert "has no name" in refused(tmp_path, tarred({"a.jpg": b"x", name: b"y"}))


def _nameless(data: bytes) -> bytes:
    """The zip with the one-letter name of its last entry cut away, in the entry and in the list."""
    for start, header, length_at in ((b"PK\x03\x04", 30, 26), (b"PK\x01\x02", 46, 28)):
        at = data.rindex(start)
        entry = bytearray(data[at:])
        assert entry[header : header + 1] == b"#"
        struct.pack_into("<H", entry, length_at, 0)
        del entry[header]
        data = data[:at] + bytes(entry)
    end = bytearray(data)
    size, start_at = struct.unpack_from("<LL", end, end.rindex(b"PK\x05\x06") + 12)
    struct.pack_into("<LL", end, end.rindex(b"PK\x05\x06") + 12, size - 1, start_at - 1)
    return bytes(end)


@pytest.mark.parametrize("mode", ["zip", "w", "w:gz", "w:bz2", "w:xz"])
def test_progress_is_in_bytes_of_the_archive_and_what_it_raises_leaves_nothing(tmp_path: Path, mode: str) -> None:
    data = zipped(FILES) if mode == "zip" else tarred(FILES, mode)
    archive, into, told = tmp_path / "archive", tmp_path / "in" / "to", list[tuple[int, int]]()
    archive.write_bytes(data)
    extract_archive(archive, tmp_path / "out", on_progress=lambda done, total: told.append((done, total)))
    assert len(told) >= len(FILES)
    assert told == sorted(told)
    assert {total for _, total in told} == {len(data)}
    assert 0 < told[-1][0] <= len(data)

    def stop(_done: int, _total: int) -> None:
        if len(list(into.parent.rglob("*.jpg"))) > 2:
            raise Stopped

    with pytest.raises(Stopped):
        extract_archive(archive, into, on_progress=stop)
    assert list(into.parent.iterdir()) == []


def hard_linked(link: str, target: str, *, first: bool = True) -> bytes:
    """A tar of the file a.jpg and a hard link, in this order or the other."""
    data = io.BytesIO()
    file, linked = tarfile.TarInfo("pets/a.jpg"), tarfile.TarInfo(link)
    file.size, linked.type, linked.linkname = 3, tarfile.LNKTYPE, target
    with tarfile.open(fileobj=data, mode="w") as tar:
        for member in (file, linked) if first else (linked, file):
            tar.addfile(member, io.BytesIO(b"pet"))
    return data.getvalue()


def test_a_hard_link_to_a_file_before_it_is_that_file(tmp_path: Path) -> None:
    (tmp_path / "archive").write_bytes(hard_linked("pets/b.jpg", "pets/a.jpg"))
    extract_archive(tmp_path / "archive", tmp_path / "out")
    assert (tmp_path / "out/pets/b.jpg").read_bytes() == b"pet"
    assert not (tmp_path / "out/pets/b.jpg").is_symlink()


@pytest.mark.parametrize(
    ("target", "first"), [("pets/a.jpg", False), ("pets", True), ("../a.jpg", True), ("/etc/passwd", True), ("", True)]
)
def test_another_hard_link_is_refused_with_the_way_out(tmp_path: Path, target: str, first: bool) -> None:
    said = refused(tmp_path, hard_linked("pets/b.jpg", target, first=first))
    assert "--hard-dereference" in said
    assert repr(target) in said


def test_hard_links_count_as_files_do(tmp_path: Path) -> None:
    assert "unpacks to more than" in refused(tmp_path, hard_linked("b.jpg", "pets/a.jpg"), max_bytes=5)


LINKS = 24


def many_links() -> bytes:
    """A tar of a large file and of so many further names of it."""
    photo, data = tarfile.TarInfo("a.jpg"), io.BytesIO()
    photo.size = 4 << 20
    assert LINKS > RATIO
    assert LINKS * photo.size > RATIO_FREE_BYTES
    with tarfile.open(fileobj=data, mode="w") as tar:
        tar.addfile(photo, io.BytesIO(bytes(photo.size)))
        for number in range(LINKS):
            link = tarfile.TarInfo(f"{number}/a.jpg")
            link.type, link.linkname = tarfile.LNKTYPE, "a.jpg"
            tar.addfile(link)
    return data.getvalue()


def test_hard_links_are_no_bomb(tmp_path: Path) -> None:
    """A photo in many folders of a split, or a backup by links: nothing of it was packed more than photos are."""
    (tmp_path / "archive").write_bytes(many_links())
    extract_archive(tmp_path / "archive", tmp_path / "out")
    assert len(list((tmp_path / "out").rglob("a.jpg"))) == LINKS + 1


def test_copies_of_hard_links_are_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They take the room that links do not."""

    def fail(*_args: object, **_more: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", fail)
    assert f"more than {RATIO} times its size" in refused(tmp_path, many_links())


@pytest.mark.parametrize("number", [errno.EIO, errno.EMFILE, errno.EROFS, errno.EACCES, errno.ENOENT])
def test_what_the_machine_fails_at_is_not_the_archive_s_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """Whoever is told that an archive is broken throws it away; the import does, too."""

    def fail(*_args: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(unpacking, "_copy", fail)
    (tmp_path / "archive").write_bytes(zipped(FILES))
    with pytest.raises(OSError, match=os.strerror(number)):
        extract_archive(tmp_path / "archive", tmp_path / "in" / "to")
    assert list((tmp_path / "in").iterdir()) == []


@pytest.mark.parametrize("failure", [TimeoutError("timed out"), ConnectionResetError("by peer")])
def test_nor_is_a_connection_of_who_is_told(tmp_path: Path, failure: OSError) -> None:
    """Such an error has no number when a client's own code raises it."""

    def fail(*_: int) -> None:
        raise failure

    (tmp_path / "archive").write_bytes(zipped(FILES))
    with pytest.raises(type(failure)):
        extract_archive(tmp_path / "archive", tmp_path / "to", on_progress=fail)


@pytest.mark.parametrize("number", [errno.EPERM, errno.EMLINK, errno.EXDEV, errno.EOPNOTSUPP])
def test_where_the_disk_makes_no_hard_link_the_file_is_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def fail(*_args: object, **_more: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "link", fail)
    (tmp_path / "archive").write_bytes(hard_linked("pets/b.jpg", "pets/a.jpg"))
    extract_archive(tmp_path / "archive", tmp_path / "to")
    assert (tmp_path / "to" / "pets" / "b.jpg").read_bytes() == b"pet"


def test_what_a_library_says_of_a_name_without_end_is_cut(tmp_path: Path) -> None:
    """An entry's own header has another name than the list."""
    own = zipped({"x" * 60_000: b"y"})
    name = own.index(b"PK\x01\x02") + 46
    end = bytearray(own[own.index(b"PK\x05\x06") :])
    listed = bytearray(own[name - 46 : name] + b"Q.jpg")
    struct.pack_into("<H", listed, 28, 5)
    struct.pack_into("<L", end, 12, len(listed))
    said = refused(tmp_path, own[: name - 46] + bytes(listed) + bytes(end))
    assert "'Q.jpg' and header" in said
    assert len(said) < 500


def test_a_disk_that_is_full_before_the_first_file_is_called_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: object, **_more: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "mkdir", fail)
    (tmp_path / "archive").write_bytes(zipped(FILES))
    with pytest.raises(DiskFull):
        extract_archive(tmp_path / "archive", tmp_path / "to")


def test_a_name_without_end_is_cut_in_what_is_said(tmp_path: Path) -> None:
    def change(member: tarfile.TarInfo) -> None:
        member.type, member.linkname = tarfile.SYMTYPE, "x"

    assert len(refused(tmp_path, tarred({"a/" * 5000 + "b.jpg": b""}, change=change))) < 400
