"""What may happen to a file of any kind: functions from a generator, its bytes and another file's to other bytes."""

import random
import struct
from collections.abc import Callable

MOST_BYTES = 8 << 20
"""Of a file that repeats grow."""
_HEAD_BYTES = 600
"""Where most formats say how large everything is."""
NUMBERS = (0, 1, 2, 7, 8, 255, 256, 32_767, 32_768, 65_535, 65_536, 1 << 24, (1 << 31) - 1, 1 << 31, (1 << 32) - 1)
_INTEGERS = ("<H", ">H", "<I", ">I", "<Q", ">Q")

Damage = Callable[[random.Random, bytes, bytes], bytes]


def bits_flipped(chance: random.Random, data: bytes, _other: bytes) -> bytes:
    """Up to 64 bits, in the head or anywhere."""
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 8, 64))):
        changed[place(chance, data)] ^= 1 << chance.randrange(8)
    return bytes(changed)


def cut_short(chance: random.Random, data: bytes, _other: bytes) -> bytes:
    """The file ends early."""
    return data[: chance.choice((chance.randrange(len(data)), place(chance, data), len(data) - 1))]


def spliced(chance: random.Random, data: bytes, other: bytes) -> bytes:
    """The front of one file and the back of another."""
    return data[: chance.randrange(len(data) + 1)] + other[chance.randrange(len(other) + 1) :]


def numbers_overwritten(chance: random.Random, data: bytes, _other: bytes) -> bytes:
    """Lengths, counts and offsets, wherever they are: up to eight numbers, most of them extreme."""
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 8))):
        form = chance.choice(_INTEGERS)
        size = struct.calcsize(form)
        value = chance.choice((*NUMBERS, len(data), chance.randrange(1 << 16))) % (1 << 8 * size)
        at = min(place(chance, data), max(0, len(data) - size))
        changed[at : at + size] = struct.pack(form, value)
    return bytes(changed)


def run_overwritten(chance: random.Random, data: bytes, _other: bytes) -> bytes:
    """Some bytes in a row become zeros, ones or noise."""
    at, count = place(chance, data), chance.choice((1, 4, 64, 4096))
    run = chance.choice((bytes(count), b"\xff" * count, chance.randbytes(count)))
    return data[:at] + run + data[at + count :]


def run_removed(chance: random.Random, data: bytes, _other: bytes) -> bytes:
    """Some bytes in a row are gone: what follows stands too early."""
    at = place(chance, data)
    return data[:at] + data[at + chance.choice((1, 2, 16, 512)) :]


def run_repeated(chance: random.Random, data: bytes, _other: bytes) -> bytes:
    """Some bytes in a row come again and again."""
    at = place(chance, data)
    run = data[at : at + chance.choice((1, 16, 512, 16_384))]
    times = min(chance.choice((1, 2, 30, 3000)), MOST_BYTES // max(1, len(run)))
    return data[:at] + run * times + data[at:]


def place(chance: random.Random, data: bytes) -> int:
    """Somewhere in the file, every second time in its head."""
    return chance.randrange(max(1, min(len(data), _HEAD_BYTES) if chance.random() < 0.5 else len(data)))  # noqa: PLR2004


ANY_FILE: dict[str, Damage] = {
    "bits flipped": bits_flipped,
    "cut short": cut_short,
    "two files spliced": spliced,
    "numbers overwritten": numbers_overwritten,
    "bytes overwritten": run_overwritten,
    "bytes removed": run_removed,
    "bytes repeated": run_repeated,
}
