"""From which rate on a sweep's loss rises: all that the sweep of a trained model may show. Imports no torch.

The smoothed loss tells it late: at a momentum of .98 it has hardly moved where a batch's loss is sevenfold already. So
the raw losses are asked. docs/experiments.md has how often this is a false alarm, and how late it is.
"""

from collections.abc import Sequence

import numpy as np

from ml.reading.suggestions import LEAST_FALL, scatter_of

WINDOW = 5
"""Steps that are averaged; half a decade of a usual sweep has six."""

RISE_ERRORS = 2.0
"""Standard errors by which an average must lie above the start's, as every one after it does."""


def rises_at(lrs: Sequence[float], losses: Sequence[float], steps: int) -> float | None:
    """The first rate from which on every mean of five raw losses lies clearly above the sweep's start.

    The start is the first tenth of the steps, the noise that of the first half of what ran.

    Args:
        lrs: of the steps that really ran.
        losses: their raw losses; one that is no number has risen.
        steps: how many the sweep was to have.

    Returns:
        None where the last steps are not above the start, or there are too few to say.
    """
    start = max(WINDOW, steps // 10)
    if len(losses) < start + WINDOW:
        return None
    raw = np.asarray(losses, np.float64)
    raw[~np.isfinite(raw)] = np.inf
    if not np.isfinite(raw[:start]).all():
        return None
    level = float(raw[:start].mean())
    error = scatter_of(raw[: max(start, len(raw) // 2)]) * (1 / WINDOW + 1 / start) ** 0.5
    clearly = max(RISE_ERRORS * error, LEAST_FALL * abs(level))
    means = np.lib.stride_tricks.sliding_window_view(raw, WINDOW).mean(1)
    still = np.flatnonzero(means <= level + clearly)
    first = int(still[-1]) + 1 if still.size else 0
    return float(lrs[first]) if first < len(means) else None
