"""The size that a WebP file says of itself: its reader takes memory for all of it before it tells anyone."""

import struct

_SIDE = 0x3FFF


def webp_pixels(data: bytes) -> int | None:
    """Width times height of the canvas, None where the bytes are no WebP."""
    if data[:4] != b"RIFF" or data[8:12] != b"WEBP" or len(data) < 30:  # noqa: PLR2004
        return None
    kind = data[12:16]
    if kind == b"VP8X":
        return (1 + int.from_bytes(data[24:27], "little")) * (1 + int.from_bytes(data[27:30], "little"))
    if kind == b"VP8L":
        bits = struct.unpack_from("<I", data, 21)[0]
        return int(((bits & _SIDE) + 1) * ((bits >> 14 & _SIDE) + 1))
    width, height = struct.unpack_from("<HH", data, 26)
    return int((width & _SIDE) * (height & _SIDE))
