"""Brightness and contrast in logit space (workflow-spec 4.8), and normalisation."""

import math
from functools import cache

import torch
from torch import Generator, Tensor

from ml.augment.geometry import masked
from ml.config_augment import Augment

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
_EDGE = 1e-7


def draw_lighting(n: int, augment: Augment, generator: Generator) -> tuple[Tensor, Tensor]:
    """Brightness v (0.5 = unchanged) and contrast c (1 = unchanged), each float32 [n]."""
    half = augment.max_lighting / 2
    brightness = torch.rand(n, generator=generator) * (2 * half) + (0.5 - half)
    brightness = masked(brightness, augment.p_lighting, 0.5, generator)
    low = math.log(1 - augment.max_lighting)
    contrast = torch.exp(torch.rand(n, generator=generator) * (-2 * low) + low)
    return brightness, masked(contrast, augment.p_lighting, 1.0, generator)


def light(images: Tensor, brightness: Tensor, contrast: Tensor) -> Tensor:
    """Compute σ((logit(x) + logit(v))·c) on float images [n,c,h,w] in [0, 1], into a new tensor."""
    shape = (-1, 1, 1, 1)
    shift = torch.logit(brightness.to(images.device, non_blocking=True)).view(shape)
    x = torch.logit(images, eps=_EDGE)
    return x.add_(shift).mul_(contrast.to(images.device, non_blocking=True).view(shape)).sigmoid_()


def normalise(images: Tensor) -> Tensor:
    """(x - mean)/std with ImageNet's statistics: float [n,3,h,w] in [0, 1] → about [-2.1, 2.6]."""
    mean, std = _statistics(images.device)
    return (images - mean) / std


@cache
def _statistics(device: torch.device) -> tuple[Tensor, Tensor]:
    """Mean and deviation, [1,3,1,1] each; kept, because every new copy would make a GPU wait for the host."""
    mean, std = (torch.tensor(values, device=device).view(1, 3, 1, 1) for values in (MEAN, STD))
    return mean, std
