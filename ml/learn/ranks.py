"""The processes that train one model together, as a training sees them; alone there is one, and nothing is shared.

They take the same steps at the same time, each on its rows of every batch. What one asks the others for they ask for
too, in the same order: so what decides over it must be the same on all of them.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from torch import Tensor

from ml.learn.model import BreedNet
from ml.learn.rows import Rows

Network = Callable[[Tensor], Tensor]


class Ranks(Protocol):
    """A process's side of it: number ``rank``, from 0, of ``size``. Number 0 alone writes and reports."""

    @property
    def rank(self) -> int: ...

    @property
    def size(self) -> int: ...

    def part(self, model: BreedNet, rows: Rows | None, *, is_last: bool) -> AbstractContextManager[Network]:
        """Around a part of a step, forward and backward: the model, for pictures that are these rows of their batch.

        In the last part its gradients become the mean of all processes'.
        """
        ...

    def mean(self, loss: Tensor) -> Tensor:
        """The mean of all processes' scalars, on each."""
        ...

    def stepped(self, model: BreedNet) -> None:
        """After a step of the optimizer: what the processes have seen apart becomes the mean."""
        ...

    def agreed(self, value: float) -> float:
        """What process 0 has given, on each."""
        ...

    def joined(self, outputs: Tensor) -> Tensor:
        """All processes' rows, in their order, on each; a process that has none gives an empty tensor."""
        ...


class Alone:
    """The only process."""

    rank = 0
    size = 1

    def part(
        self,
        model: BreedNet,
        rows: Rows | None,  # noqa: ARG002 - all of them
        *,
        is_last: bool,  # noqa: ARG002 - nobody waits for the last
    ) -> AbstractContextManager[Network]:
        return nullcontext(model)

    def mean(self, loss: Tensor) -> Tensor:
        return loss

    def stepped(self, model: BreedNet) -> None:
        """Nobody has seen anything else."""

    def agreed(self, value: float) -> float:
        return value

    def joined(self, outputs: Tensor) -> Tensor:
        return outputs


ALONE = Alone()


def other_ranks(before: int, now: int) -> str:
    """For whoever watches a training that goes on with another number of them."""
    said = f"it was trained on {before} device{'s' if before > 1 else ''} so far and goes on with {now}"
    return f"{said}: from here on it equals an undisturbed run within rounding, no more bit for bit"
