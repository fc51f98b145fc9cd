"""What presizing saves: the same changes drawn by one interpolation from the large square, and one after the other.

Both ways show the same part of the picture. The way that presizing replaces shrinks first and then interpolates again
for each change; every interpolation takes fine detail away, and what a step turns out of the frame the next has lost.
Detail is measured as the contrast of neighbouring pixels, and compared with that of the same map drawn with many points
a pixel: what a drawing has above it is aliasing.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from ml.augment.antialias import draw_once
from ml.augment.augment import as_float
from ml.augment.geometry import (
    Draws,
    crop_matrix,
    flip_matrix,
    grid,
    homography,
    rotate_matrix,
    warp_matrix,
    zoom_matrix,
)
from ml.augment.resample import resize_exactly, sample
from ml.augment.seed import generator

ROTATE = 30.0
ZOOM = 1.2
WARP = 0.2
LEAST_CROP = 0.75
"""Stronger than training draws them, so that the eye sees the difference: degrees, factor, perspective, and the least
area of the crop."""

SUPERSAMPLED = 4
"""Points across and down that the antialiased resample takes for each pixel."""

CORNERS = ((-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0))


class Point(NamedTuple):
    """A place in a square picture, each coordinate from 0 (left, top) to 1 (right, bottom)."""

    x: float
    y: float


@dataclass(frozen=True)
class Comparison:
    """One picture changed in both ways.

    ``source`` is the presized square uint8 [S, S, 3], ``once`` and ``stepwise`` uint8 [size, size, 3]. ``outline`` has
    the corners in the source of what both show; they may lie outside of it, where the border is mirrored. ``said`` is
    the draws in words, ``steps`` the names of the interpolations of the stepwise way (a mirror costs none),
    ``contrast_once``, ``contrast_stepwise`` and ``contrast_antialiased`` are neighbour_contrast of the two, and of the
    map drawn at SUPERSAMPLED times the size and averaged down.
    """

    source: Tensor
    once: Tensor
    stepwise: Tensor
    outline: tuple[Point, ...]
    said: str
    steps: tuple[str, ...]
    contrast_once: float
    contrast_stepwise: float
    contrast_antialiased: float

    @property
    def kept_once(self) -> float:
        """The single interpolation's contrast as a share of the many-point one's; an excess above 1 is aliasing."""
        return _share(self.contrast_once, self.contrast_antialiased)

    @property
    def kept_stepwise(self) -> float:
        """What the steps leave of the antialiased contrast."""
        return _share(self.contrast_stepwise, self.contrast_antialiased)


def strong_draws(seed: int) -> Draws:
    """Changes of one picture, always strong: the seed decides their directions, the mirror and the crop's place."""
    chance = generator(seed, "presizing")
    signs = torch.where(torch.rand(3, generator=chance) < 0.5, -1.0, 1.0)  # noqa: PLR2004 - a coin
    flip = (torch.rand(1, generator=chance) < 0.5).float()  # noqa: PLR2004 - a coin
    places = torch.rand(4, generator=chance)
    area = torch.rand(1, generator=chance) * (1 - LEAST_CROP) + LEAST_CROP
    return Draws(
        flip=flip,
        rotate=signs[:1] * ROTATE,
        zoom=torch.tensor([ZOOM]),
        zoom_x=places[0:1],
        zoom_y=places[1:2],
        warp_x=signs[1:2] * WARP,
        warp_y=signs[2:3] * WARP,
        crop_scale=area.sqrt(),
        crop_x=places[2:3],
        crop_y=places[3:4],
    )


def compare(source: Tensor, draws: Draws, size: int) -> Comparison:
    """Draw one presized square, uint8 [S, S, 3], in both ways at ``size`` x ``size`` pixels."""
    picture = as_float(source[None])
    whole = homography(draws)
    once = _as_pixels(draw_once(source[None], whole, size))
    stepwise = _as_pixels(_step_by_step(picture, draws, size))
    return Comparison(
        source=source,
        once=once,
        stepwise=stepwise,
        outline=tuple(_where(whole[0], x, y) for x, y in CORNERS),
        said=_said(draws),
        steps=("resize", *(name for name, _ in _steps(draws) if name != "flip")),
        contrast_once=neighbour_contrast(once),
        contrast_stepwise=neighbour_contrast(stepwise),
        contrast_antialiased=neighbour_contrast(_antialiased(picture, whole, size)),
    )


def neighbour_contrast(picture: Tensor) -> float:
    """Mean absolute difference of neighbouring pixels, across and down, in levels of 255; of uint8 [h, w, 3]."""
    values = picture.float()
    across, down = (values[:, 1:] - values[:, :-1]).abs().mean(), (values[1:] - values[:-1]).abs().mean()
    return float((across + down) / 2)


def busiest(picture: Tensor, side: int) -> tuple[int, int]:
    """Top and left of the ``side`` x ``side`` window of uint8 [h, w, 3] with most detail, away from the edges."""
    grey = picture.float().mean(-1)
    change = (grey[1:, :-1] - grey[:-1, :-1]).abs() + (grey[:-1, 1:] - grey[:-1, :-1]).abs()
    sums = torch.nn.functional.avg_pool2d(change[None, None], side, stride=1)[0, 0]
    margin = sums.shape[0] // 4
    inner = sums[margin : sums.shape[0] - margin, margin : sums.shape[1] - margin]
    top, left = divmod(int(inner.argmax()), inner.shape[1])
    return top + margin, left + margin


def _steps(draws: Draws) -> list[tuple[str, Tensor]]:
    """Every change by itself, in the order in which their product is the whole map."""
    return [
        ("warp", warp_matrix(draws.warp_x, draws.warp_y)),
        ("flip", flip_matrix(draws.flip)),
        ("rotate", rotate_matrix(draws.rotate)),
        ("zoom", zoom_matrix(draws.zoom, draws.zoom_x, draws.zoom_y)),
        ("crop", crop_matrix(draws)),
    ]


def _step_by_step(picture: Tensor, draws: Draws, size: int) -> Tensor:
    small = resize_exactly(picture, size)
    for _, matrix in _steps(draws):
        small = sample(small, grid(matrix, size, size))
    return small


def _antialiased(picture: Tensor, whole: Tensor, size: int) -> Tensor:
    large = sample(picture, grid(whole, SUPERSAMPLED * size, SUPERSAMPLED * size))
    return _as_pixels(torch.nn.functional.avg_pool2d(large, SUPERSAMPLED))


def _share(part: float, whole: float) -> float:
    """Of a picture without any contrast nothing is lost."""
    return part / whole if whole else 1.0


def _as_pixels(picture: Tensor) -> Tensor:
    return picture[0].round().clamp(0, 255).to(torch.uint8).permute(1, 2, 0)


def _where(matrix: Tensor, x: float, y: float) -> Point:
    u, v, w = (matrix @ torch.tensor([x, y, 1.0])).tolist()
    return Point((u / w + 1) / 2, (v / w + 1) / 2)


def _said(draws: Draws) -> str:
    """The draws in words."""
    parts = [
        f"turned by {draws.rotate.item():+.0f}°",
        f"zoomed {draws.zoom.item():.1f} times",
        f"warped by {draws.warp_x.item():+.1f} and {draws.warp_y.item():+.1f}",
        f"cropped to {math.floor(100 * draws.crop_scale.item() ** 2):d} % of the area",
    ]
    return ", ".join(["mirrored", *parts] if draws.flip.item() else parts)
