"""Charts as Plotly figures."""

import html
import json
import math
from collections.abc import Sequence
from typing import Any, cast

import plotly.graph_objects as go

from api.figures.chart import Axis, Bars, Chart, Heatmap, Line, Marker
from api.figures.lines import LABEL_SIZE, LINE, SUBTITLE_SIZE, TEXT_SIZE, TITLE_SIZE, rule_labels
from api.figures.palette import GRID, GROUND, INK, QUIET, SHADES
from api.figures.paper import AXIS, EDGE, GAP, RIGHT, ROW, Paper, paper_for

FONT = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif"
SYMBOLS = {"circle": "circle", "square": "square", "diamond": "diamond", "triangle": "triangle-up"}
DOT = 7
FEW = 10
"""Over a shorter axis Plotly would put ticks between whole numbers."""
MANY = 1e4
"""On a longer logarithmic axis only powers of ten have room."""
NARROWED_TO = 400
"""A figure of no width of its own can be narrowed to this."""
PANEL_GAP = 0.07
"""Between two panels, as a share of their height."""


def as_plotly(chart: Chart, *, width: int | None = None, height: int | None = None) -> dict[str, Any]:
    """The chart as Plotly's JSON (``data`` and ``layout``), checked by Plotly's own schema.

    Without a ``width`` whoever shows it may stretch it, or narrow it to NARROWED_TO: its texts fit into that. A heat
    map keeps its width. ``layout.meta`` has the texts unbroken, and in ``alt`` the whole figure in words. Text of users
    is escaped: Plotly reads some HTML in its texts. NaN and infinities become null.
    """
    paper = paper_for(chart, width=width, height=height, room=None if width or chart.heatmap else NARROWED_TO)
    heatmap = [] if chart.heatmap is None else _heatmaps(chart.heatmap)
    marks = [(mark, f"y{i + 1}" if i else "y") for i, panel in enumerate(chart.panels) for mark in panel.marks]
    traces = [_trace(mark, axis) for mark, axis in marks]
    figure = go.Figure(data=[*heatmap, *traces], layout=_layout(chart, paper))
    found = cast("dict[str, Any]", json.loads(figure.to_json()))
    for trace, (mark, _) in zip(found["data"][len(heatmap) :], marks, strict=True):
        if isinstance(mark, Line):
            # Plotly would look at each number by itself, which takes most of the time for a long run.
            trace.update(x=_finite(mark.x), y=_finite(mark.y))
    return found


def _trace(mark: Line | Marker | Bars, axis: str) -> Any:  # noqa: ANN401 - Plotly ships no types
    if isinstance(mark, Line):
        dotted = set(mark.dotted())
        return go.Scatter(
            name=html.escape(mark.name),
            yaxis=axis,
            mode="lines+markers" if dotted else "lines",
            line={"color": mark.colour, "width": mark.width, "dash": mark.dash},
            marker={"size": DOT if mark.dots else [DOT if i in dotted else 0 for i in range(len(mark.y))]}
            if dotted
            else None,
            opacity=mark.opacity,
            showlegend=mark.legend,
            hoverinfo="all" if mark.opacity == 1 else "skip",
        )
    if isinstance(mark, Marker):
        return go.Scatter(
            name=html.escape(mark.name),
            x=_finite(mark.x),
            y=_finite(mark.y),
            yaxis=axis,
            mode="markers",
            marker={
                "color": mark.colour,
                "size": 11,
                "symbol": SYMBOLS[mark.symbol],
                "line": {"color": GROUND, "width": 1.2},
            },
            error_y=_interval(mark),
            cliponaxis=False,
            showlegend=mark.legend,
        )
    return go.Bar(
        name=html.escape(mark.name),
        x=list(mark.x),
        y=list(mark.heights),
        width=[0.92 * mark.width] * len(mark.x),
        yaxis=axis,
        marker={"color": mark.colour},
        text=[str(count) if count else "" for count in mark.heights],
        textposition="outside",
        cliponaxis=False,
        showlegend=False,
    )


def _interval(mark: Marker) -> dict[str, Any] | None:
    if mark.low is None or mark.high is None:
        return None
    return {
        "type": "data",
        "symmetric": False,
        "array": [high - y for high, y in zip(mark.high, mark.y, strict=True)],
        "arrayminus": [y - low for low, y in zip(mark.low, mark.y, strict=True)],
        "thickness": 1.5,
        "width": 5,
    }


def _heatmaps(heatmap: Heatmap) -> list[Any]:
    """The cells, and over them the deep ones again, whose counts are white: a heatmap's texts have one colour."""
    most = math.sqrt(heatmap.most) or 1
    shared = {
        "x": _escaped(heatmap.columns),
        "y": _escaped(heatmap.rows),
        "texttemplate": "%{text}",
        "zmin": 0,
        "zmax": most,
        "colorscale": SHADES,
        "showscale": False,
        "xgap": 1,
        "ygap": 1,
    }
    roots = [[math.sqrt(count) for count in row] for row in heatmap.counts]
    pale = [[str(count) if 0 < count <= heatmap.deepest_pale else "" for count in row] for row in heatmap.counts]
    deep = [[str(count) if count > heatmap.deepest_pale else "" for count in row] for row in heatmap.counts]
    over = [[root if text else None for root, text in zip(*row, strict=True)] for row in zip(roots, deep, strict=True)]
    hover = [_escaped(row) for row in heatmap.hover]
    return [
        go.Heatmap(**shared, z=roots, text=pale, textfont={"color": INK}, hovertext=hover, hoverinfo="text"),
        go.Heatmap(**shared, z=over, text=deep, textfont={"color": GROUND}, hoverinfo="skip"),
    ]


def _layout(chart: Chart, paper: Paper) -> Any:  # noqa: ANN401 - as above
    return go.Layout(
        template="none",
        meta={
            "title": chart.title,
            "subtitle": chart.subtitle,
            "notes": list(chart.notes),
            "drawn": chart.drawn,
            "alt": chart.alt,
        },
        font={"family": FONT, "size": TEXT_SIZE, "color": INK},
        paper_bgcolor=GROUND,
        plot_bgcolor=GROUND,
        width=paper.width,
        height=paper.height,
        title=_title(paper),
        # The least: the axes take what their names need, and the legend all above its foot.
        margin={
            "l": EDGE,
            "r": RIGHT,
            "t": _above(chart, paper),
            "b": AXIS + LINE * TEXT_SIZE * len(paper.notes),
        },
        legend={
            "orientation": "h",
            "x": 0,
            "xanchor": "left",
            "y": 1 - paper.heading / paper.height,
            "yref": "container",
            "yanchor": "top",
            "bgcolor": "rgba(0,0,0,0)",
        },
        hovermode="closest",
        shapes=[_rule(rule.x) for rule in chart.rules],
        annotations=[*_rule_labels(chart, paper), *_notes(paper)],
        **(_panel_axes(chart) if chart.heatmap is None else _heatmap_axes(chart)),
    )


def _above(chart: Chart, paper: Paper) -> float:
    """Between the panels and what stands above them: the labels of rules, or nothing."""
    if not chart.legend:
        return paper.heading
    return GAP + (ROW if chart.rules else 0)


def _title(paper: Paper) -> dict[str, Any]:
    return {
        "text": _joined(paper.title),
        "font": {"size": TITLE_SIZE, "color": INK, "weight": "bold"},
        "subtitle": {"text": _joined(paper.subtitle), "font": {"size": SUBTITLE_SIZE, "color": QUIET}},
        "yref": "container",
        # The first line's foot: of a title of several lines Plotly takes no other place.
        "y": 1 - (GAP + TITLE_SIZE) / paper.height,
        "yanchor": "bottom",
        "x": 0,
        "xanchor": "left",
        "pad": {"l": EDGE},
    }


def _panel_axes(chart: Chart) -> dict[str, Any]:
    count = len(chart.panels)
    axes: dict[str, Any] = {
        "xaxis": {**_axis(chart.x), "anchor": f"y{count}" if count > 1 else "y", "showgrid": chart.x.log}
    }
    shares = [panel.share / sum(one.share for one in chart.panels) for panel in chart.panels]
    for i, panel in enumerate(chart.panels):
        bottom = sum(shares[i + 1 :])
        top = bottom + shares[i] - (PANEL_GAP if i else 0)
        axes[f"yaxis{i + 1 if i else ''}"] = {**_axis(panel.y), "anchor": "x", "domain": [bottom, min(1, top)]}
    return axes


def _heatmap_axes(chart: Chart) -> dict[str, Any]:
    plain = {
        # Said, or Plotly would take names that look like numbers or dates for such.
        "type": "category",
        "automargin": True,
        "constrain": "domain",
        "showgrid": False,
        "zeroline": False,
        "ticks": "",
        "ticklabelstandoff": 4,
        "tickfont": {"size": LABEL_SIZE},
    }
    return {
        "xaxis": {**plain, "title": _named(chart.x.title), "tickangle": -90, "constraintoward": "left"},
        "yaxis": {
            **plain,
            "title": _named(chart.rows_title),
            "autorange": "reversed",
            "scaleanchor": "x",
            "constraintoward": "top",
        },
    }


def _axis(axis: Axis) -> dict[str, Any]:
    bounds = [axis.low, axis.high]
    if axis.log:
        bounds = [None if bound is None else math.log10(bound) for bound in bounds]
    return {
        "title": _named(axis.title),
        "type": "log" if axis.log else "linear",
        "range": bounds if any(bound is not None for bound in bounds) else None,
        "automargin": True,
        "gridcolor": GRID,
        "linecolor": QUIET,
        "ticks": "outside",
        "tickcolor": QUIET,
        "zeroline": False,
        "showline": True,
        # Not as powers: Plotly would set them with styles that the page's policy forbids.
        "exponentformat": "e" if axis.values == "rate" else "none",
        "dtick": _tick_step(axis),
        "tickformat": {"share": ".0%", "number": "~g" if axis.log else None}.get(axis.values),
    }


def _tick_step(axis: Axis) -> int | str | None:
    """Where Plotly would write every digit between two powers of ten, or ticks between whole numbers."""
    if axis.low is None or axis.high is None:
        return None
    if axis.log and axis.high / axis.low < MANY:
        return "D2" if axis.values == "number" else 1
    return 1 if axis.values == "whole" and axis.high - axis.low < FEW else None


def _named(text: str) -> dict[str, Any]:
    return {"text": html.escape(text), "standoff": GAP, "font": {"size": TEXT_SIZE}}


def _rule(x: float) -> dict[str, Any]:
    return {
        "type": "line",
        "x0": x,
        "x1": x,
        "yref": "paper",
        "y0": 0,
        "y1": 1,
        "line": {"color": QUIET, "width": 1, "dash": "dot"},
    }


def _rule_labels(chart: Chart, paper: Paper) -> list[dict[str, Any]]:
    return [
        {
            "x": math.log10(rule.x) if chart.x.log else rule.x,
            "y": 1,
            "yref": "paper",
            "text": html.escape(text),
            "showarrow": False,
            "xanchor": chart.side(rule),
            "yanchor": "bottom",
            "font": {"color": QUIET, "size": TEXT_SIZE},
        }
        for rule, text in rule_labels(chart, paper.plot_width)
    ]


def _notes(paper: Paper) -> list[dict[str, Any]]:
    if not paper.notes:
        return []
    return [
        {
            "text": _joined(paper.notes),
            "align": "left",
            "x": 0,
            "xref": "paper",
            "xanchor": "left",
            "y": 0,
            "yref": "paper",
            "yanchor": "top",
            "yshift": -AXIS,
            "showarrow": False,
            "font": {"color": QUIET, "size": TEXT_SIZE},
        }
    ]


def _joined(lines: Sequence[str]) -> str:
    return "<br>".join(_escaped(lines))


def _escaped(texts: Sequence[str]) -> list[str]:
    return [html.escape(text) for text in texts]


def _finite(values: Sequence[float]) -> list[float | None]:
    """Six digits are more than a screen shows, and a third of the bytes."""
    return [float(f"{value:.6g}") if math.isfinite(value) else None for value in values]
