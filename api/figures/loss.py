"""The loss figure: each step's loss, its smoothed course and the validation loss at each epoch's end."""

import math
from collections.abc import Sequence

from api.figures.chart import Axis, Chart, Line, Panel
from api.figures.heading import loss_name, origin, run_title
from api.figures.palette import BLUE, SKY, VERMILION
from api.figures.steps import epoch_ends, phase_rules, step_axis, with_gaps
from store.db.models import Batch, Epoch, Run

MOST_SEEN = 0.98
"""Share of the single steps' losses that the axis has to show; spikes may leave it."""
LOG_FROM = 10.0
"""Where the losses span so much, a linear axis would press the later epochs to the ground."""


def loss_chart(run: Run, batches: Sequence[Batch], epochs: Sequence[Epoch]) -> Chart:
    """Loss by step, as far as the run has come. The axis is logarithmic where the losses span a decade."""
    smoothed = [batch.train_loss for batch in batches]
    raw = [batch.raw_loss for batch in batches]
    valid = [row.valid_loss for row in epochs]
    x, raw_y = with_gaps(batches, raw)
    smoothed_y = with_gaps(batches, smoothed)[1]
    marks = [
        Line(name="training, each step", x=x, y=raw_y, colour=SKY, width=1, opacity=0.55),
        Line(name="training, smoothed", x=x, y=smoothed_y, colour=BLUE, width=2.2),
    ]
    if epochs:
        ends = epoch_ends(run, epochs)
        marks.append(Line(name="validation, each epoch", x=ends, y=valid, colour=VERMILION, dots=True))
    return Chart(
        title=run_title("Loss", run),
        facts=origin(run, None, *_last_figures(epochs)),
        drawn=run.dataset.drawn,
        x=step_axis(batches),
        panels=[Panel(y=_axis(run, [*smoothed, *valid], raw), marks=marks)],
        rules=phase_rules(run, batches),
        notes=_no_numbers(batches),
        told=[f"Validation loss of each epoch: {', '.join(f'{loss:.3g}' for loss in valid)}."] if epochs else [],
    )


def _no_numbers(batches: Sequence[Batch]) -> list[str]:
    """Where lines have gaps because a loss was NaN or infinite."""
    first = next((batch.step for batch in batches if not math.isfinite(batch.raw_loss)), None)
    return [] if first is None else [f"A loss that is not a number is a gap; the first is at step {first}."]


def _axis(run: Run, thick: Sequence[float], raw: Sequence[float]) -> Axis:
    """An axis that shows all of the thick lines and nearly all of the single steps' losses."""
    thick = [value for value in thick if math.isfinite(value)]
    steps = sorted(value for value in raw if math.isfinite(value))
    most = max([*thick, *steps[: math.ceil(MOST_SEEN * len(steps))]], default=1.0)
    least = min(thick, default=0.0)
    title = f"{loss_name(run)} loss"
    if least <= 0 or most < LOG_FROM * least:
        return Axis(title=title, low=0, high=1.05 * most)
    return Axis(title=f"{title} (log)", log=True, low=least / 2, high=1.2 * most)


def _last_figures(epochs: Sequence[Epoch]) -> list[str]:
    if not epochs:
        return []
    last = epochs[-1]
    return [f"validation loss {last.valid_loss:.3f}, error rate {100 * last.error_rate:.1f} %"]
