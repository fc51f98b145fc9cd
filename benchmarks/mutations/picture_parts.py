"""Where the parts of a picture's file lie, and where it says how large it is."""

import re
import struct
import zlib
from collections.abc import Callable, Iterator

from ml.decode.png_chunks import SIGNATURE, chunks

Part = tuple[int, int]
Field = tuple[int, str]
"""Where a number lies, and as what."""
_BOXES_WITHIN = frozenset({b"meta", b"iprp", b"ipco", b"jp2h"})
_SIZES_OF_TIFF = frozenset({256, 257, 277, 278, 322, 323})


def parts(data: bytes) -> list[Part]:
    """First byte and end of each part; the whole file where its format has none that are known."""
    reader = _READERS.get(_signature(data))
    return (list(reader[0](data)) if reader is not None else []) or [(0, len(data))]


def sizes(data: bytes) -> list[Field]:
    """The numbers that say width, height, and what a picture is cut into."""
    reader = _READERS.get(_signature(data))
    return list(reader[1](data)) if reader is not None else []


def _signature(data: bytes) -> bytes:
    if data[4:8] in {b"ftyp", b"jP  "} or data.startswith(b"\xff\x4f"):
        return b"boxes"
    return next((name for name in _READERS if data.startswith(name)), b"")


def head_bytes(data: bytes) -> int:
    """How many bytes come before the pixels."""
    for mark in (b"\xff\xda", b"IDAT", b"mdat", b"jp2c", b"VP8 ", b"VP8L"):
        at = data.find(mark)
        if at > 0:
            return at
    return min(len(data), 54)


def with_checksums(data: bytes) -> bytes:
    """A PNG whose chunks have the right checksums; any other file as it is."""
    if not data.startswith(SIGNATURE):
        return data
    whole = SIGNATURE
    for _, start, end in chunks(data):
        body = data[start + 4 : end - 4]
        whole += data[start : start + 4] + body + struct.pack(">I", zlib.crc32(body))
    return whole


def _segments(data: bytes) -> Iterator[Part]:
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:  # noqa: PLR2004
        is_scan = data[at + 1] == 0xDA  # noqa: PLR2004
        end = len(data) - 2 if is_scan else at + 2 + struct.unpack_from(">H", data, at + 2)[0]
        yield at, min(end, len(data))
        at = end


def _sizes_of_jpeg(data: bytes) -> Iterator[Field]:
    for start, _ in _segments(data):
        if data[start + 1] in {0xC0, 0xC1, 0xC2}:
            yield from ((start + 5, ">H"), (start + 7, ">H"))


def _chunks_of_png(data: bytes) -> Iterator[Part]:
    return ((start, min(end, len(data))) for _, start, end in chunks(data))


def _sizes_of_png(_data: bytes) -> Iterator[Field]:
    return iter([(16, ">I"), (20, ">I")])


def _sizes_of_gif(data: bytes) -> Iterator[Field]:
    yield from ((6, "<H"), (8, "<H"))
    for frame in re.finditer(rb"\x2c\0\0\0\0", data):
        yield from ((frame.start() + 5, "<H"), (frame.start() + 7, "<H"))


def _sizes_of_bmp(_data: bytes) -> Iterator[Field]:
    return iter([(18, "<I"), (22, "<I"), (28, "<H")])


def _nothing(_data: bytes) -> Iterator[Part]:
    return iter(())


def _chunks_of_riff(data: bytes) -> Iterator[Part]:
    at = 12
    while at + 8 <= len(data):
        end = at + 8 + struct.unpack_from("<I", data, at + 4)[0]
        end += end % 2
        yield at, min(end, len(data))
        at = end


def _sizes_of_riff(data: bytes) -> Iterator[Field]:
    return ((start + 8 + at, "<H") for start, _ in _chunks_of_riff(data) for at in (4, 6, 7))


def _all_boxes(data: bytes) -> Iterator[Part]:
    return ((start, end) for _, start, end in _boxes(data, 0, len(data)))


def _boxes(data: bytes, at: int, until: int) -> Iterator[tuple[bytes, int, int]]:
    while at + 8 <= until:
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + length if length >= 8 else until  # noqa: PLR2004
        yield kind, at, min(end, until)
        if kind in _BOXES_WITHIN:
            yield from _boxes(data, at + (12 if kind == b"meta" else 8), min(end, until))
        at = end


def _tags(data: bytes) -> Iterator[tuple[int, int]]:
    order = "<" if data[:2] == b"II" else ">"
    at = struct.unpack_from(f"{order}I", data, 4)[0] if len(data) >= 8 else len(data)  # noqa: PLR2004
    if at + 2 > len(data):
        return
    for number in range(struct.unpack_from(f"{order}H", data, at)[0]):
        start = at + 2 + 12 * number
        if start + 12 <= len(data):
            yield start, struct.unpack_from(f"{order}H", data, start)[0]


def _fields_of_tiff(data: bytes) -> Iterator[Part]:
    return ((start, start + 12) for start, _ in _tags(data))


def _sizes_of_tiff(data: bytes) -> Iterator[Field]:
    form = "<I" if data[:2] == b"II" else ">I"
    return ((start + 8, form) for start, tag in _tags(data) if tag in _SIZES_OF_TIFF)


def _sizes_in_boxes(data: bytes) -> Iterator[Field]:
    for mark, places in ((b"ispe", (8, 12)), (b"ihdr", (4, 8)), (b"\xff\x51", (6, 10, 22, 26))):
        at = data.find(mark)
        yield from ((at + more, ">I") for more in places if at >= 0)


_READERS: dict[bytes, tuple[Callable[[bytes], Iterator[Part]], Callable[[bytes], Iterator[Field]]]] = {
    b"\xff\xd8": (_segments, _sizes_of_jpeg),
    SIGNATURE: (_chunks_of_png, _sizes_of_png),
    b"GIF8": (_nothing, _sizes_of_gif),
    b"BM": (_nothing, _sizes_of_bmp),
    b"RIFF": (_chunks_of_riff, _sizes_of_riff),
    b"II*\0": (_fields_of_tiff, _sizes_of_tiff),
    b"MM\0*": (_fields_of_tiff, _sizes_of_tiff),
    b"boxes": (_all_boxes, _sizes_in_boxes),
}
