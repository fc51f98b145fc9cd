"""Validation: logits of every item, and the two figures of the epoch's row."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from ml.config import LossName
from ml.learn.losses import training_loss
from ml.learn.model import BreedNet
from ml.learn.precision import Precision

MOST_FEATURES = 4000
"""Validation photos whose features are kept, some KiB each: more would tell nothing more."""


def predict_logits(
    model: nn.Module,
    inputs: Iterator[Tensor],
    *,
    precision: Precision,
    device: torch.device,
    on_batch: Callable[[], None] | None = None,
) -> Tensor:
    """Float32 logits [n, classes] on the CPU; the model is left in evaluation mode."""
    model.eval()
    passes = _passes(lambda batch: (model(batch),), inputs, precision, device, on_batch)
    return torch.cat([logits for (logits,) in passes])


def predict_outputs(
    model: BreedNet,
    inputs: Iterator[Tensor],
    *,
    precision: Precision,
    device: torch.device,
    on_batch: Callable[[], None] | None = None,
    most_features: int | None = None,
) -> tuple[Tensor, Tensor]:
    """As :func:`predict_logits`, and the features [≤ n, features] of at least the first ``most_features`` pictures."""
    model.eval()
    logits, features, kept = [], [], 0
    for some, read in _passes(model.outputs, inputs, precision, device, on_batch):
        logits.append(some)
        if most_features is None or kept < most_features:
            features.append(read)
            kept += len(read)
    return _joined(logits), _joined(features)


def _joined(found: list[Tensor]) -> Tensor:
    """Nothing where there were no batches: of several processes that share them, one may have none."""
    return torch.cat(found) if found else torch.empty(0)


def _passes(
    run: Callable[[Tensor], tuple[Tensor, ...]],
    inputs: Iterator[Tensor],
    precision: Precision,
    device: torch.device,
    on_batch: Callable[[], None] | None,
) -> Iterator[tuple[Tensor, ...]]:
    """What a model puts out for each batch, float32 on the CPU."""
    for batch in inputs:
        with torch.inference_mode(), precision.autocast(device):
            found = tuple(one.float().cpu() for one in run(batch))
        if on_batch is not None:
            on_batch()
        yield found


def loss_and_error(loss: LossName, logits: Tensor, targets: Tensor) -> tuple[float, float]:
    """Mean loss and the share of wrong first guesses."""
    wrong = (logits.argmax(1) != targets).float().mean().item()
    return training_loss(loss, logits, targets).item(), wrong
