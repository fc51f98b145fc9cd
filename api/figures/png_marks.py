"""What is drawn on Matplotlib's axes. Imports nothing of it: the axes bring their methods along."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from api.figures.chart import Axis, Bars, Chart, Heatmap, Line, Marker, Panel, Rule
from api.figures.chart_geometry import LABEL_SIZE, Label
from api.figures.heat_letters import count_size, label_step
from api.figures.palette import BLUES, DARK_FROM, GRID, GROUND, INK, QUIET
from api.figures.ticks import power_text, whole_ticks

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DASHES = {"solid": "-", "dash": (0, (5, 2.5)), "dot": (0, (1.2, 1.6))}
SYMBOLS = {"circle": "o", "square": "s", "diamond": "D", "triangle": "^"}


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
    for axis, of in ((axes.xaxis, x), (axes.yaxis, panel.y)):
        if of.percent:
            axis.set_major_formatter(_percent)
        elif of.ticks is not None:
            axis.set_ticks(list(of.ticks), labels=[f"{tick:g}" for tick in of.ticks])
            axis.set_ticks([], minor=True)
        elif of.whole and of.low is not None and of.high is not None:
            axis.set_ticks(whole_ticks(of.low, of.high))
        elif of.log:
            axis.set_major_formatter(_power)
            axis.set_minor_formatter(_nothing)


def draw_rules(panels: "Sequence[Axes]", rules: Sequence[Rule], labels: Sequence[Label], *, point: float) -> None:
    """Vertical lines through every panel, their labels at the top of the first."""
    for rule in rules:
        for axes in panels:
            axes.axvline(rule.x, color=QUIET, linewidth=point, linestyle=(0, (1, 2)))
    for label in labels:
        panels[0].annotate(
            label.text,
            (label.x, 1),
            xycoords=("data", "axes fraction"),
            xytext=(0, 4 * point),
            textcoords="offset points",
            color=QUIET,
            horizontalalignment="left" if label.side == "right" else "right",
            verticalalignment="bottom",
        )


def draw_heatmap(axes: "Axes", chart: Chart, heatmap: Heatmap, side: float, *, point: float) -> None:
    """Cells in shades of blue with their counts, white on dark ones; ``side`` is that of all cells in pixels."""
    most = max((count for row in heatmap.counts for count in row), default=0)
    shares = [[math.sqrt(count / most) if most else 0.0 for count in row] for row in heatmap.counts]
    axes.imshow([[_shade(share) for share in row] for row in shares], interpolation="nearest", aspect="auto")
    step = label_step(heatmap, side)
    axes.set_xticks(
        range(0, len(heatmap.columns), step), heatmap.columns[::step], rotation=90, fontsize=LABEL_SIZE * point
    )
    axes.set_yticks(range(0, len(heatmap.rows), step), heatmap.rows[::step], fontsize=LABEL_SIZE * point)
    axes.set_xticks([i - 0.5 for i in range(1, len(heatmap.columns))], minor=True)
    axes.set_yticks([i - 0.5 for i in range(1, len(heatmap.rows))], minor=True)
    axes.grid(which="minor", color=GROUND, linewidth=point)
    axes.tick_params(which="both", length=0)
    axes.spines[:].set_visible(False)
    axes.set_xlabel(chart.x.title)
    axes.set_ylabel(chart.rows_title)
    letters = count_size(heatmap, side)
    if letters is not None:
        _write_counts(axes, heatmap, shares, letters * point)


def _write_counts(axes: "Axes", heatmap: Heatmap, shares: Sequence[Sequence[float]], size: float) -> None:
    for row, (counts, row_shares) in enumerate(zip(heatmap.counts, shares, strict=True)):
        for column, (count, share) in enumerate(zip(counts, row_shares, strict=True)):
            if count:
                axes.text(
                    column,
                    row,
                    str(count),
                    color=GROUND if share > DARK_FROM else INK,
                    fontsize=size,
                    horizontalalignment="center",
                    verticalalignment="center_baseline",
                )


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


def _percent(share: float, _: float) -> str:
    return f"{100 * share:.0f} %"


def _power(value: float, _: float) -> str:
    return power_text(round(math.log10(value)))


def _nothing(_: float, __: float) -> str:
    return ""


def _shade(share: float) -> tuple[float, float, float]:
    """A share in [0, 1] of the way through the Blues, as red, green and blue in [0, 1]."""
    place = share * (len(BLUES) - 1)
    low = min(int(place), len(BLUES) - 2)
    ends = [[int(BLUES[i][at : at + 2], 16) / 255 for at in (1, 3, 5)] for i in (low, low + 1)]
    red, green, blue = (one + (other - one) * (place - low) for one, other in zip(*ends, strict=True))
    return red, green, blue
