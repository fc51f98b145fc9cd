"""Names and kinds of an archive's entries, as other programs write them."""

import io
import lzma
import random
import shutil
import struct
import tarfile
import unicodedata
import zipfile
import zlib
from pathlib import Path

import pytest

from ml.errors import ArchiveRejected
from ml.unpack.archive import extract_archive
from ml.unpack.entry_names import ENCODINGS, known_encoding
from tests.ml.unpack.test_archive import FILES, refused, tarred


def dosed(files: list[tuple[bytes, bytes, bytes]], flag: int = 0, method: int = 0) -> bytes:
    """A zip by hand, whose names are bytes as they come: (name, content, extra fields)."""
    out = listed = b""
    for name, content, extra in files:
        sizes = struct.pack("<LLLHH", zlib.crc32(content), len(content), len(content), len(name), len(extra))
        entry = struct.pack("<HHHHH", 20, flag, method, 0, 0x21)
        listed += b"PK\x01\x02\x14\0" + entry + sizes + struct.pack("<HHHLL", 0, 0, 0, 0, len(out)) + name + extra
        out += b"PK\x03\x04" + entry + sizes + name + extra + content
    end = struct.pack("<4s4HLLH", b"PK\x05\x06", 0, 0, len(files), len(files), len(listed), len(out), 0)
    return out + listed + end


def names_of(tmp_path: Path, data: bytes, encoding: str | None = None) -> tuple[list[str], str | None]:
    """The names of what an archive unpacks to, and what was said of them."""
    (tmp_path / "archive").write_bytes(data)
    said = extract_archive(tmp_path / "archive", tmp_path / "out", encoding=encoding)
    return sorted(path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*")), said


def unicode_path(raw: bytes, name: str) -> bytes:
    """Info-ZIP's extra field for a name whose bytes are ``raw``."""
    content = struct.pack("<BL", 1, zlib.crc32(raw)) + name.encode()
    return struct.pack("<HH", 0x7075, len(content)) + content


def test_names_that_are_utf8_without_the_flag_are_read_so(tmp_path: Path) -> None:
    name = unicodedata.normalize("NFD", "Löwchen_1.jpg")
    assert names_of(tmp_path, dosed([(name.encode(), b"x", b"")])) == ([name], None)


@pytest.mark.parametrize("encoding", ["cp932", "gbk", "cp866", "cp850", "euc-kr", "Shift_JIS", "windows-1251"])
def test_names_in_another_encoding_are_told_and_read_where_it_is_given(tmp_path: Path, encoding: str) -> None:
    letters = {"cp932": "柴犬", "Shift_JIS": "柴犬", "gbk": "柴犬", "euc-kr": "진돗개", "cp850": "Löwchen"}
    name = f"{letters.get(encoding, 'овчарка')}_1.jpg"
    data = dosed([(name.encode(encoding), b"x", b""), (b"pug_1.jpg", b"y", b"")])
    found, said = names_of(tmp_path, data)
    assert name.encode(encoding).decode("cp437") in found
    assert said is not None
    assert said.startswith("1 names in the zip do not say their encoding")
    shutil.rmtree(tmp_path / "out")
    assert names_of(tmp_path, data, known_encoding(encoding)) == (sorted([name, "pug_1.jpg"]), None)


def test_what_a_zip_says_of_a_name_wins(tmp_path: Path) -> None:
    raw = "柴犬_1.jpg".encode("cp932")
    assert names_of(tmp_path, dosed([(raw, b"x", unicode_path(raw, "秋田_1.jpg"))]), "cp866")[0] == ["秋田_1.jpg"]
    shutil.rmtree(tmp_path / "out")
    # A tool that renamed the entry and kept the field: its checksum is another name's.
    assert names_of(tmp_path, dosed([(b"pug_1.jpg", b"x", unicode_path(raw, "秋田_1.jpg"))]))[0] == ["pug_1.jpg"]
    shutil.rmtree(tmp_path / "out")
    flagged = dosed([("柴犬_1.jpg".encode(), b"x", b"")], flag=0x800)
    assert names_of(tmp_path, flagged, "cp866") == (["柴犬_1.jpg"], None)


@pytest.mark.parametrize("extra", [b"\x75\x70\x01\0\x01", b"u", b"\x01\0\0\0"])
def test_a_broken_extra_field_is_passed_over(tmp_path: Path, extra: bytes) -> None:
    assert names_of(tmp_path, dosed([("Löwchen_1.jpg".encode(), b"x", extra)]))[0] == ["Löwchen_1.jpg"]


def test_a_name_that_is_not_in_the_given_encoding_is_refused(tmp_path: Path) -> None:
    (tmp_path / "archive").write_bytes(dosed([(b"\x81_1.jpg", b"x", b"")]))
    with pytest.raises(ArchiveRejected, match=r"the name \\x81_1.jpg is not cp1252"):
        extract_archive(tmp_path / "archive", tmp_path / "out", encoding="cp1252")


def test_a_path_that_leads_outside_in_its_own_encoding_is_refused(tmp_path: Path) -> None:
    raw = b"good_1.jpg"
    assert "outside" in refused(tmp_path, dosed([(raw, b"x", unicode_path(raw, "../evil.jpg"))]))


def test_a_tars_names_are_read_in_the_given_encoding(tmp_path: Path) -> None:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w", format=tarfile.USTAR_FORMAT, encoding="gbk") as tar:
        tar.addfile(tarfile.TarInfo("柴犬_1.jpg"), io.BytesIO())
    assert names_of(tmp_path, data.getvalue(), "gbk")[0] == ["柴犬_1.jpg"]
    with pytest.raises(ArchiveRejected, match="is not utf_8"):
        extract_archive(tmp_path / "archive", tmp_path / "other", encoding="utf_8")


@pytest.mark.parametrize("name", ["rot13", "utf-16", "idna", "../codecs", "", "a" * 200, "utf-8\0", "zip", "mbcs"])
def test_what_no_names_are_written_in_is_no_encoding(name: str) -> None:
    with pytest.raises(ValueError, match="is no encoding"):
        known_encoding(name)


def test_every_listed_encoding_is_one_of_pythons() -> None:
    assert {name: "".encode(name) for name in ENCODINGS} == dict.fromkeys(ENCODINGS, b"")
    assert [known_encoding(name) for name in ("UTF-8", "utf8", "MS932", "sjis", "latin1")] == [
        "utf_8", "utf_8", "cp932", "shift_jis", "latin_1",
    ]  # fmt: skip


def test_a_windows_zips_folders_are_folders(tmp_path: Path) -> None:
    files = [
        (b"pets\\", b"", b""),
        (b"pets\\pug\\", b"", b""),
        (b"pets\\pug\\1.jpg", b"x", b""),
        (b"empty\\", b"", b""),
    ]
    assert names_of(tmp_path, dosed(files))[0] == ["empty", "pets", "pets/pug", "pets/pug/1.jpg"]
    assert (tmp_path / "out/empty").is_dir()


def test_a_folder_may_be_told_by_its_attributes_alone(tmp_path: Path) -> None:
    data = bytearray(dosed([(b"pets", b"", b""), (b"pets/1.jpg", b"x", b"")]))
    struct.pack_into("<L", data, data.index(b"PK\x01\x02") + 38, 0x10)
    assert names_of(tmp_path, bytes(data))[0] == ["pets", "pets/1.jpg"]


def test_a_folder_with_content_is_refused(tmp_path: Path) -> None:
    assert "named as a folder and has 3 bytes" in refused(tmp_path, dosed([(b"pets\\", b"pet", b"")]))


@pytest.mark.parametrize(
    ("method", "name"),
    [(9, "Deflate64"), (12, "bzip2"), (14, "LZMA"), (93, "Zstandard"), (98, "PPMd"), (77, "unknown")],
)
def test_a_method_that_is_not_read_is_named_with_a_way_out(tmp_path: Path, method: int, name: str) -> None:
    said = refused(tmp_path, dosed([(b"1.jpg", b"x", b"")], method=method))
    assert f"method {method} (" in said
    assert name in said
    assert "7-Zip" in said


def hungry_xz(content: bytes) -> bytes:
    """A stream that wants a dictionary of 1 GiB."""
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 1 << 20}]
    data = bytearray(lzma.compress(content, filters=filters))
    # The block's header: its size, flags, the filter, one byte of properties, which is the dictionary's size.
    at = 12 + 4
    assert data[at - 2 : at] == b"\x21\x01"
    data[at] = 36
    data[20:24] = struct.pack("<L", zlib.crc32(data[12:20]))
    return bytes(data)


@pytest.mark.parametrize("before", [0, 1, 2])
def test_each_stream_of_an_xz_has_the_limit_of_memory(tmp_path: Path, before: int) -> None:
    plain = lzma.compress(bytes(512))
    assert "emory" in refused(tmp_path, plain * before + hungry_xz(bytes(512)))


def test_an_xz_of_several_streams_is_read_whole(tmp_path: Path) -> None:
    data = tarred(FILES)
    packed = [lzma.compress(data[at : at + 700]) for at in range(0, len(data), 700)]
    (tmp_path / "archive").write_bytes(bytes(8).join(packed) + bytes(4))
    extract_archive(tmp_path / "archive", tmp_path / "out")
    assert {f"pets/{path.name}": path.read_bytes() for path in (tmp_path / "out/pets").iterdir()} == FILES


def test_a_padded_bomb_is_refused_by_its_ratio(tmp_path: Path) -> None:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("padding", random.Random(1).randbytes(4 << 20))  # noqa: S311 - no secret
        archive.writestr("bomb", bytes(100 << 20), zipfile.ZIP_DEFLATED)
    assert "20 times its size" in refused(tmp_path, data.getvalue())


def test_a_nul_in_a_name_that_is_told_in_utf8_is_refused(tmp_path: Path) -> None:
    data = dosed([(b"a.jpg", b"x", unicode_path(b"a.jpg", "ä.jpg\0.exe"))])
    assert "has a NUL in it" in refused(tmp_path, data)


def test_a_name_of_ascii_keeps_its_separators_in_every_encoding(tmp_path: Path) -> None:
    """JIS X 0213 has a yen sign in the backslash's place."""
    times = struct.pack("<HHBL", 0x5455, 5, 1, 0)
    data = dosed([(b"dogs\\pug_1.jpg", b"x", times), ("猫/b.jpg".encode("shift_jisx0213"), b"y", b"")])
    assert "dogs/pug_1.jpg" in names_of(tmp_path, data, "shift_jisx0213")[0]
