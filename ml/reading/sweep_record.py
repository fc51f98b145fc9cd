"""What one sweep gave, as it is kept and judged. Imports no torch."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ml.reading.rise import rises_at
from ml.reading.suggestions import Suggestions


@dataclass(frozen=True)
class Sweep:
    """What one sweep gave: the rate, the raw and the smoothed loss of each step that ran; how many were to run.

    A step whose loss diverged or was no number is the last, and is in the lists.
    """

    lrs: tuple[float, ...]
    losses: tuple[float, ...]
    smoothed: tuple[float, ...]
    steps: int
    found: Suggestions

    @property
    def stopped_early(self) -> bool:
        """Whether not all steps ran."""
        return len(self.lrs) < self.steps

    @cached_property
    def rises_at(self) -> float | None:
        """The rate from which on the loss rises clearly; None where it does not."""
        return rises_at(self.lrs, self.losses, self.steps)

    def content(self) -> dict[str, Any]:
        """Ready for JSON, which has no NaN: a loss that is no number is None."""
        return {
            "lrs": list(self.lrs),
            "losses": _finite(self.losses),
            "smoothed": _finite(self.smoothed),
            "stopped_early": self.stopped_early,
            "suggestions": self.found.rates,
            "reasons": self.found.reasons,
            "rises_at": self.rises_at,
        }


def _finite(values: Sequence[float]) -> list[float | None]:
    return [value if math.isfinite(value) else None for value in values]
