"""From a photo's bytes to a model's input at once: for JPEGs that are proved cheap, on a decoder made for them.

What presizing and validation's resize do one after the other is one map (``ml.decode.input_map``). A large photo is
decoded at a part of its scale, as long as that leaves clearly more pixels than presizing would.
"""

from ml.decode.images import Limits
from ml.decode.input_map import Floats, input_map, resampled
from ml.decode.picture_limits import DECODING
from ml.decode.quick_jpeg import JpegFile, Square
from ml.decode.views import Pixels

FACTORS = (4, 2)
"""A large photo is decoded at a quarter or half of its scale. An eighth costs little less: reading the bits is what is
left."""
MARGIN = 1.9
"""Least decoded pixels for one of the presized square; with 1.3 to 1.6, unsure probabilities moved by up to 0.04."""


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
    file = JpegFile.of(data, limits, presize, decoding)
    if file is None:
        return None
    factor = _factor(file.square.side, presize)
    pixels = file.pixels(factor)
    return None if pixels is None else file.turn.of(_mapped(pixels, file.square, factor, size, presize))


def _factor(side: int, presize: int) -> int:
    """The part of its scale at which the picture may be decoded."""
    return next((factor for factor in FACTORS if side >= factor * MARGIN * presize), 1)


def _mapped(pixels: Pixels, square: Square, factor: int, size: int, presize: int) -> Floats:
    top, before_rows = divmod(square.top, factor)
    left, before_columns = divmod(square.left, factor)
    rows = input_map(square.side, presize, size, factor, before_rows)
    columns = input_map(square.side, presize, size, factor, before_columns)
    return resampled(pixels[top : top + rows.length, left : left + columns.length], rows, columns)
