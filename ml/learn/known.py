"""What a trained model makes of pictures that it learned from, as they are and with what a poor camera does to them."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms.v2.functional import gaussian_blur

from ml.augment.lighting import STD
from ml.augment.seed import generator
from ml.data.split import Split
from ml.judge.familiarity import KnownPictures
from ml.learn.batches import ValidationBatches
from ml.learn.evaluation import predict_outputs
from ml.learn.model import BreedNet
from ml.learn.setup import Setup

MOST_KNOWN = 600
"""Pictures that are looked at, each three times: a few hundredths of a training of thousands."""
_BLUR = (0.003, 0.012)
"""Standard deviation, from and to, as a share of the picture's side."""
_NOISE = (0.02, 0.08)
"""Standard deviation, from and to, where white is 1."""

Shift = Callable[[Tensor, torch.Generator], Tensor]


def known_pictures(model: BreedNet, setup: Setup, parts: int, on_batch: Callable[[], None]) -> KnownPictures:
    """Look at a sample of the training side, in ``parts`` parts a batch; the same each time."""
    items = known_items(setup.split, setup.config.seed)
    batches = ValidationBatches(setup.cache, setup.labels, items, setup.config)

    def features(shift: Shift | None) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
        inputs = batches.load(setup.device, parts)
        if shift is not None:
            inputs = _shifted(inputs, shift, setup.config.seed)
        found = predict_outputs(model, inputs, precision=setup.precision, device=setup.device, on_batch=on_batch)[1]
        return found.numpy()

    plain, *shifted = (features(shift) for shift in (None, blurred, noisy))
    return KnownPictures(plain, plain.shape[1] - model.read, batches.targets.numpy(), np.stack(shifted))


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


def _blur(image: Tensor, spread: float) -> Tensor:
    width = min(2 * int(3 * spread) + 1, image.shape[-1] // 2 * 2 - 1)
    return gaussian_blur(image, [width, width], [spread, spread]) if width > 1 else image


def noisy(images: Tensor, chance: torch.Generator) -> Tensor:
    """Inputs [n,3,size,size], each as grainy as is drawn."""
    low, high = _NOISE
    spreads = low + (high - low) * torch.rand(len(images), generator=chance)
    noise = torch.randn(images.shape, generator=chance) * spreads[:, None, None, None]
    return images + (noise / torch.tensor(STD).view(3, 1, 1)).to(images)
