"""Where the parts of a chart lie, in pixels from the top left; both renderers follow it."""

from collections.abc import Sequence
from dataclasses import dataclass

from api.figures.chart import Chart, Panel

NOTE_HEIGHT = 17
PANEL_GAP = 26
TITLE_Y = 22
SUBTITLE_Y = 44
LEGEND_Y = 70


@dataclass(frozen=True)
class Box:
    """Part of the picture."""

    left: float
    top: float
    width: float
    height: float


def full_height(chart: Chart) -> int:
    """The picture's height with its notes."""
    return chart.height + NOTE_HEIGHT * len(chart.notes)


def plot_box(chart: Chart) -> Box:
    """Everything within the margins."""
    margins = chart.margins
    return Box(
        margins.left,
        margins.top,
        chart.width - margins.left - margins.right,
        chart.height - margins.top - margins.bottom,
    )


def panel_boxes(chart: Chart) -> list[Box]:
    """Each panel's place, the first on top."""
    whole = plot_box(chart)
    heights = _heights(chart.panels, whole.height)
    tops = [whole.top + sum(heights[:i]) + PANEL_GAP * i for i in range(len(heights))]
    return [Box(whole.left, top, whole.width, height) for top, height in zip(tops, heights, strict=True)]


def note_y(chart: Chart, number: int) -> float:
    """The middle of the ``number``-th note's line, from 0."""
    return chart.height + NOTE_HEIGHT * (number + 0.2)


def _heights(panels: Sequence[Panel], height: float) -> list[float]:
    room = height - PANEL_GAP * (len(panels) - 1)
    shares = [panel.share for panel in panels]
    return [share / sum(shares) * room for share in shares]
