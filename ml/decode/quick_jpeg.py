"""The validation square of a JPEG that is proved cheap, on a decoder made for JPEGs: the same pixels as Pillow's."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import simplejpeg
from PIL import Image

from ml.decode.images import Limits, check_cost
from ml.decode.picture_limits import DECODING
from ml.decode.pixels import Reader
from ml.decode.presize import crop_box
from ml.decode.views import Pixels

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Turn:
    """What makes a picture upright: rows in reverse, columns in reverse, then both axes swapped."""

    rows: bool = False
    columns: bool = False
    swap: bool = False

    def of(self, pixels: Floats) -> Floats:
        """The upright picture."""
        turned = pixels[:: -1 if self.rows else 1, :: -1 if self.columns else 1]
        return np.ascontiguousarray(turned.swapaxes(0, 1) if self.swap else turned)


_TURNS = {
    None: Turn(),
    Image.Transpose.FLIP_LEFT_RIGHT: Turn(columns=True),
    Image.Transpose.ROTATE_180: Turn(rows=True, columns=True),
    Image.Transpose.FLIP_TOP_BOTTOM: Turn(rows=True),
    Image.Transpose.TRANSPOSE: Turn(swap=True),
    Image.Transpose.ROTATE_270: Turn(rows=True, swap=True),
    Image.Transpose.TRANSVERSE: Turn(rows=True, columns=True, swap=True),
    Image.Transpose.ROTATE_90: Turn(columns=True, swap=True),
}


@dataclass(frozen=True)
class Square:
    """The validation square within a picture as it lies in its file, pixels."""

    left: int
    top: int
    side: int

    @classmethod
    def within(cls, width: int, height: int, turn: Turn, presize: int) -> Self:
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


@dataclass(frozen=True)
class JpegFile:
    """A JPEG by its header, and where in it the validation square lies."""

    data: bytes
    width: int
    height: int
    turn: Turn
    square: Square

    @classmethod
    def of(cls, data: bytes, limits: Limits, presize: int, decoding: int = DECODING) -> Self | None:
        """None: it is no JPEG, or none that is proved cheap, or not read by these rules.

        Args:
            data: the file's bytes.
            limits: checked as ``ml.decode.images.view`` checks them.
            presize: side of the square to which the exact way scales the picture first.
            decoding: how the model's pictures were read; a JPEG is read alike by all that are known.

        Raises:
            ImageRejected: as ``view`` where bytes and header show it.
        """
        if decoding > DECODING or not check_cost(data, limits):
            return None
        image, upright = Reader(limits).header(data)
        if image.format not in {"JPEG", "MPO"} or image.mode not in {"RGB", "L"}:
            return None
        turn = _TURNS[upright]
        return cls(data, *image.size, turn, Square.within(*image.size, turn, presize))

    def pixels(self, factor: int = 1) -> Pixels | None:
        """The whole picture as it lies in the file, at a part of its scale; None: what Pillow makes of it counts."""
        shape = (-(-self.height // factor), -(-self.width // factor), 3)
        try:
            pixels: Pixels = simplejpeg.decode_jpeg(self.data, min_height=shape[0], min_width=shape[1])
        except ValueError:
            # Broken, or of a kind that this decoder does not know.
            return None
        return pixels if pixels.shape == shape else None
