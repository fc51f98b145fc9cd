"""What several sweeps say together: the middle of each suggestion, how far they lie apart, and a word for it.

The word rests on the valley alone, which is what ``"auto"`` uses. Other batches and other augmentation move a
suggestion; how far is the doubt in it:

- ``agree``: every sweep has a valley, and they lie at most half a decade (a factor of 3.2) apart. Rates within a factor
  of 3 train alike, so that no sweep contradicts another.
- ``weak``: more than half of the sweeps have one, and these lie at most a decade apart; or there was a single sweep,
  which nothing confirms.
- ``none``: otherwise. The middle of such sweeps is a number without a meaning, and ``"auto"`` does not use it.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from statistics import median
from typing import Any, Literal

from ml.suggestions import FUNCTIONS
from ml.sweep import Sweep

Agreement = Literal["agree", "weak", "none"]
USED = "valley"
AGREE_DECADES = 0.5
WEAK_DECADES = 1.0


@dataclass(frozen=True)
class Found:
    """The sweeps of one search, at least one, made with the body frozen or not and at one batch size."""

    sweeps: tuple[Sweep, ...]
    freeze: bool
    batch_size: int

    def rates_of(self, name: str) -> list[float]:
        """The sweeps' answers to one suggestion; those without one are left out."""
        rates = [sweep.found.rates[name] for sweep in self.sweeps]
        return [rate for rate in rates if rate is not None]

    @cached_property
    def suggestions(self) -> dict[str, float | None]:
        """Geometric median over the sweeps, where more than half of them have an answer."""
        return {name: self._middle(name) for name in FUNCTIONS}

    @cached_property
    def reasons(self) -> dict[str, str]:
        """A sentence for each suggestion without an answer."""
        return {name: self._reason(name) for name, rate in self.suggestions.items() if rate is None}

    @cached_property
    def spread_decades(self) -> dict[str, float | None]:
        """log₁₀ of the largest over the smallest answer; None where fewer than two sweeps have one."""
        return {name: _decades(self.rates_of(name)) for name in FUNCTIONS}

    @property
    def agreement(self) -> Agreement:
        """The word; see the module."""
        return self._judged[0]

    @property
    def agreement_reason(self) -> str:
        """A sentence with the numbers that the word rests on."""
        return self._judged[1]

    @property
    def rate(self) -> float | None:
        """What ``"auto"`` uses: the middle valley, or None where the sweeps have no answer in common."""
        return None if self.agreement == "none" else self.suggestions[USED]

    def content(self) -> dict[str, Any]:
        """The whole record, ready for JSON; lists at the top are the first sweep's."""
        first = self.sweeps[0].content()
        return {
            **{name: first[name] for name in ("lrs", "losses", "smoothed", "stopped_early")},
            "suggestions": self.suggestions,
            "reasons": self.reasons,
            "sweeps": [sweep.content() for sweep in self.sweeps],
            "spread_decades": self.spread_decades,
            "agreement": self.agreement,
            "agreement_reason": self.agreement_reason,
            "rate": self.rate,
            "freeze": self.freeze,
            "batch_size": self.batch_size,
        }

    def _middle(self, name: str) -> float | None:
        rates = self.rates_of(name)
        if 2 * len(rates) <= len(self.sweeps):
            return None
        return 10 ** median(math.log10(rate) for rate in rates)

    def _reason(self, name: str) -> str:
        without = [sweep.found.reasons[name] for sweep in self.sweeps if name in sweep.found.reasons]
        if len(self.sweeps) == 1:
            return without[0]
        return f"{len(without)} of {len(self.sweeps)} sweeps have no answer; the first of them because {without[0]}"

    @cached_property
    def _judged(self) -> tuple[Agreement, str]:
        rates = self.rates_of(USED)
        if self.suggestions[USED] is None:
            return "none", self.reasons[USED]
        if len(self.sweeps) == 1:
            return "weak", f"a single sweep says {rates[0]:.2g}, and nothing confirms it"
        decades = _decades(rates) or 0.0
        where = (
            f"{USED} lies between {min(rates):.2g} and {max(rates):.2g} in {len(rates)} of {len(self.sweeps)} sweeps, "
            f"{decades:.2f} decades apart"
        )
        if decades > WEAK_DECADES:
            return "none", f"{where}; more than {WEAK_DECADES:g} is no answer"
        if decades > AGREE_DECADES:
            return "weak", f"{where}; up to {AGREE_DECADES:g} is agreement"
        if len(rates) < len(self.sweeps):
            return "weak", f"{where}; agreement needs an answer of every sweep"
        return "agree", f"{where}; up to {AGREE_DECADES:g} is agreement"


def _decades(rates: list[float]) -> float | None:
    return math.log10(max(rates) / min(rates)) if len(rates) > 1 else None
