"""The schedule figure: what each group's learning rate and the momentum were at each step."""

from collections.abc import Sequence
from itertools import groupby

from api.figures.chart import Axis, Chart, Dash, Line, Panel
from api.figures.heading import origin, rate_text, run_title
from api.figures.palette import BLUE, GREEN, QUIET, VERMILION
from api.figures.steps import phase_rules, with_gaps
from store.db.models import Batch, Run

GROUPS: tuple[tuple[str, str, Dash], ...] = (
    ("early body layers", BLUE, "dot"),
    ("late body layers", GREEN, "dash"),
    ("head", VERMILION, "solid"),
)
LOG_FROM = 5.0
"""Where one highest rate is so many times another, of a group or a phase, a linear axis would hide the lower one."""
FLOOR = 0.5
MOST_NAMED = 3


def schedule_chart(run: Run, batches: Sequence[Batch]) -> Chart:
    """Learning rates and momentum by step, as far as the run has come; ``batches`` has one at least."""
    phases = [list(rows) for _, rows in groupby(batches, key=lambda batch: batch.phase)]
    peaks = [[max(rates) for rates in zip(*(batch.lr for batch in rows), strict=True)] for rows in phases]
    log = max(map(max, peaks)) >= LOG_FROM * min(map(min, peaks))
    rates = _rate_axis(phases, log=log)
    x, momentum = with_gaps(batches, [batch.momentum for batch in batches])
    return Chart(
        title=run_title("Schedule", run),
        subtitle=origin(run, None, f"highest rate {', then '.join(_peaks_text(some) for some in peaks[:MOST_NAMED])}"),
        drawn=run.dataset.drawn,
        x=Axis(title="training step", low=0),
        panels=[
            Panel(y=rates, marks=_rate_lines(batches), share=2.2),
            Panel(y=Axis(title="momentum"), marks=[Line(name="momentum", x=x, y=momentum, colour=QUIET, legend=False)]),
        ],
        rules=phase_rules(run, batches),
        notes=["Each phase ends near zero, below this logarithmic axis."]
        if log and min(min(batch.lr) for batch in batches) < (rates.low or 0)
        else [],
        height=580,
    )


def _rate_axis(phases: Sequence[Sequence[Batch]], *, log: bool) -> Axis:
    if not log:
        return Axis(title="learning rate", low=0)
    lowest_start = min(min(rows[0].lr) for rows in phases)
    return Axis(title="learning rate (log)", log=True, low=FLOOR * lowest_start)


def _peaks_text(peaks: Sequence[float]) -> str:
    return " / ".join(rate_text(peak) for peak in sorted(set(peaks)))


def _rate_lines(batches: Sequence[Batch]) -> list[Line]:
    """One line a group, the head's below the others; a single one where the groups never differ."""
    groups = list(zip(*(batch.lr for batch in batches), strict=True))
    if len(set(groups)) == 1:
        x, y = with_gaps(batches, groups[0])
        return [Line(name="all groups", x=x, y=y, colour=BLUE)]
    lines = []
    for (name, colour, dash), rates in reversed(list(zip(GROUPS, groups, strict=True))):
        x, y = with_gaps(batches, rates)
        lines.append(Line(name=name, x=x, y=y, colour=colour, dash=dash))
    return lines
