"""What several sweeps say together: the middle of each suggestion, how far they lie apart, and a word for it.

Other batches and other augmentation move a suggestion; how far is the doubt in it. Each suggestion has its own word,
and the search's is the valley's, which is what ``"auto"`` uses:

- ``agree``: every sweep has an answer, and they lie at most half a decade (a factor of 3.2) apart. Rates within a
  factor of 3 train alike, so that no sweep contradicts another.
- ``weak``: more than half of the sweeps have one, and these lie at most a decade apart; or there was a single sweep,
  which nothing confirms.
- ``none``: otherwise. The middle of such sweeps would be a number without a meaning, so that there is none.

Beside them stands the rate from which on the loss rises: a bound, which a search without an answer has too.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import median
from typing import Any, Literal

from ml.reading.suggestions import FUNCTIONS, SHOWN_AS
from ml.reading.sweep_record import Sweep

Agreement = Literal["agree", "weak", "none"]
USED = "valley"
AGREE_DECADES = 0.5
WEAK_DECADES = 1.0

BELOW_RISE = 100
"""How far below the rise a trained model goes on: well below, say the workflow's own notes, and take 1e-5."""


@dataclass(frozen=True)
class JointSuggestion:
    """One suggestion over all sweeps; ``reason`` is a sentence with the numbers that the word rests on.

    ``rate`` is the geometric median, None where the word is ``none``. ``spread_decades`` is log₁₀ of the largest over
    the smallest answer, None where fewer than two sweeps have one.
    """

    rate: float | None
    spread_decades: float | None
    agreement: Agreement
    reason: str


@dataclass(frozen=True)
class RateSearch:
    """The sweeps of one search, at least one, made with the body frozen or not and at one batch size."""

    sweeps: tuple[Sweep, ...]
    freeze: bool
    batch_size: int

    @cached_property
    def judged(self) -> dict[str, JointSuggestion]:
        """What the sweeps say together, by suggestion."""
        return {name: _judge(name, self.sweeps) for name in FUNCTIONS}

    @property
    def agreement(self) -> Agreement:
        return self.judged[USED].agreement

    @property
    def agreement_reason(self) -> str:
        """A sentence with the numbers that it rests on."""
        return self.judged[USED].reason

    @property
    def rate(self) -> float | None:
        """What ``"auto"`` uses: the middle valley, or None where the sweeps have no answer in common."""
        return self.judged[USED].rate

    @property
    def rises_at(self) -> float | None:
        """Geometric median of the rates from which on the loss rises, where it does in more than half of the sweeps."""
        return _middle(self._rises) if 2 * len(self._rises) > len(self.sweeps) else None

    @property
    def advice(self) -> str | None:
        """What to do where there is no rate, in a sentence; None where there is one, or nothing to go by."""
        if self.rate is not None or self.rises_at is None:
            return None
        without = [sweep.found for sweep in self.sweeps if sweep.found.rates[USED] is None]
        is_flat = 2 * sum(found.flat for found in without) > len(self.sweeps)
        said = "no rate lowers this model's loss beyond chance" if is_flat else "the sweeps have no rate in common"
        return (
            f"{said}; from about {self.rises_at:.2g} it rises in {len(self._rises)} of {len(self.sweeps)} sweeps: "
            f"go on at a hundredth of that, {self.rises_at / BELOW_RISE:.1g}, or lower, or not at all"
        )

    @property
    def hint(self) -> str:
        """The one thing to change where a training was left to a search without an answer."""
        if self.rises_at is None:
            return "Give the rate as a number."
        most = f"{self.rises_at / BELOW_RISE:.1g}"
        return f"Give the rate as a number, {most} or lower: from about {self.rises_at:.2g} on the loss rises."

    def content(self) -> dict[str, Any]:
        """The whole record, ready for JSON; lists at the top are the first sweep's."""
        first = self.sweeps[0].content()
        judged = self.judged.items()
        return {
            **{name: first[name] for name in ("lrs", "losses", "smoothed", "stopped_early")},
            "suggestions": {name: one.rate for name, one in judged},
            "reasons": {name: one.reason for name, one in judged if one.rate is None},
            "sweeps": [sweep.content() for sweep in self.sweeps],
            "spread_decades": {name: one.spread_decades for name, one in judged},
            "agreements": {name: one.agreement for name, one in judged},
            "agreement": self.agreement,
            "agreement_of": USED,
            "agreement_reason": self.agreement_reason,
            "rate": self.rate,
            "rises_at": self.rises_at,
            "rises_at_spread_decades": _decades(self._rises),
            "rises_at_sweeps": len(self._rises),
            "advice": self.advice,
            "freeze": self.freeze,
            "batch_size": self.batch_size,
        }

    @cached_property
    def _rises(self) -> list[float]:
        return [sweep.rises_at for sweep in self.sweeps if sweep.rises_at is not None]


def _judge(name: str, sweeps: Sequence[Sweep]) -> JointSuggestion:
    rates = [rate for sweep in sweeps if (rate := sweep.found.rates[name]) is not None]
    decades = _decades(rates)
    if 2 * len(rates) <= len(sweeps):
        return JointSuggestion(None, decades, "none", _why_none(name, sweeps))
    if len(sweeps) == 1:
        return JointSuggestion(rates[0], None, "weak", f"a single sweep says {rates[0]:.2g}, and nothing confirms it")
    low, high = f"{min(rates):.2g}", f"{max(rates):.2g}"
    where = (
        f"{SHOWN_AS.get(name, name)} lies between {low} and {high} in {len(rates)} of {len(sweeps)} sweeps, "
        f"{decades or 0:.2f} decades apart"
    )
    agreement, why = _word(decades or 0, is_whole=len(rates) == len(sweeps))
    return JointSuggestion(None if agreement == "none" else _middle(rates), decades, agreement, f"{where}; {why}")


def _word(decades: float, *, is_whole: bool) -> tuple[Agreement, str]:
    if decades > WEAK_DECADES:
        return "none", f"more than {WEAK_DECADES:g} is no answer"
    if decades > AGREE_DECADES:
        return "weak", f"up to {AGREE_DECADES:g} is agreement"
    return (
        ("agree", f"up to {AGREE_DECADES:g} is agreement")
        if is_whole
        else ("weak", "agreement needs every sweep's answer")
    )


def _why_none(name: str, sweeps: Sequence[Sweep]) -> str:
    without = [sweep.found.reasons[name] for sweep in sweeps if name in sweep.found.reasons]
    if len(sweeps) == 1:
        return without[0]
    return f"{len(without)} of {len(sweeps)} sweeps have no answer; the first of them because {without[0]}"


def _middle(rates: Sequence[float]) -> float:
    return float(10 ** median(math.log10(rate) for rate in rates))


def _decades(rates: Sequence[float]) -> float | None:
    return math.log10(max(rates) / min(rates)) if len(rates) > 1 else None
