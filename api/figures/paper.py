"""The paper of a figure: its size, and its texts in lines for it. Where the parts lie is left to the libraries."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from api.figures.chart import Chart, Heatmap
from api.figures.lines import LABEL_SIZE, SUBTITLE_SIZE, TEXT_SIZE, TITLE_SIZE, height_of, text_width, wrapped

EDGE, GAP = 16, 10
"""Pixels between the texts and the picture's edge, and between two kinds of text."""
AXIS = 64
"""What ticks and title need of an axis, and the title beside names."""
RIGHT = 24
"""Room for half of the last tick's name: Plotly leaves out one that would be cut."""
ROW = 20
"""Of the legend, or of the labels of rules."""
HANDLE = 52
"""Width of an entry of the legend beside its name."""
LEAST_PANEL = 100
LEAST_WIDTH = 320
"""The narrowest picture that can be asked for: a telephone, upright, shows it whole."""
MOST_CELL = 170


@dataclass(frozen=True, kw_only=True)
class Paper:
    """Width and height in pixels, the texts' lines, and how many names of the legend stand in a row."""

    width: int
    height: int
    title: Sequence[str]
    subtitle: Sequence[str]
    notes: Sequence[str]
    legend_columns: int
    plot_width: float
    """Of the panels or cells, at the narrowest: what is beside them depends on their ticks."""

    @property
    def heading(self) -> float:
        """Pixels of title and subtitle, with the gaps around them."""
        return _heading(self.title, self.subtitle)


def paper_for(chart: Chart, *, width: int | None = None, height: int | None = None, room: int | None = None) -> Paper:
    """Paper of ``width`` × ``height`` pixels, the chart's own where None; too small a size is raised.

    Texts break so that they fit into ``room`` pixels too, to which a reader may narrow the picture.
    """
    wide = _width(chart, width)
    narrow = min(wide, room or wide)
    inner = narrow - 2 * EDGE
    title = wrapped(chart.title, TITLE_SIZE, inner, bold=True)
    subtitle = wrapped(chart.subtitle, SUBTITLE_SIZE, inner)
    notes = [line for note in chart.notes for line in wrapped(note, TEXT_SIZE, inner - AXIS)]
    plot_width = narrow - AXIS - RIGHT if chart.heatmap is None else wide - _names(chart.heatmap) - AXIS
    columns = _legend_columns(chart.legend, inner)
    rows = math.ceil(len(chart.legend) / columns) + bool(chart.rules)
    around = _heading(title, subtitle) + ROW * rows + AXIS + height_of(notes, TEXT_SIZE)
    return Paper(
        width=wide,
        height=round(around + _plot(chart, wide, None if height is None else height - around)),
        title=title,
        subtitle=subtitle,
        notes=notes,
        legend_columns=columns,
        plot_width=plot_width,
    )


def _heading(title: Sequence[str], subtitle: Sequence[str]) -> float:
    return 2 * GAP + height_of(title, TITLE_SIZE) + height_of(subtitle, SUBTITLE_SIZE)


def _width(chart: Chart, asked: int | None) -> int:
    if chart.heatmap is None:
        return max(asked or chart.width, LEAST_WIDTH)
    cells, names = len(chart.heatmap.columns), _names(chart.heatmap) + AXIS
    own = max(chart.width, math.ceil(names + cells * chart.heatmap.cell))
    return max(asked or own, math.ceil(names + max(LEAST_PANEL, cells * chart.heatmap.least_cell)), LEAST_WIDTH)


def _plot(chart: Chart, width: int, height: float | None) -> float:
    """Height of all panels, or of the cells with the names below them: cells stay squares."""
    if chart.heatmap is None:
        return max(chart.plot_height if height is None else height, LEAST_PANEL * len(chart.panels))
    names, cells = _names(chart.heatmap), max(1, len(chart.heatmap.columns))
    most = min(width - names - AXIS, cells * max(MOST_CELL, chart.heatmap.cell))
    least = max(LEAST_PANEL, cells * chart.heatmap.least_cell)
    return names + (most if height is None else max(least, height - names))


def _names(heatmap: Heatmap) -> float:
    return max((text_width(name, LABEL_SIZE) for name in heatmap.rows), default=0)


def _legend_columns(names: Sequence[str], room: float) -> int:
    """All in one row where they fit, else columns as wide as the widest, as Plotly does it."""
    widths = [HANDLE + text_width(name, TEXT_SIZE) for name in names]
    if sum(widths) <= room:
        return max(1, len(widths))
    return max(1, min(len(widths) - 1, int(room / max(widths))))
