"""Two photos of a batch in one: mixup (Zhang et al. 2018) and cutmix (Yun et al. 2019)."""

import math
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from ml.augment.seed import derive_seed

Box = tuple[int, int, int, int]
"""Rows from and to, columns from and to, in pixels of the input."""


@dataclass(frozen=True)
class Blend:
    """Each photo is blended with the one before it in its batch, the first with the last.

    ``share`` in [0, 1] is how much of an input is its own photo; ``box`` is what is replaced by the other, None where
    the two are laid over each other.
    """

    share: float
    box: Box | None = None

    def inputs(self, inputs: Tensor) -> Tensor:
        """Blend a batch [n,3,h,w], or of features [n,pooled] where there is no ``box``."""
        others = inputs.roll(1, 0)
        if self.box is None:
            return others.lerp_(inputs, self.share)
        top, bottom, left, right = self.box
        blended = inputs.clone()
        blended[..., top:bottom, left:right] = others[..., top:bottom, left:right]
        return blended


def blend_of_step(mixup: float, cutmix: float, size: int, seed: int, step: int) -> Blend | None:
    """What a run with this seed does to the batch of global step ``step``; None where neither is asked for.

    Where both are, each batch gets one of them, with equal chance. ``size`` is the input's side in pixels.
    """
    if not mixup and not cutmix:
        return None
    chance = np.random.default_rng(derive_seed(seed, "blend", step))
    cuts = bool(chance.random() < 0.5) if mixup and cutmix else bool(cutmix)  # noqa: PLR2004 - of two
    alpha = cutmix if cuts else mixup
    share = float(chance.beta(alpha, alpha))
    return _cut(share, size, chance) if cuts else Blend(share)


def _cut(share: float, size: int, chance: np.random.Generator) -> Blend:
    """A square of 1 - ``share`` of the area around a random place, cut off at the edges; its real share is kept."""
    half = math.sqrt(1 - share) * size / 2
    row, column = chance.integers(0, size, 2).tolist()
    top, bottom = max(0, round(row - half)), min(size, round(row + half))
    left, right = max(0, round(column - half)), min(size, round(column + half))
    return Blend(1 - (bottom - top) * (right - left) / size**2, (top, bottom, left, right))
