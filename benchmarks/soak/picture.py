"""The figure of a soak: memory, file handles and answers over its minutes."""

import math
from collections import Counter
from collections.abc import Sequence

from api.figures.chart import Axis, Chart, Line, Panel
from api.figures.palette import BLUE, GREEN, GREY, INK, ORANGE, PURPLE, SKY, VERMILION
from benchmarks.soak.flat import Figure, Life
from benchmarks.soak.kills import SPARED

COLOURS = {
    "api-2": BLUE,
    "worker-2": VERMILION,
    "worker-light": INK,
    "api-1": SKY,
    "worker-1": ORANGE,
    "repair": GREEN,
    "postgres": PURPLE,
    "redis": GREY,
}
THIN = 0.8
MINUTE = 60.0


def chart_of(lives: Sequence[Life], answered: Sequence[float], killed: Sequence[float], facts: Sequence[str]) -> Chart:
    """All of it.

    Args:
        lives: of the parts that are looked at.
        answered: the seconds of the run at which photos were answered.
        killed: those at which a process was killed.
        facts: said below the title.
    """
    last = max((life.samples[-1].second for life in lives if life.samples), default=MINUTE)
    panels = [
        Panel(y=Axis(title="memory, MiB", low=0), marks=_lines(lives, "mib", legend=True), share=2.0),
        Panel(
            y=Axis(title="file handles", low=0, values="whole"), marks=_lines(lives, "handles", legend=False), share=2.0
        ),
        Panel(
            y=Axis(title="in a minute", low=0, values="whole"),
            marks=[
                _by_minute("photos answered", answered, last, GREEN),
                _by_minute("kills", killed, last, INK),
            ],
        ),
    ]
    return Chart(
        title="An hour of jobs, photos and kills" if last > 50 * MINUTE else "Jobs, photos and kills",
        facts=facts,
        drawn=True,
        x=Axis(title="minutes", low=0, high=last / MINUTE),
        panels=panels,
        plot_height=620,
    )


def _lines(lives: Sequence[Life], figure: Figure, *, legend: bool) -> list[Line]:
    """One line a part, with a gap where one life ends and the next begins."""
    found = []
    for part, colour in COLOURS.items():
        x: list[float] = []
        y: list[float] = []
        for life in lives:
            if life.part == part:
                x += [*(one.second / MINUTE for one in life.samples), life.samples[-1].second / MINUTE]
                y += [*(float(getattr(one, figure)) for one in life.samples), math.nan]
        if x:
            name = part if part in SPARED else f"{part} (killed)"
            width = 2.0 if part in SPARED else THIN
            found.append(Line(name=name, x=x, y=y, colour=colour, width=width, legend=legend))
    return found


def _by_minute(name: str, seconds: Sequence[float], last: float, colour: str) -> Line:
    """Of whole minutes."""
    counts = Counter(int(second / MINUTE) for second in seconds)
    minutes = range(max(1, int(last / MINUTE)))
    return Line(name=name, x=[one + 0.5 for one in minutes], y=[float(counts[one]) for one in minutes], colour=colour)
