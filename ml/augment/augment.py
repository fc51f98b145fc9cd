"""Batches of presized pictures become the model's input, on the training device."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from ml.augment.antialias import draw_once, empty_input
from ml.augment.geometry import draw, homography
from ml.augment.lighting import draw_lighting, light, normalise
from ml.augment.resample import resize_exactly
from ml.config import Augment


@dataclass(frozen=True)
class Recipe:
    """The random changes of one batch: homographies [n,3,3], brightness [n], contrast [n]; float32."""

    homographies: Tensor
    brightness: Tensor
    contrast: Tensor


def draw_recipe(n: int, augment: Augment, min_scale: float, generator: Generator) -> Recipe:
    """Draw the changes of ``n`` pictures from a CPU generator."""
    homographies = homography(draw(n, augment, min_scale, generator))
    brightness, contrast = draw_lighting(n, augment, generator)
    return Recipe(homographies, brightness, contrast)


def join(recipes: Sequence[Recipe]) -> Recipe:
    """The changes of several batches, one after the other, as one."""
    return Recipe(
        homographies=torch.cat([one.homographies for one in recipes]),
        brightness=torch.cat([one.brightness for one in recipes]),
        contrast=torch.cat([one.contrast for one in recipes]),
    )


def training_input(pictures: Tensor, recipe: Recipe, size: int) -> Tensor:
    """uint8 [n,S,S,3] → normalised float32 [n,3,size,size], channels last, antialiased, by ONE interpolation."""
    out = empty_input(len(pictures), size, pictures.device)
    # One picture at a time stays in the processor's cache, which is 8 times faster than the whole batch at once;
    # a GPU wants the whole batch.
    chunk = 1 if pictures.device.type == "cpu" else len(pictures)
    for first in range(0, len(pictures), chunk):
        part = slice(first, first + chunk)
        drawn = draw_once(pictures[part], recipe.homographies[part], size).div_(255)
        out[part] = normalise(light(drawn, recipe.brightness[part], recipe.contrast[part]))
    return out


def validation_input(pictures: Tensor, size: int) -> Tensor:
    """uint8 [n,S,S,3] → normalised float32 [n,3,size,size], channels last; equal to fastai's within 4e-6."""
    out = empty_input(len(pictures), size, pictures.device)
    chunk = 1 if pictures.device.type == "cpu" else len(pictures)
    for first in range(0, len(pictures), chunk):
        part = slice(first, first + chunk)
        out[part] = normalise(resize_exactly(as_float(pictures[part]), size).div_(255))
    return out


def as_float(pictures: Tensor) -> Tensor:
    """uint8 [n,h,w,3] → float32 [n,3,h,w] in 0-255, channels last in memory."""
    return pictures.permute(0, 3, 1, 2).float()
