"""Charts as PNG pictures, drawn by Matplotlib's own renderer: no browser, no display."""

import io
import os
import threading
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from api.figures.chart import Chart
from api.figures.chart_geometry import (
    EDGE,
    LEGEND_LINE,
    SUBTITLE_SIZE,
    TEXT_SIZE,
    TITLE_SIZE,
    Box,
    Placed,
    Text,
    place,
)
from api.figures.drawable import drawable
from api.figures.palette import GROUND, INK, QUIET
from api.figures.png_marks import draw_heatmap, draw_panel, draw_rules

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.typing import RcKeyType

DOTS = 100
POINT = 72 / DOTS
"""Points to a pixel of our sizes: Matplotlib measures text and lines in points."""
STYLE: "dict[RcKeyType, Any]" = {
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
        # Whoever draws reads it with Matplotlib: the sheets of pictures ask it for fonts.
        os.environ.setdefault("MPLCONFIGDIR", str(cache / "matplotlib"))
        self._turn = threading.Lock()

    def as_png(self, chart: Chart, *, width: int | None = None, height: int | None = None, scale: float = 1.0) -> bytes:
        """The chart as a PNG of ``width`` × ``height`` pixels, times ``scale``.

        Its own size where None; a size that leaves no room beside the labels is raised.
        """
        drawn, families = drawable(chart)
        placed = place(drawn, width=width, height=height)
        about = {"Title": chart.title, "Description": chart.alt}
        with self._turn:
            return _paint(drawn, placed, scale, families, about)


def draw(chart: Chart, placed: Placed) -> "Figure":
    """The chart as Matplotlib has it, a pixel to a dot."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - see Painter

    figure = Figure(figsize=(placed.width / DOTS, placed.height / DOTS), dpi=DOTS, facecolor=GROUND)
    _write(figure, placed, placed.title, TITLE_SIZE, INK, weight="bold")
    _write(figure, placed, placed.subtitle, SUBTITLE_SIZE, QUIET)
    _write(figure, placed, placed.notes, TEXT_SIZE, QUIET)
    if chart.heatmap is not None:
        draw_heatmap(_axes(figure, placed, placed.plot), chart, chart.heatmap, placed.plot.width, point=POINT)
        return figure
    every = [_axes(figure, placed, box) for box in placed.panels]
    for axes, panel in zip(every, chart.panels, strict=True):
        draw_panel(axes, chart.x, panel, point=POINT)
        axes.tick_params(labelbottom=axes is every[-1])
    every[-1].set_xlabel(chart.x.title)
    draw_rules(every, chart.rules, placed.labels, point=POINT)
    _legend(figure, placed, every)
    return figure


def _paint(chart: Chart, placed: Placed, scale: float, families: Sequence[str], about: "dict[str, str]") -> bytes:
    from matplotlib import rc_context  # noqa: PLC0415 - see Painter

    out = io.BytesIO()
    with rc_context({**STYLE, "font.family": families}), warnings.catch_warnings():
        # A font of this machine may lack in bold what it has otherwise.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        draw(chart, placed).savefig(out, format="png", dpi=DOTS * scale, metadata=about)
    return out.getvalue()


def _legend(figure: "Figure", placed: Placed, every: "list[Axes]") -> None:
    pairs = [axes.get_legend_handles_labels() for axes in every]
    handles = [handle for some, _ in pairs for handle in some]
    labels = [label for _, some in pairs for label in some]
    if not handles:
        return
    # Matplotlib fills column after column.
    columns = placed.legend_columns
    order = [i for column in range(columns) for i in range(column, len(handles), columns)]
    figure.legend(
        [handles[i] for i in order],
        [labels[i] for i in order],
        loc="upper left",
        bbox_to_anchor=(placed.plot.left / placed.width, 1 - placed.legend_top / placed.height),
        ncols=columns,
        frameon=False,
        borderpad=0,
        borderaxespad=0,
        handlelength=2,
        handletextpad=0.5,
        columnspacing=1.4,
        labelspacing=LEGEND_LINE / TEXT_SIZE - 1,
    )


def _axes(figure: "Figure", placed: Placed, box: Box) -> "Axes":
    width, height = placed.width, placed.height
    bottom = height - box.top - box.height
    return figure.add_axes((box.left / width, bottom / height, box.width / width, box.height / height))


def _write(
    figure: "Figure", placed: Placed, lines: Sequence[Text], size: float, colour: str, *, weight: str = "normal"
) -> None:
    for line in lines:
        figure.text(
            EDGE / placed.width,
            1 - line.y / placed.height,
            line.text,
            fontsize=size * POINT,
            fontweight=weight,
            color=colour,
            verticalalignment="center",
        )
