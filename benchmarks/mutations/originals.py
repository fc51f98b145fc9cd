"""Whole pictures of every format that is read, to begin with."""

import io
import random
from pathlib import Path
from typing import Any

import pillow_heif
from PIL import Image

from ml.breeds import BREEDS
from ml.sample.draw import draw_picture

DRAWN = 3
PHOTOS = 12
_FORMS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "JPEG": ("RGB", "JPEG", {"quality": 90}),
    "JPEG, progressive": ("RGB", "JPEG", {"quality": 80, "progressive": True}),
    "JPEG, grey": ("L", "JPEG", {"quality": 90}),
    "JPEG, CMYK": ("CMYK", "JPEG", {"quality": 90}),
    "JPEG with Exif": ("RGB", "JPEG", {"quality": 90, "exif": True}),
    "PNG": ("RGB", "PNG", {}),
    "PNG, transparent": ("RGBA", "PNG", {}),
    "PNG, palette": ("P", "PNG", {}),
    "PNG, 16 bits": ("I;16", "PNG", {}),
    "GIF": ("P", "GIF", {}),
    "GIF, animated": ("P", "GIF", {"save_all": True}),
    "WebP": ("RGB", "WEBP", {"quality": 80}),
    "WebP, lossless": ("RGBA", "WEBP", {"lossless": True}),
    "WebP, animated": ("RGB", "WEBP", {"save_all": True}),
    "BMP": ("RGB", "BMP", {}),
    "TIFF": ("RGB", "TIFF", {}),
    "TIFF, LZW": ("RGB", "TIFF", {"compression": "tiff_lzw"}),
    "TIFF, deflate": ("RGBA", "TIFF", {"compression": "tiff_adobe_deflate"}),
    "TIFF, JPEG": ("RGB", "TIFF", {"compression": "jpeg"}),
    "HEIC": ("RGB", "HEIF", {"quality": 70}),
    "AVIF": ("RGB", "AVIF", {"quality": 70, "speed": 8}),
    "JPEG 2000": ("RGB", "JPEG2000", {}),
    "JPEG 2000, stream": ("RGB", "JPEG2000", {"no_jp2": True}),
}
_ORIENTATION, _TURNED = 0x0112, 6


def original_pictures(photos: Path | None, seed: int) -> dict[str, list[bytes]]:
    """Drawn pictures in each format, and of a folder some photos: as they are, and written in each format.

    Args:
        photos: a folder of JPEGs.
        seed: chooses among them.
    """
    pillow_heif.register_heif_opener()
    drawn = [draw_picture(BREEDS[number], 1) for number in range(DRAWN)]
    found = sorted(photos.glob("*.jpg")) if photos is not None else []
    chosen = random.Random(seed).sample(found, min(PHOTOS, len(found)))  # noqa: S311 - no secret
    files = drawn + [path.read_bytes() for path in chosen]
    written = {form: [_written(file, *how) for file in files] for form, how in _FORMS.items()}
    return written | {"JPEG": [*files, *written["JPEG"]]}


def _written(file: bytes, mode: str, form: str, options: dict[str, Any]) -> bytes:
    picture = Image.open(io.BytesIO(file)).convert("RGB")
    picture = picture.convert("L").convert(mode) if mode == "I;16" else picture.convert(mode)
    if options.get("save_all"):
        turned = [picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT), picture.rotate(5)]
        options = options | {"append_images": turned}
    if options.get("exif"):
        exif = Image.Exif()
        exif[_ORIENTATION] = _TURNED
        options = options | {"exif": exif}
    out = io.BytesIO()
    picture.save(out, form, **options)
    return out.getvalue()
