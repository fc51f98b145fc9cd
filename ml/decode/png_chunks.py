"""A PNG without the chunks that say nothing of its pixels: texts and colour profiles, which may be long or bombs."""

import struct
from collections.abc import Iterator

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HEAD, _CHECK = 8, 4
_NEEDED = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"eXIf"})
_TEXTS = frozenset({b"tEXt", b"zTXt", b"iTXt"})
_TURNS = (b"XML:com.adobe.xmp\0", b"Raw profile type exif\0")
"""Texts that may say which way up the picture is."""


def chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Kind, first byte and end of each chunk, its length and checksum included, up to IEND or what is cut short."""
    place = len(SIGNATURE)
    while place + _HEAD <= len(data):
        length, kind = struct.unpack_from(">I4s", data, place)
        end = place + _HEAD + length + _CHECK
        yield kind, place, end
        if kind == b"IEND" or end > len(data):
            return
        place = end


def only_pixels(data: bytes, *, most_text: int) -> bytes:
    """The chunks that the pixels and their orientation need; texts about the latter up to ``most_text`` bytes each."""
    kept = [(start, end) for kind, start, end in chunks(data) if _matters(data, kind, start, end, most_text)]
    return SIGNATURE + b"".join(data[start:end] for start, end in kept)


def _matters(data: bytes, kind: bytes, start: int, end: int, most_text: int) -> bool:
    if kind in _TEXTS:
        return end - start <= most_text and data.startswith(_TURNS, start + _HEAD)
    # What is critical and unknown is for the decoder to refuse.
    return kind in _NEEDED or kind[:1].isupper()
