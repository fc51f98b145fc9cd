"""What is wanted of a decoded picture, said so that another process can be asked for it."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

from ml.decode.perceptual_hash import perceptual_hash
from ml.decode.placement import place, render
from ml.decode.presize import resize_square

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class View:
    """``size`` and ``positions`` are those of squares, ``size`` also of what is kept.

    ``whole`` is [h, w, 3], ``squares`` [n, size, size, 3], one for each position, ``kept`` as the presized cache keeps
    it, ``perceptual_hash`` its 16 bytes.
    """

    kind: Literal["whole", "squares", "kept", "perceptual_hash"] = "whole"
    size: int = 0
    positions: tuple[float, ...] = ()

    def of(self, image: Image.Image) -> Pixels:
        """The view of an upright RGB picture, uint8."""
        if self.kind == "squares":
            squares = [resize_square(image, self.size, position, position) for position in self.positions]
            return np.stack([np.array(square) for square in squares])
        if self.kind == "kept":
            return render(image, place(image.width, image.height, self.size))
        if self.kind == "perceptual_hash":
            return np.frombuffer(bytes.fromhex(perceptual_hash(image)), np.uint8)
        return np.asarray(image)


WHOLE = View()
PERCEPTUAL_HASH = View("perceptual_hash")
