"""Charts as PNG pictures, drawn by Matplotlib's own renderer: no browser, no display."""

import io
import os
import threading
import warnings
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from api.figures.chart import Chart
from api.figures.chart_geometry import LEGEND_Y, SUBTITLE_Y, TITLE_Y, Box, full_height, note_y, panel_boxes, plot_box
from api.figures.palette import GROUND, INK, QUIET
from api.figures.png_marks import draw_heatmap, draw_panel, draw_rules

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.typing import RcKeyType

DOTS = 100
POINT = 72 / DOTS
"""Points to a pixel of our sizes: Matplotlib measures text and lines in points."""
LEAST_PANEL = 100
"""Pixels that a panel needs to show anything."""
STYLE: "dict[RcKeyType, Any]" = {
    "font.family": "DejaVu Sans",
    "font.size": 12 * POINT,
    "axes.labelsize": 12 * POINT,
    "text.color": INK,
    "axes.labelcolor": INK,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "axes.edgecolor": QUIET,
    "axes.linewidth": 0.7,
    # A dollar sign in a run's name is no formula.
    "text.parse_math": False,
}


class Painter:
    """Draws one chart at a time: Matplotlib is not made for several threads.

    Matplotlib comes in with the first picture, because it takes half a second and reads, at its import, where it may
    keep its list of fonts.
    """

    def __init__(self, cache: Path) -> None:
        """Keep Matplotlib's own cache below the folder ``cache``."""
        self._cache = cache / "matplotlib"
        self._turn = threading.Lock()

    def as_png(self, chart: Chart, *, width: int | None = None, height: int | None = None, scale: float = 1.0) -> bytes:
        """The chart as a PNG of ``width`` × ``height`` pixels, times ``scale``.

        Its own size where None; a size that leaves no room beside the labels is raised.
        """
        sized = _sized(chart, width or chart.width, height or full_height(chart))
        with self._turn:
            os.environ.setdefault("MPLCONFIGDIR", str(self._cache))
            return _paint(sized, scale)


def _sized(chart: Chart, width: int, height: int) -> Chart:
    margins, notes = chart.margins, full_height(chart) - chart.height
    return replace(
        chart,
        width=max(width, margins.left + margins.right + LEAST_PANEL),
        height=max(height - notes, margins.top + margins.bottom + LEAST_PANEL * max(1, len(chart.panels))),
    )


def _paint(chart: Chart, scale: float) -> bytes:
    from matplotlib import rc_context  # noqa: PLC0415 - see Painter
    from matplotlib.figure import Figure  # noqa: PLC0415 - see Painter

    out = io.BytesIO()
    with rc_context(STYLE), warnings.catch_warnings():
        # A run's name may have letters that the font has not; they become boxes.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure = Figure(figsize=(chart.width / DOTS, full_height(chart) / DOTS), dpi=DOTS, facecolor=GROUND)
        _draw(figure, chart)
        figure.savefig(out, format="png", dpi=DOTS * scale, metadata={"Title": chart.title})
    return out.getvalue()


def _draw(figure: "Figure", chart: Chart) -> None:
    left = chart.margins.left
    _write(figure, chart, left, TITLE_Y, chart.title, size=17, weight="bold")
    _write(figure, chart, left, SUBTITLE_Y, chart.subtitle, size=13, colour=QUIET)
    for i, note in enumerate(chart.notes):
        _write(figure, chart, left, note_y(chart, i), note, size=12, colour=QUIET)
    if chart.heatmap is not None:
        draw_heatmap(_axes(figure, chart, plot_box(chart)), chart, chart.heatmap, point=POINT)
        return
    every = [_axes(figure, chart, box) for box in panel_boxes(chart)]
    for axes, panel in zip(every, chart.panels, strict=True):
        draw_panel(axes, chart.x, panel, point=POINT)
        axes.tick_params(labelbottom=axes is every[-1])
    every[-1].set_xlabel(chart.x.title)
    draw_rules(every, chart.rules, point=POINT)
    _legend(figure, chart, every)


def _legend(figure: "Figure", chart: Chart, every: "list[Axes]") -> None:
    pairs = [axes.get_legend_handles_labels() for axes in every]
    handles = [handle for some, _ in pairs for handle in some]
    labels = [label for _, some in pairs for label in some]
    if handles:
        figure.legend(
            handles,
            labels,
            loc="center left",
            bbox_to_anchor=(chart.margins.left / chart.width, 1 - LEGEND_Y / full_height(chart)),
            ncols=len(handles),
            frameon=False,
            borderpad=0,
            borderaxespad=0,
            handlelength=2,
            handletextpad=0.5,
            columnspacing=1.4,
        )


def _axes(figure: "Figure", chart: Chart, box: Box) -> "Axes":
    width, height = chart.width, full_height(chart)
    bottom = height - box.top - box.height
    return figure.add_axes((box.left / width, bottom / height, box.width / width, box.height / height))


def _write(
    figure: "Figure",
    chart: Chart,
    x: float,
    y: float,
    text: str,
    *,
    size: float,
    weight: str = "normal",
    colour: str = INK,
) -> None:
    figure.text(
        x / chart.width,
        1 - y / full_height(chart),
        text,
        fontsize=size * POINT,
        fontweight=weight,
        color=colour,
        verticalalignment="center",
    )
