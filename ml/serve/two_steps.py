"""Validation's own two steps, presizing and its resize, by programs that are quicker and round as it does.

Pillow's filter is torch's too, with the same rounding after each axis: on photos of 500 pixels 2 of 1,000 values
differ, by a level or two. It takes a third of the time.
"""

from functools import lru_cache

import numpy as np
import torch
from torch.nn.functional import interpolate

from ml.decode.images import Limits
from ml.decode.input_map import Floats
from ml.decode.picture_limits import DECODING
from ml.decode.quick_jpeg import JpegFile
from ml.decode.views import Pixels
from ml.line_map import LineMap, validation_steps


def two_steps(data: bytes, limits: Limits, size: int, presize: int, decoding: int = DECODING) -> Floats | None:
    """The photo as a model sees it in validation: float32 [size, size, 3] in 0-255. None: it is not for this way.

    Args:
        data: the file's bytes.
        limits: checked as ``ml.decode.images.view`` checks them.
        size: side of the model's input.
        presize: side of the square that the picture is scaled to first.
        decoding: how the model's pictures were read.

    Raises:
        ImageRejected: as ``view`` where bytes and header show it. Pixels that are broken are left to ``view``.
    """
    file = JpegFile.of(data, limits, presize, decoding)
    pixels = None if file is None else file.pixels()
    if file is None or pixels is None:
        return None
    top, left, side = file.square.top, file.square.left, file.square.side
    return file.turn.of(_resized(_presized(pixels[top : top + side, left : left + side], presize), size))


def _presized(square: Pixels, presize: int) -> Pixels:
    """[side, side, 3] → [presize, 3, presize]: rows first, as the next step takes them."""
    planes = torch.from_numpy(np.ascontiguousarray(square)).permute(2, 0, 1)[None]
    scaled = interpolate(planes, (presize, presize), mode="bilinear", antialias=True)[0]
    found: Pixels = scaled.permute(1, 0, 2).contiguous().numpy()
    return found


def _resized(rows: Pixels, size: int) -> Floats:
    """[presize, 3, presize] → float32 [size, size, 3]."""
    presize = len(rows)
    line = _line(presize, size)
    planes = line.along(rows).reshape(3, presize, size)
    out = np.empty((size, size, 3), np.float32)
    for channel, plane in enumerate(planes):
        out[..., channel] = line.along(plane)
    return out


@lru_cache(4)
def _line(presize: int, size: int) -> LineMap:
    return LineMap.of(*validation_steps(presize, size))
