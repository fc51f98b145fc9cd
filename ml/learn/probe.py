"""Phases on features: the body is run once over each photo, and the head alone learns from what it put out.

The pictures are made as validation's are, without random changes; the body's BatchNorm stays as it is.
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from ml.augment.blend import blend_of_step
from ml.augment.draws import BatchDraws, epoch_order
from ml.learn.batches import SampledBatch, TrainingBatches, ValidationBatches, cuts
from ml.learn.features_progress import FeaturesProgress
from ml.learn.lesson import Lesson
from ml.learn.model import BreedNet
from ml.learn.setup import Setup
from ml.reporting import Reporter

POOLED = 2
"""The head's first modules, which pool and flatten what the body puts out; they have no weights."""


def run_body(setup: Setup, reporter: Reporter, model: BreedNet, parts: int) -> Lesson:
    """The head's lesson on what the body makes of both sides; the body is run here, in ``parts`` parts a batch.

    Raises:
        Stopped: the reporter asked for it.
    """
    train, valid = setup.split.train, setup.split.valid
    progress = FeaturesProgress(reporter, len(train) + len(valid))
    learned, seen = (_pooled(model, setup, items, parts, progress) for items in (train, valid))
    return Lesson(
        head_alone,
        FeatureBatches(learned, setup),
        FeatureValidation(seen, setup.validation.targets, setup.config.batch_size),
    )


def _pooled(model: BreedNet, setup: Setup, items: Sequence[int], parts: int, progress: FeaturesProgress) -> Tensor:
    """What the body makes of the items, float32 [n,pooled] on the CPU."""
    model.eval()
    found = []
    batches = ValidationBatches(setup.cache, setup.labels, items, setup.config)
    for batch in batches.load(setup.device, parts):
        with torch.inference_mode(), setup.precision.autocast(setup.device):
            found.append(model.pooled(batch).float().cpu())
        progress.add(len(batch))
    return torch.cat(found).clone()


def head_alone(model: BreedNet) -> BreedNet:
    """The same head without a body, for pooled features [n,pooled]; it shares its tensors, and their names."""
    return BreedNet(nn.Sequential(), nn.Sequential(*(nn.Identity() for _ in range(POOLED)), *model.head[POOLED:]), 0)


def load_learned(model: BreedNet, tensors: dict[str, Tensor]) -> None:
    """Give a model its tensors again: all of them, or the head's where nothing else has learned."""
    whole = model.state_dict()
    model.load_state_dict({**whole, **tensors} if tensors.keys() <= head_alone(model).state_dict().keys() else tensors)


class FeatureBatches(TrainingBatches):
    """The training side as what the body made of it, float32 [n,pooled]."""

    def __init__(self, features: Tensor, setup: Setup) -> None:
        super().__init__(setup.cache, setup.labels, setup.split, setup.config)
        self._features = features

    def sample(self, step: int) -> SampledBatch:
        """The features [n,pooled] of global step ``step``."""
        config = self._config
        epoch, number = divmod(step, self.per_epoch)
        order = epoch_order(len(self._items), self._seed, epoch, self._chances)
        rows = order[number * config.batch_size : (number + 1) * config.batch_size]
        nothing = BatchDraws(*(torch.zeros(len(rows)) for _ in range(4)))
        blend = blend_of_step(config.mixup, 0, config.size, self._seed, step)
        return SampledBatch(self._features[rows], self.targets[rows], nothing, None, blend)

    def load(self, batch: SampledBatch, device: torch.device) -> tuple[Tensor, Tensor]:
        """Features and targets on the device."""
        inputs = batch.images.to(device, non_blocking=True)
        if batch.blend is not None:
            inputs = batch.blend.inputs(inputs)
        return inputs, batch.targets.to(device, non_blocking=True)


class FeatureValidation(ValidationBatches):
    """The validation side as what the body made of it, float32 [n,pooled]."""

    def __init__(self, features: Tensor, targets: Tensor, batch_size: int) -> None:
        self._features, self._targets, self._batch_size = features, targets, batch_size

    @property
    def targets(self) -> Tensor:
        """Label ids [n], in order."""
        return self._targets

    def load(self, device: torch.device, parts: int = 1) -> Iterator[Tensor]:  # noqa: ARG002 - they are small
        """Features [≤ batch_size,pooled], batch by batch."""
        for rows in cuts(len(self._features), self._batch_size, 1):
            yield self._features[rows].to(device)
