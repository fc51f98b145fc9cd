"""What a training step makes small: the loss, and what a config adds to it."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 - the name everyone reads it by
from torch import Tensor

from ml.config import LossName
from ml.learn.losses import training_loss


@dataclass(frozen=True)
class Objective:
    """A batch's loss.

    ``smoothing`` in [0, 1) is taken from each target and shared among all breeds (Szegedy et al. 2016). ``weights``
    [classes], float32, is what a mistake in each breed counts, 1 on average over the training photos; None: alike.
    """

    loss: LossName
    smoothing: float = 0.0
    weights: Tensor | None = None

    def mean(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Mean over float32 logits [n, classes] with class ids [n]; a scalar."""
        if not self.smoothing and self.weights is None:
            return training_loss(self.loss, logits, targets)
        losses = self._smoothed(logits, targets)
        return (losses if self.weights is None else losses * self.weights[targets]).mean()

    def blended(self, logits: Tensor, targets: Tensor, others: Tensor, share: float) -> Tensor:
        """As :meth:`mean`, where ``share`` of each picture is its own and the rest is of one of ``others``."""
        return share * self.mean(logits, targets) + (1 - share) * self.mean(logits, others)

    def _smoothed(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Each picture's loss [n]."""
        if self.loss == "cross_entropy":
            return F.cross_entropy(logits, targets, reduction="none", label_smoothing=self.smoothing)
        wanted = F.one_hot(targets, logits.shape[1]).to(logits.dtype)
        wanted = wanted * (1 - self.smoothing) + self.smoothing / logits.shape[1]
        return F.binary_cross_entropy_with_logits(logits, wanted, reduction="none").mean(1)


def breed_weights(counts: Tensor, strength: float) -> Tensor:
    """What each breed counts, float32 [classes]: 1/count to the power of ``strength``, 1 on average over the pictures.

    With strength 1 all breeds count alike in total, with 0 all pictures do. A breed without pictures has weight 0.
    """
    there = counts > 0
    weights = torch.where(there, counts.clamp_min(1).double() ** -strength, 0.0)
    return (weights * counts.sum() / (weights * counts).sum()).float()
