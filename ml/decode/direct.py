"""From a photo's bytes to a model's input at once: for JPEGs that are proved cheap, on a decoder made for them.

What presizing and validation's resize do one after the other is one map (``ml.decode.input_map``). A large photo is
decoded at a part of its scale, as long as that leaves clearly more pixels than presizing would.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import simplejpeg
from PIL import Image

from ml.decode.images import Limits, check_cost
from ml.decode.input_map import Floats, drawn, input_map
from ml.decode.picture_limits import DECODING
from ml.decode.pixels import Reader
from ml.decode.presize import crop_box
from ml.decode.views import Pixels

FACTORS = (4, 2)
"""A large photo is decoded at a quarter or half of its scale. An eighth costs little less: reading the bits is what is
left."""
MARGIN = 1.9
"""Least decoded pixels for one of the presized square; with 1.3 to 1.6, unsure probabilities moved by up to 0.04."""


@dataclass(frozen=True)
class _Turn:
    """What makes a picture upright: rows in reverse, columns in reverse, then both axes swapped."""

    rows: bool = False
    columns: bool = False
    swap: bool = False

    def of(self, pixels: Floats) -> Floats:
        """The upright picture."""
        turned = pixels[:: -1 if self.rows else 1, :: -1 if self.columns else 1]
        return np.ascontiguousarray(turned.swapaxes(0, 1) if self.swap else turned)


_TURNS = {
    None: _Turn(),
    Image.Transpose.FLIP_LEFT_RIGHT: _Turn(columns=True),
    Image.Transpose.ROTATE_180: _Turn(rows=True, columns=True),
    Image.Transpose.FLIP_TOP_BOTTOM: _Turn(rows=True),
    Image.Transpose.TRANSPOSE: _Turn(swap=True),
    Image.Transpose.ROTATE_270: _Turn(rows=True, swap=True),
    Image.Transpose.TRANSVERSE: _Turn(rows=True, columns=True, swap=True),
    Image.Transpose.ROTATE_90: _Turn(columns=True, swap=True),
}


@dataclass(frozen=True)
class _Square:
    """The validation square within a picture as it lies in its file, pixels."""

    left: int
    top: int
    side: int

    @classmethod
    def within(cls, width: int, height: int, turn: _Turn, presize: int) -> Self:
        """The one that is central once the picture is upright, which goes by that to the pixel."""
        sizes = (height, width) if turn.swap else (width, height)
        left, top, side, _ = crop_box(*sizes, presize, 0.5, 0.5)
        if turn.swap:
            left, top = top, left
        return cls(
            width - left - side if turn.columns else left,
            height - top - side if turn.rows else top,
            side,
        )

    def factor(self, presize: int) -> int:
        """The part of its scale at which the picture may be decoded."""
        return next((factor for factor in FACTORS if self.side >= factor * MARGIN * presize), 1)


def direct(data: bytes, limits: Limits, size: int, presize: int, decoding: int = DECODING) -> Floats | None:
    """The photo as a model sees it in validation: float32 [size, size, 3] in 0-255. None: it is not for this way.

    Args:
        data: the file's bytes.
        limits: checked as ``ml.decode.images.view`` checks them.
        size: side of the model's input.
        presize: side of the square to which the exact way scales the picture first.
        decoding: how the model's pictures were read; a JPEG is read alike by all that are known.

    Raises:
        ImageRejected: as ``view`` where bytes and header show it. Pixels that are broken are left to ``view``.
    """
    if decoding > DECODING or not check_cost(data, limits):
        return None
    image, upright = Reader(limits).header(data)
    if image.format not in {"JPEG", "MPO"} or image.mode not in {"RGB", "L"}:
        return None
    turn = _TURNS[upright]
    square = _Square.within(*image.size, turn, presize)
    factor = square.factor(presize)
    pixels = _decoded(data, *image.size, factor)
    return None if pixels is None else turn.of(_mapped(pixels, square, factor, size, presize))


def _decoded(data: bytes, width: int, height: int, factor: int) -> Pixels | None:
    shape = (-(-height // factor), -(-width // factor), 3)
    try:
        pixels: Pixels = simplejpeg.decode_jpeg(data, min_height=shape[0], min_width=shape[1])
    except ValueError:
        # Broken, or of a kind that this decoder does not know: what Pillow makes of it counts.
        return None
    return pixels if pixels.shape == shape else None


def _mapped(pixels: Pixels, square: _Square, factor: int, size: int, presize: int) -> Floats:
    top, before_rows = divmod(square.top, factor)
    left, before_columns = divmod(square.left, factor)
    rows = input_map(square.side, presize, size, factor, before_rows)
    columns = input_map(square.side, presize, size, factor, before_columns)
    return drawn(pixels[top : top + rows.length, left : left + columns.length], rows, columns)
