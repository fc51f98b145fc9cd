"""Drawing a picture through its map at the output's size, without aliasing.

A bilinear interpolation looks at four pixels, however many lie between two of its output. From a presized picture of
about twice the output's size that is aliasing: detail that the output cannot hold comes back as false detail. So each
picture is first shrunk by an antialiased filter, to a side that leaves the interpolation little more than one pixel for
each output pixel, and then drawn by one interpolation. The side follows the picture's own map: a crop that magnifies is
drawn from more pixels, up to all of them.

``OVERSAMPLED`` is chosen so that training photos are as sharp as validation's (docs/experiments.md).
"""

import math

import torch
import torch.nn.functional as F  # noqa: N812 - the name everyone reads it by
from torch import Tensor

from ml.augment.geometry import grid
from ml.augment.resample import sample

OVERSAMPLED = 1.5
"""Pixels of the shrunk picture for each output pixel, along a side."""

STEPS = 8
"""Sides are multiples of the output's side over this, so that a batch has few different ones."""


def draw_once(pictures: Tensor, homographies: Tensor, size: int) -> Tensor:
    """Draw each picture through its map: uint8 [n,S,S,3] → float32 [n,3,size,size] in 0-255, on the pictures' device.

    Args:
        pictures: presized squares.
        homographies: float32 [n,3,3] on the CPU, from output to input coordinates in [-1, 1] (``ml.augment.geometry``).
        size: side of the output, pixels.
    """
    presize = pictures.shape[1]
    sides = [shrunk_side(scale, presize, size) for scale in scales(homographies)]
    if len(set(sides)) == 1:
        return _draw_shrunk(pictures, homographies, sides[0], size)
    out = empty_input(len(pictures), size, pictures.device)
    for side in sorted(set(sides)):
        picked = torch.tensor([i for i, one in enumerate(sides) if one == side])
        here = picked.to(pictures.device, non_blocking=True)
        out[here] = _draw_shrunk(pictures[here], homographies[picked], side, size)
    return out


def empty_input(n: int, size: int, device: torch.device) -> Tensor:
    """Room for a model's input: float32 [n,3,size,size], channels last, of no value yet."""
    return torch.empty((n, 3, size, size), device=device, memory_format=torch.channels_last)


def scales(homographies: Tensor) -> list[float]:
    """How large a part of the picture each map looks at, as a share of its side, measured at the output's centre.

    A perspective looks at more in one corner than in the other: of training's strongest (0.2) up to twice as much, and
    there some aliasing stays.

    It is the root of the map's Jacobian determinant there, which for a homography H is det H / h33³.
    """
    matrices = homographies.double()
    found: list[float] = (torch.linalg.det(matrices) / matrices[:, 2, 2] ** 3).abs().sqrt().tolist()
    return found


def shrunk_side(scale: float, presize: int, size: int) -> int:
    """The side, in pixels, that a picture of ``presize`` pixels is shrunk to before it is drawn at ``size``."""
    step = max(1, size // STEPS)
    wanted = OVERSAMPLED * size / max(scale, 1e-3)
    return min(presize, step * math.ceil(wanted / step))


def _draw_shrunk(pictures: Tensor, homographies: Tensor, side: int, size: int) -> Tensor:
    presize = pictures.shape[1]
    # Coordinates reach from the centre of the first pixel to that of the last, which shrinking moves inwards.
    factor = 1.0 if side == presize else side * (presize - 1) / (presize * (side - 1))
    maps = torch.diag(torch.tensor([factor, factor, 1.0])) @ homographies
    return sample(_shrunk(pictures, side), grid(maps.to(pictures.device, non_blocking=True), size, size))


def _shrunk(pictures: Tensor, side: int) -> Tensor:
    """uint8 [n,S,S,3] → float32 [n,3,side,side] in whole levels of 0-255, channels last."""
    images = pictures.permute(0, 3, 1, 2)
    if side == pictures.shape[1]:
        return images.float()
    if images.device.type == "cpu":
        # On bytes this is the fastest filter that torch has.
        return F.interpolate(images, size=(side, side), mode="bicubic", antialias=True).float()
    return F.interpolate(images.float(), size=(side, side), mode="bicubic", antialias=True).round_().clamp_(0, 255)
