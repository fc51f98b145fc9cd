"""A rectangle of a training photo is blanked (Zhong et al. 2020)."""

import math

import torch
from torch import Tensor

from ml.augment.seed import generator

_AREA = (0.02, 0.33)
"""Least and most of a photo's area that is blanked, and"""
_RATIO = (0.3, 3.3)
"""a rectangle's height divided by its width: the paper's, and torchvision's own."""


def erased_of_step(n: int, chance: float, seed: int, step: int) -> Tensor:
    """The rectangles of the ``n`` photos of global step ``step``: top, bottom, left, right as shares, float32 [n,4].

    All four are 0 where nothing is blanked.
    """
    chosen = generator(seed, "erase", step)
    draws = torch.rand(n, 5, generator=chosen)
    area = _AREA[0] + draws[:, 0] * (_AREA[1] - _AREA[0])
    low, high = map(math.log, _RATIO)
    ratio = torch.exp(low + draws[:, 1] * (high - low))
    height, width = (area * ratio).sqrt().clamp(max=1), (area / ratio).sqrt().clamp(max=1)
    top, left = draws[:, 2] * (1 - height), draws[:, 3] * (1 - width)
    rectangles = torch.stack([top, top + height, left, left + width], 1)
    return rectangles * (draws[:, 4] < chance)[:, None]


def erase(inputs: Tensor, rectangles: Tensor) -> Tensor:
    """Blank the rectangles [n,4] of normalised inputs [n,3,h,w] in place, with the mean colour, which is 0."""
    height, width = inputs.shape[2:]
    scale = torch.tensor([height, height, width, width])
    for picture, (top, bottom, left, right) in zip(inputs, (rectangles * scale).round().int().tolist(), strict=True):
        picture[:, top:bottom, left:right] = 0
    return inputs
