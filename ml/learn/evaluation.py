"""Validation: logits of every item, and the two figures of the epoch's row."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from ml.config import LossName
from ml.learn.losses import training_loss
from ml.learn.model import BreedNet
from ml.learn.precision import Precision


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
    logits = []
    with torch.inference_mode():
        for batch in inputs:
            with precision.autocast(device):
                logits.append(model(batch).float().cpu())
            if on_batch is not None:
                on_batch()
    return torch.cat(logits)


@contextmanager
def kept_features(model: BreedNet, most: int) -> Iterator[list[Tensor]]:
    """What the head's last layer reads meanwhile, float32 [n, features] on the CPU a pass, until ``most`` are kept."""
    kept: list[Tensor] = []

    def keep(_: nn.Module, given: tuple[Tensor]) -> None:
        if sum(map(len, kept)) < most:
            kept.append(given[0].float().cpu())

    hook = model.head[-1].register_forward_pre_hook(keep)
    try:
        yield kept
    finally:
        hook.remove()


def loss_and_error(loss: LossName, logits: Tensor, targets: Tensor) -> tuple[float, float]:
    """Mean loss and the share of wrong first guesses."""
    wrong = (logits.argmax(1) != targets).float().mean().item()
    return training_loss(loss, logits, targets).item(), wrong
