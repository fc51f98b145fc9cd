"""The schedule figure: what each group's learning rate and the momentum were at each step."""

from collections.abc import Sequence
from itertools import groupby

from api.figures.chart import Axis, Chart, Dash, Line, Panel
from api.figures.heading import listed, origin, rate_text, run_title
from api.figures.palette import BLUE, GREEN, QUIET, VERMILION
from api.figures.steps import phase_rules, step_axis, with_gaps
from store.db.models import Batch, Run

GROUPS: tuple[tuple[str, str, Dash], ...] = (
    ("early body layers", BLUE, "dot"),
    ("late body layers", GREEN, "dash"),
    ("head", VERMILION, "solid"),
)
LOG_FROM = 5.0
"""Where one highest rate is so many times another, of a group or a phase, a linear axis would hide the lower one."""
FLOOR, ABOVE = 0.5, 1.05
"""The rates' axis starts at so many times the lowest first rate; a linear one ends at so many times the highest."""
BESIDE = 0.008
"""Momentum that is shown below the lowest and above the highest."""
MOST_NAMED = 3


def schedule_chart(run: Run, batches: Sequence[Batch]) -> Chart:
    """Learning rates and momentum by step, as far as the run has come; ``batches`` has one at least."""
    phases = [list(rows) for _, rows in groupby(batches, key=lambda batch: batch.phase)]
    peaks = [[max(rates) for rates in zip(*(batch.lr for batch in rows), strict=True)] for rows in phases]
    log = max(map(max, peaks)) >= LOG_FROM * min(map(min, peaks))
    rates = _rate_axis(phases, log=log)
    momenta = [batch.momentum for batch in batches]
    x, momentum = with_gaps(batches, momenta)
    return Chart(
        title=run_title("Schedule", run),
        facts=origin(run, None, f"highest rate {', then '.join(_peaks_text(some) for some in peaks[:MOST_NAMED])}"),
        drawn=run.dataset.drawn,
        x=step_axis(batches),
        panels=[
            Panel(y=rates, marks=_rate_lines(batches), share=2.2),
            Panel(
                y=Axis(title="momentum", low=min(momenta) - BESIDE, high=max(momenta) + BESIDE),
                marks=[Line(name="momentum", x=x, y=momentum, colour=QUIET, legend=False)],
            ),
        ],
        rules=phase_rules(run, batches),
        notes=_below(phases, rates.low) if rates.log and rates.low else [],
        plot_height=418,
    )


def _rate_axis(phases: Sequence[Sequence[Batch]], *, log: bool) -> Axis:
    highest = max(max(batch.lr) for rows in phases for batch in rows)
    if not log:
        return Axis(title="learning rate", low=0, high=ABOVE * highest, values="rate")
    lowest_start = min(min(rows[0].lr) for rows in phases)
    return Axis(title="learning rate (log)", log=True, low=FLOOR * lowest_start, high=highest * 1.3, values="rate")


def _below(phases: Sequence[Sequence[Batch]], low: float) -> list[str]:
    """Which phases and groups end below the axis, and how far."""
    ends: dict[str, list[tuple[int, float]]] = {}
    for rows in phases:
        lowest = [min(rates) for rates in zip(*(batch.lr for batch in rows), strict=True)]
        under = [i for i, rate in enumerate(lowest) if rate < low]
        if under:
            groups = "all groups" if len(under) == len(lowest) else listed([GROUPS[i][0] for i in under])
            ends.setdefault(groups, []).append((rows[0].phase + 1, min(lowest[i] for i in under)))
    parts = [
        f"the end of {_phases_text([phase for phase, _ in some])} for {groups}, "
        f"down to {rate_text(min(rate for _, rate in some))}"
        for groups, some in ends.items()
    ]
    return [f"Rates below {rate_text(low)} lie under this axis: {'; '.join(parts)}."] if parts else []


def _phases_text(numbers: Sequence[int]) -> str:
    return f"phase{'s' if len(numbers) > 1 else ''} {listed([str(number) for number in numbers])}"


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
