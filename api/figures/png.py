"""Charts as PNG pictures, drawn by Matplotlib's own renderer: no browser, no display."""

import io
import os
import threading
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from api.figures.chart import Chart
from api.figures.drawable import drawable
from api.figures.lines import LINE, SUBTITLE_SIZE, TEXT_SIZE, TITLE_SIZE, height_of, rule_labels
from api.figures.palette import GROUND, INK, QUIET
from api.figures.paper import EDGE, GAP, ROW, Paper, paper_for
from api.figures.png_marks import draw_heatmap, draw_panel, draw_rules, write_counts
from ml.late import Late

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine
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
    "figure.constrained_layout.h_pad": GAP / DOTS,
    "figure.constrained_layout.w_pad": EDGE / DOTS,
    # A dollar sign in a run's name is no formula.
    "text.parse_math": False,
}


_FIGURE: "Late[type[Figure]]" = Late("matplotlib.figure", "Figure")
_LAYOUT: "Late[type[ConstrainedLayoutEngine]]" = Late("matplotlib.layout_engine", "ConstrainedLayoutEngine")
_RC_CONTEXT: "Late[Callable[[dict[RcKeyType, Any]], AbstractContextManager[None]]]" = Late("matplotlib", "rc_context")


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
        paper = paper_for(drawn, width=width, height=height)
        about = {"Title": chart.title, "Description": chart.alt}
        with self._turn:
            return _paint(drawn, paper, scale, families, about)


def draw(chart: Chart, paper: Paper) -> "Figure":
    """The chart as Matplotlib has it, a pixel to a dot, laid out by Matplotlib below the heading."""
    figure = _FIGURE.get()(figsize=(paper.width / DOTS, paper.height / DOTS), dpi=DOTS, facecolor=GROUND)
    _write_heading(figure, paper)
    if chart.heatmap is not None:
        axes = figure.subplots()
        draw_heatmap(axes, chart, chart.heatmap, paper.plot_width, point=POINT)
        _lay_out(figure, 1 - paper.heading / paper.height)
        write_counts(axes, chart.heatmap, point=POINT)
        return figure
    shares = [panel.share for panel in chart.panels]
    every = list(figure.subplots(len(shares), sharex=True, squeeze=False, height_ratios=shares)[:, 0])
    for axes, panel in zip(every, chart.panels, strict=True):
        draw_panel(axes, chart.x, panel, point=POINT)
    every[-1].set_xlabel(chart.x.title)
    draw_rules(every, chart, rule_labels(chart, paper.plot_width), point=POINT)
    if paper.notes:
        figure.supxlabel(
            "\n".join(paper.notes),
            x=EDGE / paper.width,
            ha="left",
            fontsize=TEXT_SIZE * POINT,
            color=QUIET,
            linespacing=LINE,
        )
    _lay_out(figure, _legend(figure, paper, every))
    return figure


def _paint(chart: Chart, paper: Paper, scale: float, families: Sequence[str], about: "dict[str, str]") -> bytes:
    out = io.BytesIO()
    with _RC_CONTEXT.get()({**STYLE, "font.family": families}), warnings.catch_warnings():
        # A font of this machine may lack in bold what it has otherwise.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        draw(chart, paper).savefig(out, format="png", dpi=DOTS * scale, metadata=about)
    return out.getvalue()


def _lay_out(figure: "Figure", top: float) -> None:
    """All below ``top``, once: Matplotlib would do it again with each drawing, and measure every letter of it."""
    _LAYOUT.get()(rect=(0, 0, 1, top), hspace=0, wspace=0).execute(figure)


def _legend(figure: "Figure", paper: Paper, every: "Sequence[Axes]") -> float:
    """Where its lower end is, from 0 to 1."""
    top = 1 - paper.heading / paper.height
    pairs = [axes.get_legend_handles_labels() for axes in every]
    handles = [handle for some, _ in pairs for handle in some]
    labels = [label for _, some in pairs for label in some]
    if not handles:
        return top
    # Matplotlib fills column after column.
    columns = paper.legend_columns
    order = [i for column in range(columns) for i in range(column, len(handles), columns)]
    legend = figure.legend(
        [handles[i] for i in order],
        [labels[i] for i in order],
        loc="upper left",
        bbox_to_anchor=(EDGE / paper.width, top),
        ncols=columns,
        frameon=False,
        borderpad=0,
        borderaxespad=0,
        handlelength=2,
        handletextpad=0.5,
        columnspacing=1.4,
        labelspacing=ROW / TEXT_SIZE - 1,
    )
    legend.set_in_layout(False)
    return top - legend.get_window_extent().height / paper.height


def _write_heading(figure: "Figure", paper: Paper) -> None:
    top = float(GAP)
    for lines, size, colour, weight in (
        (paper.title, TITLE_SIZE, INK, "bold"),
        (paper.subtitle, SUBTITLE_SIZE, QUIET, "normal"),
    ):
        for line in lines:
            figure.text(
                EDGE / paper.width,
                1 - (top + height_of([line], size) / 2) / paper.height,
                line,
                fontsize=size * POINT,
                fontweight=weight,
                color=colour,
                verticalalignment="center",
            )
            top += height_of([line], size)
