"""TrivialAugment (Müller and Hutter 2021): each training photo is changed in one way, as strongly as is drawn.

Ways and greatest strengths are those of the paper's wide space, as torchvision has them, but for two: photos shear
around their middle, and move by a share of their side, so that small ones are not moved out of sight.
"""

import math
from collections.abc import Callable
from typing import Final

import torch
from torch import Tensor
from torchvision.transforms.v2 import functional

from ml.augment.lighting import MEAN, STD, normalise
from ml.augment.seed import generator

_SHEAR, _MOVE, _TURN, _COLOUR, _BITS = 0.99, 32 / 224, 135.0, 0.99, 6
_FILL: Final = [round(255 * mean) for mean in MEAN]
"""What comes into sight beyond a photo's edge: 0 once it is normalised."""

Way = Callable[[Tensor, float], Tensor]
"""Changes uint8 [3,h,w] by a strength in [-1, 1]; where there are no two directions, its size alone counts."""


def _affine(
    image: Tensor, turn: float = 0.0, move: tuple[float, float] = (0, 0), shear: tuple[float, float] = (0, 0)
) -> Tensor:
    moved = [share * side for share, side in zip(move, (image.shape[2], image.shape[1]), strict=True)]
    bilinear = functional.InterpolationMode.BILINEAR
    turned: Tensor = functional.affine(image, turn, moved, 1.0, list(shear), interpolation=bilinear, fill=_FILL)
    return turned


def _degrees(strength: float) -> float:
    return math.degrees(math.atan(_SHEAR * strength))


WAYS: tuple[Way, ...] = (
    lambda image, _: image,
    lambda image, strength: _affine(image, shear=(_degrees(strength), 0)),
    lambda image, strength: _affine(image, shear=(0, _degrees(strength))),
    lambda image, strength: _affine(image, move=(_MOVE * strength, 0)),
    lambda image, strength: _affine(image, move=(0, _MOVE * strength)),
    lambda image, strength: _affine(image, turn=_TURN * strength),
    lambda image, strength: functional.adjust_brightness(image, 1 + _COLOUR * strength),
    lambda image, strength: functional.adjust_saturation(image, 1 + _COLOUR * strength),
    lambda image, strength: functional.adjust_contrast(image, 1 + _COLOUR * strength),
    lambda image, strength: functional.adjust_sharpness(image, 1 + _COLOUR * strength),
    lambda image, strength: functional.posterize(image, 8 - round(_BITS * abs(strength))),
    lambda image, strength: functional.solarize(image, 255 * (1 - abs(strength))),
    lambda image, _: functional.autocontrast(image),
    lambda image, _: functional.equalize(image),
)
"""The first leaves a photo as it is."""


def trivial_of_step(n: int, seed: int, step: int) -> Tensor:
    """The way and its strength for each of the ``n`` photos of global step ``step``, float32 [n,2]."""
    chance = generator(seed, "trivial", step)
    ways = torch.randint(len(WAYS), (n,), generator=chance)
    return torch.stack([ways.float(), torch.rand(n, generator=chance) * 2 - 1], 1)


def trivially_changed(inputs: Tensor, sampled: Tensor) -> Tensor:
    """Change normalised inputs [n,3,h,w] in place, each as ``sampled`` [n,2] says."""
    mean, std = (torch.tensor(values, device=inputs.device).view(3, 1, 1) for values in (MEAN, STD))
    for picture, (way, strength) in zip(inputs, sampled.tolist(), strict=True):
        if way:
            pixels = (picture * std + mean).mul_(255).round_().clamp_(0, 255).to(torch.uint8)
            changed = WAYS[int(way)](pixels, strength)
            picture.copy_(normalise(changed[None].float().div_(255))[0])
    return inputs
