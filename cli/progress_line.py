"""Where a job stands, as one line that fits: a stage, a bar, the position, the rate and the time left."""

from dataclasses import dataclass

import click
from rich.cells import cell_len, set_cell_size

from cli.client import Json
from cli.saying import plain
from cli.tables import short_time

GAP = "  "
LEAST_BAR, MOST_BAR = 10, 40
STAGE_CELLS, LEFT_CELLS = 9, 15
"""The longest stage and a usual time left. That much room is kept, so that the bar does not change with them."""


@dataclass(frozen=True)
class Look:
    """What the terminal can show."""

    unicode: bool = True
    colours: bool = True


def time_left(progress: Json) -> str:
    """The job's, else the stage's, said as such; nothing where neither is known."""
    if progress.get("eta_seconds") is not None:
        return f"{short_time(progress['eta_seconds'])} left"
    stage = progress.get("stage_eta_seconds")
    return "" if stage is None else f"{short_time(stage)} left of this stage"


def without_time(progress: Json) -> Json:
    """The same of a job that is being cancelled: what it would still take is not what it takes to stop."""
    return {**progress, "eta_seconds": None, "stage_eta_seconds": None}


def position(progress: Json) -> str:
    """``93/126``; nothing where nobody knows how far it is."""
    steps = int(progress.get("steps") or 0)
    return f"{int(progress.get('step') or 0)}/{steps}" if steps else ""


def rate(progress: Json) -> str:
    """``41 images/s``, where it is known."""
    known = progress.get("images_per_second")
    return f"{known:.0f} images/s" if known else ""


def progress_line(progress: Json, width: int, look: Look) -> str:
    """As much as fits into ``width`` cells; what goes first is the bar, then the rate, then the time left."""
    stage, where, speed, left = (
        plain(str(progress.get("stage") or "")),
        position(progress),
        rate(progress),
        time_left(progress),
    )
    steps = int(progress.get("steps") or 0)
    if steps:
        where = where.rjust(2 * len(str(steps)) + 1)
        room = width - len(_joined(stage.ljust(STAGE_CELLS), where, speed, left.ljust(LEFT_CELLS))) - len(GAP)
        if room >= LEAST_BAR:
            drawn = bar(int(progress.get("step") or 0) / steps, min(room, MOST_BAR), look)
            return _joined(stage.ljust(STAGE_CELLS), drawn, where, speed, left)
    for parts in ((stage, where, speed, left), (stage, where, left), (stage, where)):
        if cell_len(line := _joined(*parts)) <= width:
            return line
    return fitted(stage, width)


def bar(share: float, width: int, look: Look) -> str:
    """A bar of ``width`` cells, of which ``share`` is done."""
    done = round(min(max(share, 0.0), 1.0) * width)
    full, rest = ("━" * done, "─" * (width - done)) if look.unicode else ("#" * done, "-" * (width - done))
    return f"{click.style(full, fg='cyan')}{click.style(rest, dim=True)}" if look.colours else full + rest


def fitted(text: str, width: int) -> str:
    """The text, cut where it is too wide."""
    return text if cell_len(text) <= width else set_cell_size(text, max(width, 0))


def _joined(*parts: str) -> str:
    return GAP.join(part for part in parts if part)
