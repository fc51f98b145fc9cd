"""What a run's curves say: one word and one sentence for each phase, from the table of epochs.

The rules, in the order in which they are tried. What comes *before* a phase is the last epoch of the phase before or,
before a run's first phase, the last one of the run that it goes on from. A *reference* is the phase's first epoch or,
where there is one, the epoch before the phase, whichever had the lower error rate.

"Clearly" is what :mod:`ml.reading.chance` calls more than chance.

``rate_too_high``
    The training loss ended 10 % or more above the reference's, and the error rate ended clearly above it (and at 1.5
    times or more, where the phase is not over). Over-fitting lowers the training loss; a step that is too long raises
    both. Or: the training loss ended 10 % or more above the reference's, and both losses are worse than guessing. Or:
    the training loss is worse than that of a model not yet trained. Or: the weights were pretrained, and the
    validation loss is far worse than guessing. See :mod:`ml.reading.rate_signs`.
``too_few_epochs``
    One epoch, not clearly worse than the reference: it says nothing about a trend. Or, in place of ``flat``: two or
    three epochs, at whose end the error rate is clearly below that before the phase (in a run's first: its first
    epoch). It fell a moment ago, and what would be called flat is one epoch.
``over_fitting``
    The validation loss and the error rate both ended clearly above their best, and the training loss fell meanwhile.
``over_confident``
    The validation loss has been above its best for 2 epochs or more, ended clearly above it, and the training loss
    fell meanwhile, while the error rate ended not clearly above what it was at that best.
``getting_worse``
    The error rate or the validation loss ended clearly above its best, in any other way; or the error rate ended
    clearly above that of the epoch before the phase, whichever way it goes now.
``still_improving``
    In the last quarter of the epochs (one at least) the best validation loss or error rate is clearly below the best
    of the epochs before.
``flat``
    Nothing of these.

To ``too_few_epochs``, ``getting_worse`` and ``flat`` a second sentence is added where the validation loss is worse than
guessing although nothing was learned by heart, and the error rate did not fall clearly. To any word but
``rate_too_high`` one is added where the error rate is not clearly below that of guessing.

With several phases a last reading, of phase None, tells of the run as a whole: with the last phase's word, or
``getting_worse`` where its end is clearly worse than the best of all epochs.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from ml.config import LossName
from ml.reading.chance import Chance
from ml.reading.rate_signs import EpochFigures, Guessing, Signs

Word = Literal[
    "too_few_epochs", "still_improving", "flat", "over_confident", "over_fitting", "rate_too_high", "getting_worse"
]

CONFIDENT_EPOCHS = 2
LAST_PART = 4
DOUBTED: frozenset[Word] = frozenset({"too_few_epochs", "getting_worse", "flat"})
HOPEFUL: frozenset[Word] = frozenset({"too_few_epochs", "still_improving", "flat"})


@dataclass(frozen=True)
class PlannedRun:
    """What the run was to do, as far as its curves are read by it.

    ``epochs`` and ``rates`` are by phase: how many, and the highest learning rate, None where it is not known.
    ``before`` is the last epoch of the run that it goes on from, where that one validated the same pictures.
    """

    loss: LossName
    breeds: int
    pretrained: bool
    epochs: Sequence[int]
    rates: Sequence[float | None]
    before: EpochFigures | None = None


@dataclass(frozen=True)
class CurveReading:
    """What the curves of a phase say; ``phase`` counts from 0, None is the run as a whole."""

    phase: int | None
    word: Word
    sentence: str


def read_curves(epochs: Sequence[EpochFigures], valid_items: int, asked: PlannedRun) -> list[CurveReading]:
    """Read each phase and, where there are several, the run as a whole.

    Args:
        epochs: the finished epochs, in order.
        valid_items: validation photos, n > 0; how much chance there is in an error rate.
        asked: what the run was to do.

    Returns:
        One reading a phase that has an epoch; nothing for a run without epochs.
    """
    chance = Chance(valid_items)
    phases = [list(rows) for _, rows in groupby(epochs, key=lambda row: row.phase)]
    readings = []
    for i, rows in enumerate(phases):
        reading = _Phase(rows, phases[i - 1][-1] if i else asked.before, chance, asked)
        readings.append(CurveReading(rows[0].phase, *reading.read()))
    if len(phases) > 1:
        word, sentence = readings[-1].word, _whole(epochs, len(phases), chance)
        best = min(row.error_rate for row in epochs)
        if word in HOPEFUL and chance.clearly_worse(epochs[-1].error_rate, best):
            word = "getting_worse"
        readings.append(CurveReading(None, word, sentence + _rates(asked) if word == "rate_too_high" else sentence))
    return readings


class _Phase:
    """The rows of one phase beside the last row of the phase before."""

    def __init__(
        self, rows: Sequence[EpochFigures], before: EpochFigures | None, chance: Chance, asked: PlannedRun
    ) -> None:
        self.rows = rows
        self.chance = chance
        self.last = rows[-1]
        self.before = before
        self.before_at = "at the end of the " + ("phase before" if rows[0].phase else "run that this one goes on from")
        self.guess = 1 - 1 / asked.breeds
        self.best_loss = min(range(len(rows)), key=lambda i: _or_infinite(rows[i].valid_loss))
        self.best_error = min(range(len(rows)), key=lambda i: rows[i].error_rate)
        starts = [row for row in (before, rows[0] if len(rows) > 1 else None) if row is not None]
        self.reference = min(starts, key=lambda row: row.error_rate) if starts else None
        self.from_before = self.reference is before
        self.signs = Signs(
            last=self.last,
            start=self.reference,
            since=self._start(),
            over=len(rows) >= asked.epochs[self.last.phase],
            rate=asked.rates[self.last.phase],
            guessing=Guessing(asked.loss, asked.breeds),
            pretrained=asked.pretrained,
            chance=chance,
        )

    def read(self) -> tuple[Word, str]:
        """The first rule that holds."""
        too_high = self.signs.verdict()
        if too_high is not None:
            return "rate_too_high", too_high
        word, sentence = self._single() or self._worse() or self._behind() or self._trend()
        doubt = self.signs.doubt() if word in DOUBTED else None
        return word, " ".join(part for part in (sentence, doubt, self._no_better_than_guessing()) if part is not None)

    def _single(self) -> tuple[Word, str] | None:
        if len(self.rows) > 1:
            return None
        start, last = self.reference, self.last
        if start is not None and self.chance.clearly_worse(last.error_rate, start.error_rate):
            return "getting_worse", (
                f"After its one epoch the error rate is {_percent(last.error_rate)}, against "
                f"{_percent(start.error_rate)} {self._start()}; one epoch cannot say whether it would come back."
            )
        return "too_few_epochs", (
            f"One epoch, with an error rate of {_percent(last.error_rate)} (±{self._points(last.error_rate)} points of "
            f"chance on {_photos(self.chance.n)}), says nothing about a trend."
        )

    def _worse(self) -> tuple[Word, str] | None:
        rows, last, chance = self.rows, self.last, self.chance
        loss, error = rows[self.best_loss], rows[self.best_error]
        learned = last.train_loss < loss.train_loss
        since = len(rows) - 1 - self.best_loss
        loss_up = chance.loss_clearly_above(last.valid_loss, loss.valid_loss)
        error_up = chance.clearly_worse(last.error_rate, error.error_rate)
        loss_part = f"the validation loss rose from {loss.valid_loss:.3g} to {last.valid_loss:.3g}"
        train_part = f"the training loss fell from {loss.train_loss:.3g} to {last.train_loss:.3g}"
        at = f"since epoch {self.best_loss + 1} of {len(rows)}"
        if loss_up and error_up and learned:
            return "over_fitting", (
                f"Over-fitting {at}: {loss_part} and the error rate from {_percent(error.error_rate)} to "
                f"{_percent(last.error_rate)}, while {train_part}."
            )
        if (
            loss_up
            and learned
            and since >= CONFIDENT_EPOCHS
            and not chance.clearly_worse(last.error_rate, loss.error_rate)
        ):
            return "over_confident", (
                f"Over-confident, not yet over-fitting: {at} {loss_part}, but the error rate is not worse "
                f"({_percent(loss.error_rate)}, now {_percent(last.error_rate)}), while {train_part}."
            )
        if loss_up or error_up:
            return "getting_worse", self._how_worse(loss_up=loss_up, error_up=error_up)
        return None

    def _how_worse(self, *, loss_up: bool, error_up: bool) -> str:
        last, loss, error = self.last, self.rows[self.best_loss], self.rows[self.best_error]
        parts = []
        if loss_up:
            parts.append(
                f"the validation loss {last.valid_loss:.3g}, against {loss.valid_loss:.3g} in epoch "
                f"{self.best_loss + 1}"
            )
        if error_up:
            parts.append(
                f"the error rate {_percent(last.error_rate)}, against {_percent(error.error_rate)} in epoch "
                f"{self.best_error + 1}"
            )
        ends = f"{len(self.rows)} epochs end worse than the best of them: {' and '.join(parts)}"
        steady = "" if error_up else f"; the error rate, {_percent(last.error_rate)}, is not clearly worse"
        return f"{ends}{steady}."

    def _behind(self) -> tuple[Word, str] | None:
        """Worse than before the phase, whatever it does now."""
        before, last = self.before, self.last
        if before is None or not self.chance.clearly_worse(last.error_rate, before.error_rate):
            return None
        return "getting_worse", (
            f"The error rate, {_percent(last.error_rate)}, is clearly above the {_percent(before.error_rate)} "
            f"{self.before_at}. {self._trend()[1]}"
        )

    def _no_better_than_guessing(self) -> str | None:
        if self.chance.clearly_below(self.last.error_rate, self.guess):
            return None
        return f"The error rate is not clearly below that of guessing, {_percent(self.guess)}."

    def _trend(self) -> tuple[Word, str]:
        rows, chance = self.rows, self.chance
        part = math.ceil(len(rows) / LAST_PART)
        early, late = rows[:-part], rows[-part:]
        loss, new_loss = (min(_or_infinite(row.valid_loss) for row in some) for some in (early, late))
        error, new_error = (min(row.error_rate for row in some) for some in (early, late))
        fell = chance.loss_clearly_above(loss, new_loss)
        error_fell = chance.clearly_worse(error, new_error)
        where = f"the last {part} of {len(rows)} epochs" if part > 1 else f"the last of {len(rows)} epochs"
        losses = f"validation loss from {loss:.3g} to {new_loss:.3g}"
        errors = f"error rate from {_percent(error)} to {_percent(new_error)}"
        improving = f"Still improving in {where}, by the best before and the best since:"
        if error_fell:
            return "still_improving", f"{improving} {errors}, {losses}."
        points = f"{_shown_points(chance.of_errors(error, new_error))} points of error"
        if fell:
            return "still_improving", f"{improving} {losses}; {errors}, where up to {points} may be chance."
        may_be = f"on {_photos(chance.n)} up to {_percent(chance.loss_share)} of the loss and {points} may be chance"
        start = self.before or rows[0]
        if len(rows) < LAST_PART and chance.clearly_worse(start.error_rate, self.last.error_rate):
            return "too_few_epochs", (
                f"The error rate fell from {_percent(start.error_rate)} "
                f"{self.before_at if self.before else 'in the first epoch'} to {_percent(self.last.error_rate)}; "
                f"whether it falls on, {len(rows)} epochs are too few to say: {errors}, {losses} in {where}, where "
                f"{may_be}."
            )
        return "flat", f"Flat in {where}, by the best before and the best since: {errors}, {losses}; {may_be}."

    def _start(self) -> str:
        return self.before_at if self.from_before else "after the phase's first epoch"

    def _points(self, error: float) -> str:
        return _shown_points(self.chance.of_errors(error, error) / math.sqrt(2))


def _whole(epochs: Sequence[EpochFigures], phases: int, chance: Chance) -> str:
    first, last = epochs[0], epochs[-1]
    best = min(range(len(epochs)), key=lambda i: epochs[i].error_rate)
    sentence = (
        f"Over {phases} phases and {len(epochs)} epochs the error rate went from {_percent(first.error_rate)} to "
        f"{_percent(last.error_rate)}"
    )
    if chance.clearly_worse(last.error_rate, epochs[best].error_rate):
        return f"{sentence}; the best, {_percent(epochs[best].error_rate)}, was epoch {best + 1}'s."
    if all(chance.clearly_worse(row.error_rate, last.error_rate) for row in epochs[:-1]):
        return f"{sentence}, clearly the best of all epochs."
    if not chance.clearly_worse(first.error_rate, last.error_rate):
        points = _shown_points(chance.of_errors(first.error_rate, last.error_rate))
        return f"{sentence}; on {_photos(chance.n)} up to {points} points may be chance."
    return f"{sentence}; no epoch was clearly better than the last on {_photos(chance.n)}."


def _rates(asked: PlannedRun) -> str:
    known = [rate for rate in asked.rates if rate is not None]
    return f" The highest learning rate was {max(known):.3g}." if known else ""


def _or_infinite(loss: float) -> float:
    return math.inf if math.isnan(loss) else loss


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _shown_points(share: float) -> str:
    return f"{100 * share:.1f}"


def _photos(n: int) -> str:
    return f"{n} photos" if n > 1 else "1 photo"
