"""Small files that would cost much time or memory, made of what the formats allow."""

import io
import struct
import zlib

import numpy as np
from PIL import Image

from tests.ml.pictures import encoded, picture

_PNG = b"\x89PNG\r\n\x1a\n"


def png_chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def with_chunk(png: bytes, kind: bytes, content: bytes) -> bytes:
    """A PNG with one more chunk after its header."""
    return png[:33] + png_chunk(kind, content) + png[33:]


def scan_bomb(side: int, repeats: int) -> bytes:
    """A grey progressive JPEG whose last scan comes again and again."""
    data = encoded(Image.new("L", (side, side), 128), progressive=True, quality=50)
    start = data.rindex(b"\xff\xda")
    end = data.rindex(b"\xff\xd9")
    return data[:end] + data[start:end] * repeats + data[end:]


def marker_bomb() -> bytes:
    """A progressive JPEG of 163 megapixels with one scan, and then two million markers that say nothing."""
    frame = struct.pack(">BHHB", 8, 10_200, 16_000, 1) + bytes([1, 0x11, 0])
    scan = bytes([1, 1, 0, 0, 63, 0])
    head = b"\xff\xd8\xff\xc2" + struct.pack(">H", 2 + len(frame)) + frame
    return (head + b"\xff\xda" + struct.pack(">H", 2 + len(scan)) + scan).ljust(64, b"\0") + b"\xff\x01\0\0" * (2 << 20)


def slow_jpeg() -> bytes:
    """A megapixel in so many scans as are just not refused: most of a second of a core."""
    return scan_bomb(1000, 1100)


def tile_bomb(side: int, tile: int) -> bytes:
    """A deflated TIFF of side x side RGB pixels with one tile that is much larger."""
    data = zlib.compress(bytes(tile * tile * 3), 1)
    where = 8 + 6 + len(data) + len(data) % 2
    shape = {256: side, 257: side, 322: tile, 323: tile, 324: 14, 325: len(data)}
    entries = {
        **{tag: (4, 1, value) for tag, value in shape.items()},
        **{tag: (3, 1, value) for tag, value in {259: 8, 262: 2, 277: 3, 284: 1}.items()},
        258: (3, 3, 8),
    }
    fields = b"".join(
        struct.pack("<HHI", tag, kind, count)
        + (struct.pack("<HH", value, 0) if kind == 3 and count == 1 else struct.pack("<I", value))
        for tag, (kind, count, value) in sorted(entries.items())
    )
    head = b"II*\0" + struct.pack("<I", where) + struct.pack("<3H", 8, 8, 8) + data
    return head.ljust(where, b"\0") + struct.pack("<H", len(entries)) + fields + bytes(4)


def tag_bomb(entries: int, each: int) -> bytes:
    """A TIFF of many tags that all name the same bytes as their own."""
    fields = b"".join(struct.pack("<HHII", 1000 + number, 7, each, 8) for number in range(entries))
    where = 8 + each
    return b"II*\0" + struct.pack("<I", where) + bytes(each) + struct.pack("<H", entries) + fields + bytes(4)


def exif_bomb() -> bytes:
    """A JPEG whose Exif has thousands of tags of 60 kB each, all in the same bytes."""
    each, entries = 10_000, 4500
    return encoded(picture(), exif=b"Exif\0\0" + tag_bomb(entries, each)[:65_000])


def text_bomb() -> bytes:
    """A PNG with compressed texts of a gigabyte together."""
    packed = zlib.compress(bytes(8 << 20), 9)
    png = encoded(picture(), "PNG")
    for number in range(128):
        png = with_chunk(png, b"zTXt", b"note%d\0\0" % number + packed)
    return png


def animation(frames: int, side: int) -> bytes:
    """A GIF of many frames."""
    shades = [Image.new("L", (side, side), number % 256) for number in range(frames)]
    return encoded(shades[0], "GIF", save_all=True, append_images=shades[1:])


def noise(side: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8))


def is_read_by_pillow(data: bytes) -> bool:
    """Whether the file is a picture at all, so that a refusal is one of its cost."""
    return Image.open(io.BytesIO(data)).format is not None
