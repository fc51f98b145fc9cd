"""A tiny model and made-up inputs, for what needs no pictures."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from ml.augment.draws import BatchDraws, epoch_order
from ml.learn.batches import SampledBatch, TrainingBatches, ValidationBatches
from ml.learn.model import BreedNet, ConcatPool

NOTHING = BatchDraws(*(torch.empty(0) for _ in range(4)))
CLASSES = 4


class FixedBatches(TrainingBatches):
    """Given inputs in given order, without pictures; with a seed of their own once reseeded, in that one's order."""

    def __init__(self, x: Tensor, y: Tensor, batch_size: int) -> None:
        self.x, self.y, self.batch_size = x, y, batch_size
        self.per_epoch = len(x) // batch_size
        self._seed = -1

    def sample(self, step: int) -> SampledBatch:
        epoch, number = divmod(step, self.per_epoch)
        order = torch.arange(len(self.x))
        if self._seed >= 0:
            order = epoch_order(len(self.x), self._seed, epoch)
        items = order[number * self.batch_size : (number + 1) * self.batch_size]
        return SampledBatch(self.x[items], self.y[items], NOTHING)

    def load(self, batch: SampledBatch, device: torch.device) -> tuple[Tensor, Tensor]:
        return batch.images.to(device), batch.targets.to(device)


class FixedValidation(ValidationBatches):
    """Given inputs as one batch."""

    def __init__(self, x: Tensor, y: Tensor) -> None:
        self.x, self.y = x, y

    @property
    def targets(self) -> Tensor:
        return self.y

    def load(self, device: torch.device, parts: int = 1) -> Iterator[Tensor]:
        for part in self.x.tensor_split(parts):
            yield part.to(device)


def toy(*, dropout: float = 0.0, norm: bool = True) -> BreedNet:
    """Three groups, four classes; without ``norm`` no BatchNorm, so that each picture stands alone."""

    def normed(module: nn.Module) -> nn.Module:
        return module if norm else nn.Identity()

    first = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), normed(nn.BatchNorm2d(4)), nn.ReLU())
    second = nn.Sequential(nn.Conv2d(4, 5, 3, padding=1, bias=False), normed(nn.BatchNorm2d(5)), nn.ReLU())
    head = nn.Sequential(ConcatPool(), nn.Flatten(), normed(nn.BatchNorm1d(10)), nn.Linear(10, CLASSES))
    if dropout:
        head.append(nn.Dropout(dropout))
    return BreedNet(nn.Sequential(first, second), head, early=1)


def toy_inputs(n: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Inputs [n,3,6,6] and classes [n]: noise around a colour of each class."""
    chance = torch.Generator().manual_seed(seed)
    colours = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 1.0, 0.0]])
    y = torch.randint(0, CLASSES, (n,), generator=chance)
    x = colours[y][:, :, None, None] + torch.randn(n, 3, 6, 6, generator=chance) * 0.7
    return x, y
