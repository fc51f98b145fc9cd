"""Whether a file's own bytes prove that decoding it costs little; what proves nothing is decoded in another process.

A proof holds for whatever the rest of the file is: it bounds memory by pixels that the decoder cannot exceed, and time
by pixels, scans and bytes. So it is made of the few facts of JPEG and PNG that the decoders read as they are read here.
"""

import re
import struct
from dataclasses import dataclass
from itertools import islice

from ml.decode.png_chunks import SIGNATURE, chunks
from ml.errors import ImageRejected

CHEAP_PIXELS = 16_000_000
CHEAP_PNG_PIXELS = 6_000_000
"""Laid on white, a transparent picture is held several times over."""
MOST_PARTS = 1024
"""Segments before a JPEG's first scan, or chunks of a PNG beyond one a kB: each costs objects and turns of a loop."""
MOST_PARSED_BYTES = 128 << 10
"""Of a JPEG's tables and of what Photoshop keeps in it: Pillow takes both apart in Python, entry by entry."""
_MOST_FILL = 64
CHEAP_WORK = 160_000_000
"""Pixels times scans that a thread decodes: some tenths of a second."""
MOST_WORK = 1_200_000_000
"""Pixels times scans at which a JPEG is refused: each scan passes over every block. A 50-megapixel photo in eleven
scans has half of that."""
MOST_MARKERS = 4096
"""Markers that are looked at for a refusal, in the first ``_MARKED_BYTES``. Photos in scans have some hundred."""
_MARKED_BYTES = 4 << 20
CHEAP_TAGS = 128
_BLOCK = 32
"""Pixels to which the decoder rounds a JPEG's sides up, at most."""

_SEQUENTIAL_OR_PROGRESSIVE = frozenset({0xC0, 0xC1, 0xC2})
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_START_OF_SCAN, _END, _EXIF = 0xDA, 0xD9, 0xE1
_TABLES, _PHOTOSHOP = 0xDB, 0xED
_LONE = frozenset({0x01, *range(0xD0, 0xD9)})
_SCAN = re.compile(rb"\xff\xda")
"""Three times as fast as ``bytes.count``."""
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_PALE = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"pHYs", b"tIME", b"bKGD",
                   b"sBIT", b"iCCP", b"cICP", b"hIST", b"tEXt", b"iTXt", b"eXIf"})  # fmt: skip
_EXIF_BYTES = 1 << 16
_PNG_START = 33


@dataclass(frozen=True)
class _Frame:
    """What stands before a JPEG's first scan; ``first_scan`` is where that begins."""

    width: int
    height: int
    kind: int
    bits: int
    is_plain: bool
    first_scan: int

    @property
    def work(self) -> int:
        """Pixels that one scan passes over at most."""
        return -(-self.width // _BLOCK) * -(-self.height // _BLOCK) * _BLOCK * _BLOCK


def is_cheap(data: bytes) -> bool:
    """Whether the bytes prove that a thread can decode them in little time and memory.

    Raises:
        ImageRejected: ``picture_too_costly``, for a JPEG of so many scans that it need not be tried.
    """
    if data.startswith(b"\xff\xd8\xff"):
        return _is_cheap_jpeg(data)
    return data.startswith(SIGNATURE) and _is_cheap_png(data)


def _is_cheap_jpeg(data: bytes) -> bool:
    frame = _frame(data)
    if frame is None:
        return False
    if frame.work <= CHEAP_PIXELS:
        cheap = CHEAP_WORK // max(_BLOCK * _BLOCK, frame.work)
        # Each scan begins with these two bytes, so there are no more scans than that.
        if sum(1 for _ in islice(_SCAN.finditer(data), cheap + 1)) <= cheap:
            return frame.is_plain and frame.bits == 8 and frame.kind in _SEQUENTIAL_OR_PROGRESSIVE  # noqa: PLR2004
    most = MOST_WORK // max(1, frame.work)
    if _scans(data, frame.first_scan, most) > most:
        detail = f"the JPEG of {frame.width}x{frame.height} pixels has more than {most} scans, each over all of them"
        raise ImageRejected("picture_too_costly", detail)
    return False


def _frame(data: bytes) -> _Frame | None:
    """The frame before the first scan, None where the markers are not as every decoder reads them."""
    found: tuple[int, int, int, int] | None = None
    exifs, plain, place, parts, parsed = 0, True, 2, 0, 0
    while place + 4 <= len(data):
        parts += 1
        start = place
        while place - start <= _MOST_FILL and data[place : place + 2] == b"\xff\xff":
            place += 1
        if parts > MOST_PARTS or place - start > _MOST_FILL:
            return None
        marker = data[place + 1] if place + 4 <= len(data) and data[place] == 0xFF else 0  # noqa: PLR2004
        if marker == _START_OF_SCAN:
            break
        if marker in _LONE or marker < 0xC0:  # noqa: PLR2004
            return None
        length = struct.unpack_from(">H", data, place + 2)[0]
        if marker in _FRAMES:
            if found is not None or length < 8 or place + 9 > len(data):  # noqa: PLR2004
                return None
            bits, height, width = struct.unpack_from(">BHH", data, place + 4)
            found = (marker, bits, height, width)
        elif 0xE0 <= marker <= 0xEF and not _is_light(data[place + 4 : place + 2 + length]):  # noqa: PLR2004
            plain = False
        exifs += marker == _EXIF and data.startswith(b"Exif\0\0", place + 4)
        parsed += length if marker in {_TABLES, _PHOTOSHOP} else 0
        place += 2 + length
    if found is None or place + 4 > len(data):
        return None
    kind, bits, height, width = found
    return _Frame(width, height, kind, bits, plain and exifs <= 1 and parsed <= MOST_PARSED_BYTES, place)


def _is_light(segment: bytes) -> bool:
    """Whether a segment with a directory of tags has few: each tag may be all of the segment."""
    for name in (b"Exif\0\0", b"MPF\0"):
        if segment.startswith(name):
            return few_tags(segment[len(name) :])
    return True


def few_tags(block: bytes) -> bool:
    """Whether the first directory of a TIFF block has few entries."""
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    if order is None or len(block) < 8:  # noqa: PLR2004
        return True
    place = struct.unpack_from(f"{order}I", block, 4)[0]
    if place + 2 > len(block):
        return True
    return bool(struct.unpack_from(f"{order}H", block, place)[0] <= CHEAP_TAGS)


def _scans(data: bytes, place: int, enough: int) -> int:
    """The scans of the first picture in the file, counted until they are more than enough, or the markers too many."""
    count = 0
    end = min(len(data), place + _MARKED_BYTES)
    for _ in range(MOST_MARKERS):
        found = _MARKER.search(data, place, end)
        if found is None or count > enough:
            break
        place, marker = found.end(), data[found.start() + 1]
        if marker == _END:
            break
        count += marker == _START_OF_SCAN
        if place + 2 <= len(data):
            place += struct.unpack_from(">H", data, place)[0]
    return count


def _is_cheap_png(data: bytes) -> bool:
    if data[12:16] != b"IHDR" or len(data) < _PNG_START:
        return False
    width, height = struct.unpack_from(">II", data, 16)
    if width * height > CHEAP_PNG_PIXELS:
        return False
    most = MOST_PARTS + len(data) // 1024
    for count, (kind, start, end) in enumerate(chunks(data)):
        if count > most or kind not in _PALE or (kind == b"iTXt" and not _is_uncompressed(data, start + 8, end)):
            return False
        if kind == b"eXIf" and (end - start > _EXIF_BYTES or not few_tags(data[start + 8 : end - 4])):
            return False
    return True


def _is_uncompressed(data: bytes, start: int, end: int) -> bool:
    name_ends = data.find(b"\0", start, end)
    return name_ends >= 0 and data[name_ends + 1 : name_ends + 2] == b"\0"
