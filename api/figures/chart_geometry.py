"""Where the parts of a chart lie, in pixels from the top left; both renderers follow it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from api.figures.chart import FACTS, Axis, Chart, Heatmap, Panel, Rule
from api.figures.lettering import text_width, wrapped, wrapped_facts

TITLE_SIZE, SUBTITLE_SIZE, TEXT_SIZE, LABEL_SIZE = 17, 13, 12, 11
TITLE_LINE, SUBTITLE_LINE, TEXT_LINE, LEGEND_LINE = 23, 18, 17, 20
EDGE = 16
"""Between the texts and the picture's edge."""
TOP = 10
GAP = 8
PANEL_GAP = 26
LEGEND_HANDLE = 52
"""Width of an entry of the legend beside its name."""
LEAST_PANEL = 100
"""Pixels that a panel needs to show anything."""
LEAST_WIDTH = 320
"""The narrowest picture that can be asked for: a telephone, upright, shows it whole."""
NARROWED_TO = 400
"""A figure of no width of its own can be narrowed to this."""
MOST_CELL = 170


@dataclass(frozen=True)
class Box:
    """Part of the picture."""

    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True)
class Text:
    """One line; ``y`` is its middle."""

    text: str
    y: float


@dataclass(frozen=True)
class Label:
    """A rule's label: ``side`` is where of the rule at ``x`` it stands."""

    x: float
    text: str
    side: Literal["left", "right"]


@dataclass(frozen=True, kw_only=True)
class Placed:
    """A chart laid out: the whole picture's size, the box of all panels, and every text in lines that fit."""

    width: int
    height: int
    plot: Box
    panels: Sequence[Box]
    title: Sequence[Text]
    subtitle: Sequence[Text]
    notes: Sequence[Text]
    legend_top: float
    legend_columns: int
    labels: Sequence[Label]

    @property
    def below(self) -> float:
        """Height below the panels."""
        return self.height - self.plot.top - self.plot.height


def place(chart: Chart, *, width: int | None = None, height: int | None = None, room: int | None = None) -> Placed:
    """Lay the chart out in a picture of ``width`` × ``height`` pixels, its own size where None.

    A size that leaves no room beside the labels is raised. Texts break so that they fit into a picture of ``room``
    pixels too, to which a reader may narrow this one.
    """
    wide = _width(chart, width or chart.width)
    narrow = min(wide, room or wide)
    inner = narrow - 2 * EDGE
    title = wrapped_facts(chart.title.split(FACTS), TITLE_SIZE, inner, bold=True)
    subtitle = wrapped_facts(chart.facts, SUBTITLE_SIZE, inner)
    notes = [line for note in chart.notes for line in wrapped(note, TEXT_SIZE, inner)]
    plot_width = narrow - chart.margins.left - chart.margins.right
    columns = _legend_columns(chart.legend, plot_width)
    subtitle_top = TOP + TITLE_LINE * len(title)
    legend_top = subtitle_top + SUBTITLE_LINE * len(subtitle) + GAP
    legend_rows = math.ceil(len(chart.legend) / columns)
    top = legend_top + LEGEND_LINE * legend_rows + (TEXT_LINE + 2 if chart.rules else 0) + (GAP if legend_rows else 0)
    around = top + chart.margins.bottom + TEXT_LINE * len(notes)
    plot = _plot(chart, wide, top, None if height is None else height - around)
    return Placed(
        width=wide,
        height=max(round(around + plot.height), height or 0),
        plot=plot,
        panels=_panels(chart.panels, plot),
        title=_lines(title, TOP, TITLE_LINE),
        subtitle=_lines(subtitle, subtitle_top, SUBTITLE_LINE),
        notes=_lines(notes, plot.top + plot.height + chart.margins.bottom - GAP, TEXT_LINE),
        legend_top=legend_top,
        legend_columns=columns,
        labels=_labels(chart.rules, chart.x, plot_width),
    )


def _width(chart: Chart, width: int) -> int:
    beside = chart.margins.left + chart.margins.right
    least = LEAST_PANEL
    if chart.heatmap is not None:
        least = max(least, math.ceil(chart.heatmap.least_cell * len(chart.heatmap.columns)))
    return max(width, LEAST_WIDTH, beside + least)


def _plot(chart: Chart, width: int, top: float, height: float | None) -> Box:
    left = chart.margins.left
    wide = width - left - chart.margins.right
    if chart.heatmap is not None:
        side = _side(chart.heatmap, wide, height)
        return Box(left, top, side, side)
    least = LEAST_PANEL * len(chart.panels) + PANEL_GAP * (len(chart.panels) - 1)
    return Box(left, top, wide, max(chart.plot_height if height is None else height, least))


def _side(heatmap: Heatmap, width: float, height: float | None) -> float:
    """Cells stay squares that can be read, in whichever of the two is smaller."""
    count = max(1, len(heatmap.columns))
    most = min(width, math.inf if height is None else height, count * max(MOST_CELL, heatmap.cell))
    return max(LEAST_PANEL, count * heatmap.least_cell, most)


def _panels(panels: Sequence[Panel], plot: Box) -> list[Box]:
    """Each panel's place, the first on top."""
    room = plot.height - PANEL_GAP * (len(panels) - 1)
    shares = [panel.share for panel in panels]
    heights = [share / sum(shares) * room for share in shares]
    tops = [plot.top + sum(heights[:i]) + PANEL_GAP * i for i in range(len(heights))]
    return [Box(plot.left, top, plot.width, height) for top, height in zip(tops, heights, strict=True)]


def _lines(lines: Sequence[str], top: float, height: float) -> list[Text]:
    return [Text(line, top + height * (i + 0.5)) for i, line in enumerate(lines)]


def _legend_columns(names: Sequence[str], room: float) -> int:
    """All in one row where they fit, else columns as wide as the widest, as Plotly does it."""
    widths = [LEGEND_HANDLE + text_width(name, TEXT_SIZE) for name in names]
    if sum(widths) <= room:
        return max(1, len(widths))
    return max(1, min(len(widths) - 1, int(room / max(widths))))


def _labels(rules: Sequence[Rule], axis: Axis, room: float) -> list[Label]:
    """Each rule's label on its right, up to the next rule; on its left where there alone is room."""
    places = [room * _share(axis, rule.x) for rule in rules]
    labels = []
    for rule, (before, after) in zip(rules, pairwise([*places, room]), strict=True):
        fitting = [text for text in rule.labels if text_width(text, TEXT_SIZE) <= after - before]
        if fitting:
            labels.append(Label(rule.x, fitting[0], "right"))
        elif len(rules) == 1 and text_width(rule.labels[0], TEXT_SIZE) <= before:
            labels.append(Label(rule.x, rule.labels[0], "left"))
    return labels


def _share(axis: Axis, x: float) -> float:
    """How far along the axis ``x`` lies, from 0 to 1; an axis with rules has both its bounds."""
    if axis.low is None or axis.high is None:
        return 0.0
    low, high, at = (math.log(value) if axis.log else value for value in (axis.low, axis.high, x))
    return (at - low) / (high - low)
