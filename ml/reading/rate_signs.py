"""What in a phase's figures says that its learning rate is too high, and what only may say it.

*Guessing* is the loss of a model that has learned nothing and knows it: ln(breeds) under cross-entropy, where every
breed gets the same probability; ln 2 under binary cross-entropy, where every breed gets even odds. (There, knowing how
rare a breed is would give less, but a training begins at even odds and passes through what lies between.)

The training loss is the better witness. It is taken with each batch's own statistics, while a validation uses
BatchNorm's running averages. Before these have settled, a healthy training may validate at many times what guessing
gives: 2.6 times was seen after 3 steps with pretrained weights, 20 times after 7 steps from scratch at the usual rate.
So a validation loss worse than guessing is told with both of its possible causes, and speaks the verdict alone only
where the weights were pretrained and it is far worse (:data:`FAR_WORSE`).
"""

import math
from dataclasses import dataclass
from typing import Protocol

from ml.config import LossName
from ml.reading.chance import Chance

TRAIN_LOSS_ROSE = 1.1
ERROR_FAR_WORSE = 1.5
NEVER_TRAINED = 3.0
"""Above guessing. The head's first weights give logits of variance 2, and 4 with dropout, which costs half of that: an
untrained model's training loss is about 2 above guessing at most, 1.7 where it was measured."""
FAR_WORSE = 10.0
"""Times guessing. After a few steps from pretrained weights, whose BatchNorm is settled but in the head, 2.6 times was
seen, and 8 where all layers learned at 0.003 from the first step; at 0.1 it was 9 to 43 times (docs/experiments.md)."""
LEARNED = 0.5
"""Below this share of guessing, a training loss has been learned: what then validates worse than guessing was learned
by heart."""


class EpochFigures(Protocol):
    """One row of the table of epochs; ``phase`` and ``epoch`` count from 0, the error rate is in [0, 1]."""

    @property
    def phase(self) -> int: ...

    @property
    def train_loss(self) -> float:
        """Smoothed training loss at the epoch's end; the smoothing begins anew in each phase."""
        ...

    @property
    def valid_loss(self) -> float:
        """Mean loss of the validation photos."""
        ...

    @property
    def error_rate(self) -> float:
        """Share of the validation photos whose first guess is wrong."""
        ...


@dataclass(frozen=True)
class Guessing:
    """The loss of guessing among ``breeds`` > 0 breeds."""

    loss: LossName
    breeds: int

    @property
    def value(self) -> float:
        """The loss."""
        return math.log(self.breeds if self.loss == "cross_entropy" else 2)

    def __str__(self) -> str:
        if self.loss == "cross_entropy":
            return f"guessing every breed alike (ln {self.breeds} = {self.value:.2f})"
        return f"even odds on every breed (ln 2 = {self.value:.2f})"


@dataclass(frozen=True)
class Signs:
    """A phase's last row beside the row that it is compared with, None where there is none.

    ``since`` says in words where that row stands; ``over`` is true where the phase has run all its epochs, so that its
    rate has come down to nothing; ``rate`` is the highest of the phase, None where it is not known; ``pretrained`` says
    whether the run goes back to pretrained weights.
    """

    last: EpochFigures
    start: EpochFigures | None
    since: str
    over: bool
    rate: float | None
    guessing: Guessing
    pretrained: bool
    chance: Chance

    def verdict(self) -> str | None:
        """The sentence that says that the rate is too high, or None."""
        return self._error_rose() or self._loss_rose() or self._worse_than_new() or self._far_worse()

    def doubt(self) -> str | None:
        """The sentence for a validation loss worse than guessing, which has two possible causes; or None."""
        last = self.last
        if self._has_learned() or not self._validates_worse() or self._clearly_fewer_errors():
            return None
        here = "" if self.rate is None else f" (here up to {self.rate:.3g})"
        return (
            f"The validation loss, {last.valid_loss:.3g}, is worse than {self.guessing}: a training that has only "
            f"begun does that, and so does a learning rate{here} that is too high."
        )

    def _error_rose(self) -> str | None:
        start, last = self.start, self.last
        if start is None or not self._train_rose(start) or not self._clearly_more_errors(start):
            return None
        return (
            f"The error rate rose from {100 * start.error_rate:.1f} % {self.since} to {100 * last.error_rate:.1f} % "
            f"and the training loss with it, from {start.train_loss:.3g} to {last.train_loss:.3g}: "
            f"the learning rate{self._up_to} is probably too high."
        )

    def _clearly_more_errors(self, start: EpochFigures) -> bool:
        """While the rate is still high, an error that comes back by itself is not unusual: it must be far worse."""
        if not self.chance.clearly_worse(self.last.error_rate, start.error_rate):
            return False
        return self.over or self.last.error_rate >= ERROR_FAR_WORSE * start.error_rate

    def _clearly_fewer_errors(self) -> bool:
        start = self.start
        return start is not None and self.chance.clearly_worse(start.error_rate, self.last.error_rate)

    def _loss_rose(self) -> str | None:
        start, last = self.start, self.last
        if start is None or not self._train_rose(start):
            return None
        if last.train_loss <= self.guessing.value or not self._validates_worse():
            return None
        return (
            f"The training loss rose from {start.train_loss:.3g} {self.since} to {last.train_loss:.3g}; it and the "
            f"validation loss, {last.valid_loss:.3g}, are worse than {self.guessing}: "
            f"the learning rate{self._up_to} is probably too high."
        )

    def _worse_than_new(self) -> str | None:
        if self.last.train_loss <= self.guessing.value + NEVER_TRAINED:
            return None
        return (
            f"The training loss, {self.last.train_loss:.3g}, is worse than a new model's, which is about 2 above "
            f"{self.guessing} at most: the learning rate{self._up_to} is too high."
        )

    def _far_worse(self) -> str | None:
        times = self.last.valid_loss / self.guessing.value
        if not self.pretrained or self._has_learned() or times <= FAR_WORSE:
            return None
        return (
            f"The validation loss, {self.last.valid_loss:.3g}, is {times:.0f} times that of {self.guessing}, far more "
            f"than where a training from pretrained weights has only begun: the learning rate{self._up_to} is probably "
            "too high."
        )

    def _has_learned(self) -> bool:
        return self.last.train_loss < LEARNED * self.guessing.value

    def _train_rose(self, start: EpochFigures) -> bool:
        return self.last.train_loss >= TRAIN_LOSS_ROSE * start.train_loss

    def _validates_worse(self) -> bool:
        return self.chance.loss_clearly_above(self.last.valid_loss, self.guessing.value)

    @property
    def _up_to(self) -> str:
        return "" if self.rate is None else f", up to {self.rate:.3g} in this phase,"
