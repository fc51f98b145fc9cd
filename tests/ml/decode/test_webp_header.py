"""The size that a WebP's header says, of each of its three kinds, is the size that Pillow finds."""

from typing import Any

import pytest
from PIL import Image

from ml.decode.webp_header import webp_pixels
from tests.ml.pictures import encoded

KINDS: dict[bytes, tuple[str, dict[str, Any]]] = {
    b"VP8 ": ("RGB", {}),
    b"VP8L": ("RGB", {"lossless": True}),
    b"VP8X": ("RGB", {"exif": b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0"}),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [(1, 1), (257, 131), (16383, 3), (2, 16383)])
def test_it_is_the_picture_s(kind: bytes, size: tuple[int, int]) -> None:
    mode, options = KINDS[kind]
    data = encoded(Image.new(mode, size), "WEBP", **options)
    assert data[12:16] == kind
    assert webp_pixels(data) == size[0] * size[1]


@pytest.mark.parametrize("data", [b"", b"RIFF", b"RIFF\0\0\0\0WEBPVP8 ", encoded(Image.new("RGB", (9, 9)))])
def test_what_is_no_whole_header_has_none(data: bytes) -> None:
    assert webp_pixels(data) is None
