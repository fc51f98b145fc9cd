import os
import subprocess
import tarfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest

from backup.container import Writer, content, entries, header
from backup.description import BackupInvalid


def written(**parts: bytes) -> bytes:
    file = BytesIO()
    writer = Writer(file)
    for name, data in parts.items():
        writer.add(name, iter([data[:3], data[3:]]))
    writer.close()
    return file.getvalue()


def read(data: bytes) -> dict[str, bytes]:
    file = BytesIO(data)
    return {entry.name: b"".join(content(file, entry)) for entry in list(entries(file, len(data)))}


def test_what_was_written_is_read_and_tar_reads_it_too(tmp_path: Path) -> None:
    parts = {"head": b"", "rows": b"abc\n", "photo": os.urandom(2000)}
    assert read(written(**parts)) == parts
    (tmp_path / "it.tar").write_bytes(written(**parts))
    subprocess.run(["/usr/bin/env", "tar", "xf", "it.tar"], cwd=tmp_path, check=True)
    assert {name: (tmp_path / name).read_bytes() for name in parts} == parts


def test_what_breaks_off_in_the_middle_of_an_entry_leaves_nothing_of_it() -> None:
    def breaks() -> Iterator[bytes]:
        yield b"x" * 5000
        raise ZeroDivisionError

    file = BytesIO()
    writer = Writer(file)
    writer.add("one", iter([b"1"]))
    with pytest.raises(ZeroDivisionError):
        writer.add("two", breaks())
    writer.add("three", iter([b"3"]))
    writer.close()
    assert read(file.getvalue()) == {"one": b"1", "three": b"3"}


def test_no_part_of_it_is_taken_for_the_whole() -> None:
    whole = written(head=b"12345", rows=b"6" * 600)
    for length in range(0, len(whole), 7):
        with pytest.raises(BackupInvalid):
            read(whole[:length])
    with pytest.raises(BackupInvalid, match="does not end"):
        read(whole + b"\0")


def test_a_flipped_bit_outside_of_the_content_is_seen() -> None:
    whole = written(head=b"12345", rows=b"6" * 600)
    is_content = {*range(512, 517), *range(1536, 2136)}
    for place in set(range(len(whole))) - is_content:
        changed = bytearray(whole)
        changed[place] ^= 4
        with pytest.raises(BackupInvalid):
            read(bytes(changed))


def entry_of(**fields: object) -> bytes:
    entry = tarfile.TarInfo("head")
    entry.mode = 0o600
    for name, value in fields.items():
        setattr(entry, name, value)
    return entry.tobuf(tarfile.GNU_FORMAT)


@pytest.mark.parametrize(
    "fields",
    [
        {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"},
        {"type": tarfile.LNKTYPE, "linkname": "head"},
        {"type": tarfile.DIRTYPE},
        {"type": tarfile.CHRTYPE},
        {"type": tarfile.FIFOTYPE},
        {"mode": 0o4755},
        {"uid": 5},
        {"mtime": 7},
        {"uname": "root"},
        {"name": "n" * 200},
        {"size": -1},
        {"size": 2**62},
    ],
)
def test_nothing_but_plain_files_as_we_write_them_is_read(fields: dict[str, object]) -> None:
    block = entry_of(**fields)
    with pytest.raises(BackupInvalid):
        read(written(head=b"1")[:1024] + block + bytes(4096))


def test_a_size_of_many_gigabytes_has_its_place() -> None:
    entry = next(entries(BytesIO(header("files/x", 2**40) + bytes(600)), 2**41))
    assert (entry.name, entry.bytes, entry.start) == ("files/x", 2**40, 512)
