"""Early stopping: a phase's best epoch, and for how long none was better."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor


@dataclass
class BestEpoch:
    """The epoch of a phase with the lowest validation ``loss``, ``since`` epochs ago; ``tensors`` are what it learned.

    After ``patience`` epochs without a lower one the phase is over. With 0 nothing is kept and nothing ends early.
    """

    patience: int
    loss: float | None = None
    since: int = 0
    tensors: dict[str, Tensor] = field(default_factory=dict)

    def finished(self, loss: float, learned: Mapping[str, Tensor]) -> None:
        """Take the next epoch: its validation loss, and what was learned by its end."""
        if not self.patience:
            return
        if self.loss is not None and loss >= self.loss:
            self.since += 1
            return
        self.loss, self.since = loss, 0
        self.tensors = {name: tensor.detach().to("cpu", copy=True) for name, tensor in learned.items()}

    @property
    def is_over(self) -> bool:
        """Whether the phase has waited long enough."""
        return 0 < self.patience <= self.since

    def ending(self, epoch: int, epochs: int) -> str:
        """What is told of a phase that ends with its epoch number ``epoch``, from 0, of ``epochs``."""
        ended = f"ends with epoch {epoch + 1} of {epochs}"
        return f"{ended} and keeps the weights of epoch {epoch + 1 - self.since}, its best by validation loss"
