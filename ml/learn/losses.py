"""The two losses: softmax over all breeds, or one sigmoid an output (workflow-spec 9.3)."""

import torch
import torch.nn.functional as F  # noqa: N812 - the name everyone reads it by
from torch import Tensor

from ml.config import LossName


def training_loss(loss: LossName, logits: Tensor, targets: Tensor) -> Tensor:
    """Mean loss of a batch.

    Args:
        loss: which one.
        logits: float32 [n, classes].
        targets: class ids, int64 [n].

    Returns:
        A scalar. Binary cross-entropy is the mean over pictures and classes.
    """
    return item_losses(loss, logits, targets).mean()


def item_losses(loss: LossName, logits: Tensor, targets: Tensor) -> Tensor:
    """Each picture's loss [n], in the logits' dtype; binary cross-entropy is the mean over the classes."""
    if loss == "cross_entropy":
        return F.cross_entropy(logits, targets, reduction="none")
    wanted = F.one_hot(targets, logits.shape[1]).to(logits.dtype)
    return F.binary_cross_entropy_with_logits(logits, wanted, reduction="none").mean(1)


def item_losses_of_scores(loss: LossName, scores: Tensor, targets: Tensor) -> Tensor:
    """As :func:`item_losses`, from float64 scores in [0, 1] without logits, such as averages.

    A score that was rounded to 0 or 1 counts as the nearest number that is neither: no model is so certain that its
    mistake costs infinitely much.
    """
    least = torch.finfo(scores.dtype).tiny
    if loss == "cross_entropy":
        return -scores.gather(1, targets[:, None])[:, 0].clamp_min(least).log()
    wanted = F.one_hot(targets, scores.shape[1]).bool()
    least_doubt = torch.finfo(scores.dtype).eps / 2
    return -torch.where(wanted, scores.clamp_min(least), (1 - scores).clamp_min(least_doubt)).log().mean(1)


def scores_of(loss: LossName, logits: Tensor) -> Tensor:
    """Scores in [0, 1], float64 [n, classes]: they sum to 1 only under cross-entropy."""
    return torch.softmax(logits.double(), 1) if loss == "cross_entropy" else torch.sigmoid(logits.double())
