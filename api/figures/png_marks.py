"""What is drawn on Matplotlib's axes, which is there by then: see Painter."""

import math
from collections.abc import Sequence
from itertools import pairwise
from types import ModuleType
from typing import TYPE_CHECKING

from api.figures.chart import Axis, Bars, Chart, Heatmap, Line, Marker, Panel, Rule
from api.figures.heading import rate_text
from api.figures.lines import LABEL_SIZE
from api.figures.palette import DARK_FROM, GRID, GROUND, INK, PALE, QUIET, SHADES
from ml.late import Late

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis as Scale

DASHES = {"solid": "-", "dash": (0, (5, 2.5)), "dot": (0, (1.2, 1.6))}
SYMBOLS = {"circle": "o", "square": "s", "diamond": "D", "triangle": "^"}
FEW_DECADES = 4
"""So many have room for ticks between the powers of ten."""
STEPS = (1, 2, 5, 10)
"""From one tick to the next, times a power of ten: few digits say where it is."""
LEAST_COUNT = 7
"""Pixels below which a count in a cell cannot be read."""


def draw_panel(axes: "Axes", x: Axis, panel: Panel, *, point: float) -> None:
    """Marks, scales and grid of one panel; ``point`` is the size of a pixel in points."""
    axes.set_xscale("log" if x.log else "linear")
    axes.set_yscale("log" if panel.y.log else "linear")
    for mark in panel.marks:
        if isinstance(mark, Line):
            _draw_line(axes, mark, point)
        elif isinstance(mark, Marker):
            _draw_marker(axes, mark, point)
        else:
            _draw_bars(axes, mark, point)
    axes.margins(x=0.015)
    axes.set_xlim(left=x.low, right=x.high)
    axes.set_ylim(bottom=panel.y.low, top=panel.y.high)
    axes.set_ylabel(panel.y.title)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="both" if x.log else "y", color=GRID, linewidth=0.8 * point)
    axes.set_axisbelow(True)
    for scale, of in ((axes.xaxis, x), (axes.yaxis, panel.y)):
        _set_ticks(scale, of)


def draw_rules(panels: "Sequence[Axes]", chart: Chart, labels: Sequence[tuple[Rule, str]], *, point: float) -> None:
    """Vertical lines through every panel, their labels above the first."""
    for rule in chart.rules:
        for axes in panels:
            axes.axvline(rule.x, color=QUIET, linewidth=point, linestyle=(0, (1, 2)))
    for rule, text in labels:
        panels[0].annotate(
            text,
            (rule.x, 1),
            xycoords=("data", "axes fraction"),
            xytext=(0, 4 * point),
            textcoords="offset points",
            color=QUIET,
            horizontalalignment=chart.side(rule),
            verticalalignment="bottom",
        )


def draw_heatmap(axes: "Axes", chart: Chart, heatmap: Heatmap, side: float, *, point: float) -> None:
    """Cells in shades of blue, together ``side`` pixels wide, with names beside them, as many as there is room for."""
    shares = _shares(heatmap)
    axes.imshow([[_shade(share) for share in row] for row in shares], interpolation="nearest")
    axes.set_anchor("NW")
    step = max(1, math.ceil(LABEL_SIZE * len(heatmap.columns) / side))
    axes.set_xticks(
        range(0, len(heatmap.columns), step), heatmap.columns[::step], rotation=90, fontsize=LABEL_SIZE * point
    )
    axes.set_yticks(range(0, len(heatmap.rows), step), heatmap.rows[::step], fontsize=LABEL_SIZE * point)
    axes.tick_params(length=0)
    for i in range(1, len(heatmap.rows)):
        axes.axhline(i - 0.5, color=GROUND, linewidth=point)
        axes.axvline(i - 0.5, color=GROUND, linewidth=point)
    axes.spines[:].set_visible(False)
    axes.set_xlabel(chart.x.title)
    axes.set_ylabel(chart.rows_title)


def write_counts(axes: "Axes", heatmap: Heatmap, *, point: float) -> None:
    """The counts in cells that are laid out, white on dark ones, where the longest has room."""
    cell = axes.get_window_extent().width / max(1, len(heatmap.columns))
    size = min(LABEL_SIZE, 0.7 * cell, 1.4 * cell / len(str(heatmap.most)))
    if size < LEAST_COUNT:
        return
    for row, counts in enumerate(heatmap.counts):
        for column, count in enumerate(counts):
            if count:
                axes.text(
                    column,
                    row,
                    str(count),
                    color=GROUND if count > heatmap.deepest_pale else INK,
                    fontsize=size * point,
                    horizontalalignment="center",
                    verticalalignment="center_baseline",
                )


_TICKER: Late[ModuleType] = Late("matplotlib", "ticker")
"""There once a figure is."""


def _set_ticks(scale: "Scale", axis: Axis) -> None:
    ticker = _TICKER.get()
    if axis.values == "share":
        scale.set_major_formatter(ticker.PercentFormatter(1, decimals=0, symbol=" %"))
    elif axis.values == "whole":
        scale.set_major_locator(ticker.MaxNLocator("auto", integer=True, min_n_ticks=1, steps=STEPS))
    elif axis.log and axis.values == "number":
        scale.set_major_formatter(ticker.StrMethodFormatter("{x:g}"))
    elif axis.values == "rate":
        scale.set_major_locator(ticker.MaxNLocator("auto", steps=STEPS))
        scale.set_major_formatter(ticker.FuncFormatter(_rate))
    if axis.log:
        low, high = scale.get_view_interval()
        few = math.log10(high / low) < FEW_DECADES
        scale.set_major_locator(ticker.LogLocator(subs=(1, 2, 5) if few else (1,)))
        scale.set_minor_locator(ticker.NullLocator())


def _rate(value: float, _: float) -> str:
    return rate_text(value) if value else "0"


def _shares(heatmap: Heatmap) -> list[list[float]]:
    most = heatmap.most or 1
    return [[math.sqrt(count / most) for count in row] for row in heatmap.counts]


def _draw_line(axes: "Axes", line: Line, point: float) -> None:
    dotted = line.dotted()
    axes.plot(
        line.x,
        line.y,
        label=line.name if line.legend else None,
        color=line.colour,
        linewidth=line.width * point,
        alpha=line.opacity,
        linestyle=DASHES[line.dash],
        marker="o" if dotted else None,
        markevery=dotted or None,
        markersize=6 * point,
        solid_capstyle="round",
    )


def _draw_marker(axes: "Axes", marker: Marker, point: float) -> None:
    if marker.low is not None and marker.high is not None:
        axes.vlines(marker.x, marker.low, marker.high, color=marker.colour, linewidth=1.5 * point)
        for ends in (marker.low, marker.high):
            axes.plot(marker.x, ends, linestyle="none", marker="_", color=marker.colour, markersize=9 * point)
    axes.plot(
        marker.x,
        marker.y,
        label=marker.name if marker.legend else None,
        linestyle="none",
        marker=SYMBOLS[marker.symbol],
        markersize=10 * point,
        color=marker.colour,
        markeredgecolor=GROUND,
        markeredgewidth=1.2 * point,
        zorder=4,
        clip_on=False,
    )


def _draw_bars(axes: "Axes", bars: Bars, point: float) -> None:
    drawn = axes.bar(bars.x, bars.heights, width=0.92 * bars.width, color=bars.colour)
    labels = [str(count) if count else "" for count in bars.heights]
    axes.bar_label(drawn, labels=labels, padding=2 * point, fontsize=11 * point, color=QUIET)
    axes.margins(y=0.2)


def _shade(share: float) -> tuple[float, float, float]:
    """A share in [0, 1] of the way through the shades, as red, green and blue in [0, 1]."""
    part = SHADES[:PALE] if share < DARK_FROM else SHADES[PALE:]
    (low, first), (high, last) = next((a, b) for a, b in pairwise(part) if share <= b[0] or b is part[-1])
    way = min(1.0, (share - low) / (high - low))
    ends = [[int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)] for colour in (first, last)]
    red, green, blue = (one + (other - one) * way for one, other in zip(*ends, strict=True))
    return red, green, blue
