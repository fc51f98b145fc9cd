"""How a whole picture is kept at its presize: scaled so that its centre is exactly the validation square."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from ml.decode.presize import crop_box

REACH = 1
"""Squares kept on each side of the central one. A panorama would fill the disk, and a window far from its centre shows
no pet, so the long side ends at (1 + 2 * REACH) times the short one."""

_CHANNELS = 3


@dataclass(frozen=True)
class Placement:
    """A picture of source size ``width`` x ``height`` as it is kept: a row or column of up to three pieces.

    ``before``, ``size`` and ``after`` are the pieces' lengths in kept pixels along the long side; ``box`` is the
    central square (left, top, side) in source pixels.
    """

    width: int
    height: int
    size: int
    before: int
    after: int
    box: tuple[int, int, int]

    @property
    def wide(self) -> bool:
        """Whether the long side is the width."""
        return self.width > self.height

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels as kept."""
        long = self.before + self.size + self.after
        return (self.size, long, _CHANNELS) if self.wide else (long, self.size, _CHANNELS)

    @property
    def bytes(self) -> int:
        """What the kept picture takes."""
        height, width, channels = self.shape
        return height * width * channels

    @property
    def corner(self) -> tuple[int, int]:
        """Top and left of the central square, in kept pixels."""
        return (0, self.before) if self.wide else (self.before, 0)


def place(width: int, height: int, size: int) -> Placement:
    """Plan how a picture of width x height source pixels is kept with a short side of ``size`` pixels."""
    left, top, side, _ = crop_box(width, height, size, 0.5, 0.5)
    step = side / size
    start, long = (left, width) if width > height else (top, height)
    before = min(REACH * size, int(start / step))
    after = 0 if width == height else min(REACH * size, int((long - start - side) / step))
    return Placement(width, height, size, before, after, (left, top, side))


def render(image: Image.Image, placement: Placement) -> npt.NDArray[np.uint8]:
    """Scale a picture as planned: uint8 [h, w, 3] of ``placement.shape``.

    The centre is cut and then scaled, as fastai does it; what lies before and after is scaled on the same grid of
    samples, so that a window may begin anywhere.
    """
    left, top, side = placement.box
    centre = image.crop((left, top, left + side, top + side))
    pieces = [np.asarray(centre.resize((placement.size, placement.size), Image.Resampling.BILINEAR))]
    if placement.before:
        pieces.insert(0, _flank(image, placement, -placement.before, 0))
    if placement.after:
        pieces.append(_flank(image, placement, placement.size, placement.size + placement.after))
    return np.concatenate(pieces, axis=1 if placement.wide else 0)


def _flank(image: Image.Image, placement: Placement, first: int, last: int) -> npt.NDArray[np.uint8]:
    left, top, side = placement.box
    step = side / placement.size
    start, edge = (left, image.width) if placement.wide else (top, image.height)
    # Rounding may step over the edge by a trifle, which Pillow refuses.
    begin, end = max(0.0, start + first * step), min(float(edge), start + last * step)
    box: tuple[float, float, float, float] = (left, begin, left + side, end)
    target = (placement.size, last - first)
    if placement.wide:
        box, target = (begin, top, end, top + side), (last - first, placement.size)
    return np.asarray(image.resize(target, Image.Resampling.BILINEAR, box=box))
