"""What a trained model makes of pictures that it learned from, and of what a poor camera does to them and to others."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchvision.transforms.v2.functional import gaussian_blur

from ml.augment.lighting import STD
from ml.augment.seed import generator
from ml.data.split import Split
from ml.judge.familiarity import KnownPictures
from ml.judge.shift_weight import FEWEST, PoorPictures
from ml.learn.batches import ValidationBatches
from ml.learn.evaluation import predict_outputs
from ml.learn.model import BreedNet
from ml.learn.predictions import LearnedPictures
from ml.learn.setup import Setup

MOST_KNOWN = 600
"""Pictures that are looked at as they are: a few hundredths of a training of thousands."""
MOST_SHIFTED = 300
"""Of these, and of the validation side, those that are looked at blurred and noisy too."""
_BLUR = (0.003, 0.012)
"""Standard deviation, from and to, as a share of the picture's side."""
_NOISE = (0.02, 0.08)
"""Standard deviation, from and to, where white is 1."""
POOR_BLUR, POOR_NOISE = 0.01, 0.06
"""As poor as a picture of the validation side is made, in the same units."""

Shift = Callable[[Tensor, torch.Generator], Tensor]


def known_pictures(model: BreedNet, setup: Setup, parts: int, on_batch: Callable[[], None]) -> KnownPictures:
    """Look at a sample of the training side, in ``parts`` parts a batch; the same each time."""
    items = known_items(setup.split, setup.config.seed)
    look = _Look(model, setup, parts, on_batch)
    plain = look.at(items)
    shifted = np.stack([look.at(items[:MOST_SHIFTED], shift) for shift in (blurred, noisy)])
    labels = np.array([setup.labels[item] for item in items], dtype=np.int64)
    return KnownPictures(plain, plain.shape[1] - model.read, labels, shifted)


def poor_pictures(
    model: BreedNet,
    setup: Setup,
    parts: int,
    on_batch: Callable[[], None],
    first: int,
    learned: LearnedPictures | None = None,
) -> PoorPictures | None:
    """Look at a sample of the validation side with blur and with noise, the same each time; None of too few.

    Args:
        model: the trained one.
        setup: what it was trained from.
        parts: in which a batch is looked at.
        on_batch: is told of each.
        first: the sample is of so many pictures of the validation side, from its begin.
        learned: what the model learned from, where that is more than the training side: none of it is in the sample.
    """
    valid, pictures = setup.split.valid, frozenset() if learned is None else learned.pictures
    fresh = [row for row in range(first) if setup.manifest.items[valid[row]].sha256 not in pictures]
    if len(fresh) < FEWEST:
        return None
    order = torch.randperm(len(fresh), generator=generator(setup.config.seed, "poor"))
    rows = sorted(fresh[i] for i in order[:MOST_SHIFTED].tolist())
    look = _Look(model, setup, parts, on_batch)
    found = [look.at([valid[row] for row in rows], shift) for shift in (out_of_focus, grainy)]
    return PoorPictures(np.array(rows, dtype=np.int64), np.stack(found))


@dataclass(frozen=True)
class _Look:
    """At items, as validation does."""

    model: BreedNet
    setup: Setup
    parts: int
    on_batch: Callable[[], None]

    def at(self, items: Sequence[int], shift: Shift | None = None) -> NDArray[np.float32]:
        """Their features, [n, features]."""
        setup = self.setup
        inputs = ValidationBatches(setup.cache, (), items, setup.config).load(setup.device, self.parts)
        if shift is not None:
            inputs = _shifted(inputs, shift, setup.config.seed)
        precision, device = setup.precision, setup.device
        outputs = predict_outputs(self.model, inputs, precision=precision, device=device, on_batch=self.on_batch)
        features: NDArray[np.float32] = outputs[1].numpy()
        return features


def known_items(split: Split, seed: int) -> list[int]:
    """A sample of the training side; the same each time."""
    order = torch.randperm(len(split.train), generator=generator(seed, "known"))
    return [split.train[i] for i in order[:MOST_KNOWN].tolist()]


def _shifted(inputs: Iterator[Tensor], shift: Shift, seed: int) -> Iterator[Tensor]:
    chance = generator(seed, "shifted")
    return (shift(batch, chance) for batch in inputs)


def blurred(images: Tensor, chance: torch.Generator) -> Tensor:
    """Inputs [n,3,size,size], each out of focus by as much as is drawn."""
    low, high = _BLUR
    side = images.shape[-1]
    spreads = side * (low + (high - low) * torch.rand(len(images), generator=chance))
    return torch.stack([_blur(image, spread) for image, spread in zip(images, spreads.tolist(), strict=True)])


def out_of_focus(images: Tensor, _: torch.Generator) -> Tensor:
    """The same, all by ``POOR_BLUR``."""
    return torch.stack([_blur(image, images.shape[-1] * POOR_BLUR) for image in images])


def _blur(image: Tensor, spread: float) -> Tensor:
    width = min(2 * int(3 * spread) + 1, image.shape[-1] // 2 * 2 - 1)
    return gaussian_blur(image, [width, width], [spread, spread]) if width > 1 else image


def noisy(images: Tensor, chance: torch.Generator) -> Tensor:
    """Inputs [n,3,size,size], each as grainy as is drawn."""
    low, high = _NOISE
    return _with_noise(images, low + (high - low) * torch.rand(len(images), generator=chance), chance)


def grainy(images: Tensor, chance: torch.Generator) -> Tensor:
    """The same, all by ``POOR_NOISE``."""
    return _with_noise(images, torch.full((len(images),), POOR_NOISE), chance)


def _with_noise(images: Tensor, spreads: Tensor, chance: torch.Generator) -> Tensor:
    noise = torch.randn(images.shape, generator=chance) * spreads[:, None, None, None]
    return images + (noise / torch.tensor(STD).view(3, 1, 1)).to(images)
