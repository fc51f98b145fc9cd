"""An archive of pictures in two breeds, changed by a seed: what is in it, its own bytes, or both."""

import random
import re
import struct
import tarfile
from collections.abc import Callable

from benchmarks.mutations.damage import ANY_FILE, NUMBERS, Damage
from benchmarks.mutations.entries import ODDITIES, as_they_are
from benchmarks.mutations.packing import (
    COMPRESSED,
    METHODS,
    TAR_FORMATS,
    Packed,
    overlapping_zip,
    tarred,
    with_header_checksums,
    zipped,
)

FILES = 6
_RECORD = re.compile(rb"PK(?:\x01\x02|\x03\x04|\x05\x06|\x07\x08)")
_HEADER_FIELDS = ((100, 8), (124, 12), (136, 12), (156, 1), (157, 100), (257, 8), (345, 155))
_SIZES = (
    b"77777777777\0",
    b"00000000000\0",
    b"\x80" + b"\xff" * 11,
    b"\xff" * 12,
    b"00000001000\0",
    b" 9\0xyz....\0\0",
)
_PAX = (
    b"30 path=../../outside_1.jpg\n",
    b"99999999999 path=x\n",
    b"18 size=99999999\n",
    b"0 path=x\n",
    b"-5 path=x\n",
    b"24 GNU.sparse.major=1\n\n\n",
    b"26 hdrcharset=\xff\xff nonsense\n",
    b"x" * 2000,
)


def zip_records(chance: random.Random, data: bytes, _other: bytes) -> bytes:
    """Numbers in the records of a zip: flags, methods, lengths, offsets, counts."""
    changed = bytearray(data)
    records = [found.start() for found in _RECORD.finditer(data)]
    for _ in range(chance.choice((1, 1, 2, 6))):
        form = chance.choice(("<H", "<H", "<I"))
        at = min(chance.choice(records) + 4 + 2 * chance.randrange(21), len(data) - 4)
        value = chance.choice((*NUMBERS, 9, 12, 14, 93, 99, len(data))) % (1 << 8 * struct.calcsize(form))
        changed[at : at + struct.calcsize(form)] = struct.pack(form, value)
    return bytes(changed)


def tar_headers(chance: random.Random, data: bytes, _other: bytes) -> bytes:
    """Fields of a tar's headers, with their checksums right again."""
    changed = bytearray(data)
    starts = [at for at in range(0, len(data) - 511, 512) if data[at + 257 : at + 262] == b"ustar"]
    for _ in range(chance.choice((1, 1, 3))):
        start = chance.choice(starts)
        at, size = chance.choice(_HEADER_FIELDS)
        value = chance.choice(
            (*_SIZES, chance.randbytes(size), b"gxLKSMVDN012346"[chance.randrange(15) :], bytes(size))
        )
        changed[start + at : start + at + min(size, len(value))] = value[:size]
    return with_header_checksums(bytes(changed))


def tar_extensions(chance: random.Random, data: bytes, _other: bytes) -> bytes:
    """Extended headers in front of an entry: other sizes, names, nonsense, and some that are said to be huge."""
    told = chance.choice(_PAX) * chance.choice((1, 1, 50))
    about = tarfile.TarInfo("x")
    about.type = chance.choice((tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK))
    about.size = chance.choice((len(told), len(told), 1 << 20, (8 << 30) - 1, 200 << 20))
    head = about.tobuf(tarfile.GNU_FORMAT)
    return (head + told + bytes(-len(told) % 512)) * chance.choice((1, 1, 20)) + data


def damaged_archive(chance: random.Random, originals: dict[str, list[bytes]]) -> tuple[str, str, bytes]:
    """What was done, the format, and the bytes."""
    entries = _entries(chance, originals)
    form = chance.choice((*COMPRESSED, *METHODS))
    kind = chance.choice(sorted(_KINDS))
    return kind, form, _KINDS[kind](chance, form, entries)


def _entries(chance: random.Random, originals: dict[str, list[bytes]]) -> list[Packed]:
    small = [data for files in originals.values() for data in files if len(data) < 64_000]  # noqa: PLR2004
    found = [Packed(f"breed {number % 2}/x_{number}.jpg", chance.choice(small)) for number in range(FILES)]
    listed = "".join(f"{entry.name},breed {number % 2}\n" for number, entry in enumerate(found))
    return [*found, Packed("labels.csv", f"filename,label\n{listed}".encode())]


def _made(chance: random.Random, form: str, entries: list[Packed]) -> bytes:
    if form in METHODS:
        return zipped(entries, METHODS[form])
    return COMPRESSED[form](tarred(entries, chance.choice(TAR_FORMATS)))


def _with(oddity: str) -> Callable[[random.Random, str, list[Packed]], bytes]:
    def make(chance: random.Random, form: str, entries: list[Packed]) -> bytes:
        return _made(chance, form, ODDITIES[oddity](chance, entries))

    return make


def _changed(damage: Damage) -> Callable[[random.Random, str, list[Packed]], bytes]:
    """The archive's own bytes, or those of the tar before it is compressed."""

    def make(chance: random.Random, form: str, entries: list[Packed]) -> bytes:
        other = _made(chance, chance.choice((*COMPRESSED, *METHODS)), entries[:2])
        if form in METHODS or chance.random() < 0.5:  # noqa: PLR2004
            return damage(chance, _made(chance, form, entries), other)
        return COMPRESSED[form](damage(chance, tarred(entries, chance.choice(TAR_FORMATS)), other))

    return make


def _fields(chance: random.Random, form: str, entries: list[Packed]) -> bytes:
    if form in METHODS:
        return zip_records(chance, _made(chance, form, entries), b"")
    change = chance.choice((tar_headers, tar_extensions))
    return COMPRESSED[form](change(chance, tarred(entries, chance.choice(TAR_FORMATS)), b""))


def _within(chance: random.Random, form: str, entries: list[Packed]) -> bytes:
    inner = _made(chance, form, entries)
    for _ in range(chance.choice((1, 2, 10))):
        inner = _made(chance, form, [Packed(chance.choice(("a.zip", "breed/x_1.jpg", "labels.csv")), inner), *entries])
    return inner


def _overlapping(chance: random.Random, _form: str, entries: list[Packed]) -> bytes:
    content = chance.choice((entries[0].content, bytes(4 << 20)))
    return overlapping_zip(content, chance.choice((2, 20, 300, 3000)))


def _both(chance: random.Random, form: str, entries: list[Packed]) -> bytes:
    oddity = ODDITIES[chance.choice(sorted(ODDITIES.keys() - {"bombs"}))]
    damage = ANY_FILE[chance.choice(sorted(ANY_FILE))]
    return damage(
        chance, _made(chance, form, oddity(chance, entries)), _made(chance, form, as_they_are(chance, entries))
    )


_KINDS: dict[str, Callable[[random.Random, str, list[Packed]], bytes]] = {
    **{name: _with(name) for name in ODDITIES},
    **{name: _changed(damage) for name, damage in ANY_FILE.items()},
    "fields of headers overwritten": _fields,
    "archives within archives": _within,
    "a list that names one file many times": _overlapping,
    "odd entries, and bytes changed": _both,
}
