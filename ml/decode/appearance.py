"""How a photo looks, in a few numbers that cost little: for counts of many, never for one."""

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

from ml.decode.picture_cost import is_cheap

SIDE = 256
"""The picture is looked at within a square of so many pixels."""
_LEAST = 3


@dataclass(frozen=True)
class Appearance:
    """Brightness and its spread (0 to 255), the spread of the Laplacian, and the size in the file, in pixels."""

    brightness: float
    contrast: float
    sharpness: float
    width: int
    height: int


def appearance(data: bytes) -> Appearance | None:
    """Look at a JPEG or PNG whose bytes prove that it costs little; None for any other."""
    try:
        return _look(data) if is_cheap(data) else None
    except Exception:  # noqa: BLE001 - a broken photo may raise anything, and one that is not looked at is missed by nobody
        return None


def _look(data: bytes) -> Appearance | None:
    image: Image.Image
    with Image.open(io.BytesIO(data), formats=("JPEG", "PNG")) as image:
        width, height = image.size
        image.draft("L", (SIDE, SIDE))  # JPEG alone: at a part of its size, and only its light
        grey = image.convert("L")
    if max(grey.size) > SIDE:
        scale = SIDE / max(grey.size)
        grey = grey.resize((max(1, int(grey.width * scale)), max(1, int(grey.height * scale))), Image.Resampling.BOX)
    pixels = np.asarray(grey, np.float32)
    if min(pixels.shape) < _LEAST:
        return None
    middle = 4 * pixels[1:-1, 1:-1]
    edges = middle - pixels[:-2, 1:-1] - pixels[2:, 1:-1] - pixels[1:-1, :-2] - pixels[1:-1, 2:]
    return Appearance(float(pixels.mean()), float(pixels.std()), float(edges.std()), width, height)
