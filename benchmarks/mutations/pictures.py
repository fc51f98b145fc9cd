"""A picture of any format that is read, changed by a seed."""

import random
import struct

from benchmarks.mutations.damage import ANY_FILE, MOST_BYTES, NUMBERS, Damage
from benchmarks.mutations.picture_parts import head_bytes, parts, sizes, with_checksums

SIDES = (*NUMBERS, 9, 100, 1000, 4000, 7000, 7141, 7142, 10_000, 16_383, 16_384, 30_000)
"""7141 is the side of the largest square that is accepted."""


def sizes_overwritten(chance: random.Random, data: bytes, _other: bytes) -> bytes:
    """Width, height, tiles or depth become other numbers; the pixels stay as they are."""
    changed = bytearray(data)
    fields = sizes(data)
    for at, form in chance.sample(fields, min(len(fields), chance.choice((1, 2, 2, 4)))):
        size = struct.calcsize(form)
        if at + size <= len(data):
            (told,) = struct.unpack_from(form, data, at)
            value = chance.choice((*SIDES, told + 1, told - 1, told * 2, told * 16, told // 2)) % (1 << 8 * size)
            changed[at : at + size] = struct.pack(form, value)
    return bytes(changed)


def part_repeated(chance: random.Random, data: bytes, _other: bytes) -> bytes:
    """A segment, chunk, box or tag comes again and again."""
    start, end = chance.choice(parts(data))
    part = data[start:end]
    return data[:end] + part * min(chance.choice((1, 2, 20, 1000)), MOST_BYTES // max(1, len(part))) + data[end:]


def part_removed(chance: random.Random, data: bytes, _other: bytes) -> bytes:
    """A segment, chunk, box or tag is gone."""
    start, end = chance.choice(parts(data))
    return data[:start] + data[end:]


def part_of_another(chance: random.Random, data: bytes, other: bytes) -> bytes:
    """A segment, chunk, box or tag of another picture stands among its own, or in the place of one."""
    start, end = chance.choice(parts(data))
    first, last = chance.choice(parts(other))
    return data[:start] + other[first:last] + data[chance.choice((start, end)) :]


def parts_in_another_order(chance: random.Random, data: bytes, _other: bytes) -> bytes:
    """Two parts have changed places."""
    found = parts(data)
    (start, end), (first, last) = sorted(chance.choices(found, k=2))
    return data[:start] + data[first:last] + data[end:first] + data[start:end] + data[last:] if end <= first else data


def head_with_another_body(_chance: random.Random, data: bytes, other: bytes) -> bytes:
    """What one says of itself before the pixels of another."""
    return data[: head_bytes(data)] + other[head_bytes(other) :]


def numbers_in_a_part(chance: random.Random, data: bytes, _other: bytes) -> bytes:
    """The length of a part, or a number at its begin, is another."""
    start, end = chance.choice(parts(data))
    form = chance.choice((">I", ">H", "<I", "<H"))
    at = start + chance.randrange(max(1, min(16, end - start)))
    size = struct.calcsize(form)
    return data[:at] + struct.pack(form, chance.choice(NUMBERS) % (1 << 8 * size)) + data[at + size :]


ALONE: dict[str, Damage] = ANY_FILE | {
    "sizes overwritten": sizes_overwritten,
    "part repeated": part_repeated,
    "part removed": part_removed,
    "part of another picture": part_of_another,
    "parts in another order": parts_in_another_order,
    "head with another body": head_with_another_body,
    "numbers in a part overwritten": numbers_in_a_part,
}


def several(chance: random.Random, data: bytes, other: bytes) -> bytes:
    """Up to five things at once."""
    for _ in range(chance.randrange(2, 6)):
        data = ALONE[chance.choice(list(ALONE))](chance, data or other, other)
    return data


PICTURE_DAMAGE: dict[str, Damage] = ALONE | {"several of these": several}


def damaged_picture(chance: random.Random, originals: dict[str, list[bytes]]) -> tuple[str, str, bytes]:
    """What was done, the format, and the bytes; every second PNG has the checksums of what it has become."""
    form = chance.choice(sorted(originals))
    data = chance.choice(originals[form])
    other = chance.choice(originals[form if chance.random() < 0.5 else chance.choice(sorted(originals))])  # noqa: PLR2004
    kind = chance.choice(sorted(PICTURE_DAMAGE))
    changed = PICTURE_DAMAGE[kind](chance, data, other)
    return kind, form, with_checksums(changed) if chance.random() < 0.5 else changed  # noqa: PLR2004
