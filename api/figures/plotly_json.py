"""Charts as Plotly figures."""

import html
import json
import math
from collections.abc import Sequence
from typing import Any, cast

import plotly.graph_objects as go

from api.figures.chart import Axis, Bars, Chart, Heatmap, Line, Marker
from api.figures.chart_geometry import (
    EDGE,
    LABEL_SIZE,
    NARROWED_TO,
    SUBTITLE_SIZE,
    TEXT_SIZE,
    TITLE_SIZE,
    Label,
    Placed,
    Text,
    place,
)
from api.figures.heat_letters import count_size, label_step
from api.figures.palette import BLUES, GRID, GROUND, INK, QUIET
from api.figures.ticks import POWERS, power_step, power_text, whole_ticks

FONT = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif"
SYMBOLS = {"circle": "circle", "square": "square", "diamond": "diamond", "triangle": "triangle-up"}
DOT = 7
FEW = 10
"""Over a shorter axis Plotly would put ticks between whole numbers."""


def as_plotly(chart: Chart, *, width: int | None = None, height: int | None = None) -> dict[str, Any]:
    """The chart as Plotly's JSON (``data`` and ``layout``), checked by Plotly's own schema.

    Without a ``width`` whoever shows it may stretch it, or narrow it to NARROWED_TO: its texts fit into that. A heat
    map keeps its width. ``layout.meta`` has the texts unbroken, and in ``alt`` the whole figure in words. Text of users
    is escaped: Plotly reads some HTML in its texts. NaN and infinities become null.
    """
    placed = place(chart, width=width, height=height, room=None if width or chart.heatmap else NARROWED_TO)
    traces: list[Any] = []
    if chart.heatmap is not None:
        traces.append(_heatmap(chart.heatmap, placed))
    for i, panel in enumerate(chart.panels):
        axis = f"y{i + 1}" if i else "y"
        traces += [_trace(mark, axis) for mark in panel.marks]
    figure = go.Figure(data=traces, layout=_layout(chart, placed))
    return cast("dict[str, Any]", json.loads(figure.to_json()))


def _trace(mark: Line | Marker | Bars, axis: str) -> Any:  # noqa: ANN401 - Plotly ships no types
    if isinstance(mark, Line):
        dotted = set(mark.dotted())
        return go.Scatter(
            name=html.escape(mark.name),
            x=_finite(mark.x),
            y=_finite(mark.y),
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


def _heatmap(heatmap: Heatmap, placed: Placed) -> Any:  # noqa: ANN401 - as above
    letters = count_size(heatmap, placed.plot.width)
    return go.Heatmap(
        x=[html.escape(name) for name in heatmap.columns],
        y=[html.escape(name) for name in heatmap.rows],
        z=[[math.sqrt(count) for count in row] for row in heatmap.counts],
        hovertext=_cells(heatmap),
        text=[[str(count) if count else "" for count in row] for row in heatmap.counts],
        texttemplate="%{text}" if letters else None,
        textfont={"size": letters},
        hoverinfo="text",
        zmin=0,
        zmax=math.sqrt(max((count for row in heatmap.counts for count in row), default=0)) or 1,
        colorscale=[[i / (len(BLUES) - 1), colour] for i, colour in enumerate(BLUES)],
        showscale=False,
        xgap=1,
        ygap=1,
    )


def _cells(heatmap: Heatmap) -> list[list[str]]:
    """What is read of each cell: on the diagonal a breed was recognised, beside it taken for another."""
    told = []
    for i, (actual, counts) in enumerate(zip(heatmap.rows, heatmap.counts, strict=True)):
        what = ["recognised" if i == j else f"taken for {name}" for j, name in enumerate(heatmap.columns)]
        how_often = [_share(count, sum(counts)) for count in counts]
        told.append([html.escape(f"{actual} {said}: {often}") for said, often in zip(what, how_often, strict=True)])
    return told


def _share(count: int, of: int) -> str:
    return f"{count} of {of}, {100 * count / of:.1f} %" if of else f"{count} of {of}"


def _layout(chart: Chart, placed: Placed) -> Any:  # noqa: ANN401 - as above
    margins = chart.margins
    axes = _panel_axes(chart, placed) if chart.heatmap is None else _heatmap_axes(chart, chart.heatmap, placed)
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
        width=placed.width,
        height=placed.height,
        margin={
            "l": margins.left,
            "r": placed.width - placed.plot.left - placed.plot.width,
            "t": placed.plot.top,
            "b": placed.below,
            "autoexpand": False,
        },
        legend={
            "orientation": "h",
            "x": 0,
            "xanchor": "left",
            "y": _paper_y(placed, placed.legend_top),
            "yanchor": "top",
            "bgcolor": "rgba(0,0,0,0)",
        },
        hovermode="closest",
        shapes=[_rule(rule.x) for rule in chart.rules],
        annotations=[
            *[_text(line, placed, size=TITLE_SIZE, colour=INK, weight="bold") for line in placed.title],
            *[_text(line, placed, size=SUBTITLE_SIZE) for line in placed.subtitle],
            *[_rule_label(label, log=chart.x.log) for label in placed.labels],
            *[_text(line, placed) for line in placed.notes],
        ],
        **axes,
    )


def _panel_axes(chart: Chart, placed: Placed) -> dict[str, Any]:
    last = f"y{len(chart.panels)}" if len(chart.panels) > 1 else "y"
    axes: dict[str, Any] = {"xaxis": {**_axis(chart.x, placed.plot.width), "anchor": last, "showgrid": chart.x.log}}
    for i, (panel, box) in enumerate(zip(chart.panels, placed.panels, strict=True)):
        bottom, top = _paper_y(placed, box.top + box.height), _paper_y(placed, box.top)
        axes[f"yaxis{i + 1 if i else ''}"] = {
            **_axis(panel.y, box.height),
            "anchor": "x",
            "domain": [max(0.0, bottom), min(1, top)],
        }
    return axes


def _heatmap_axes(chart: Chart, heatmap: Heatmap, placed: Placed) -> dict[str, Any]:
    plain = {
        # Said, or Plotly would take names that look like numbers or dates for such.
        "type": "category",
        "showgrid": False,
        "zeroline": False,
        "ticks": "",
        "dtick": label_step(heatmap, placed.plot.width),
        "tickfont": {"size": LABEL_SIZE},
    }
    return {
        "xaxis": {**plain, "title": {"text": chart.x.title, "standoff": 8}, "tickangle": -90},
        "yaxis": {**plain, "title": {"text": chart.rows_title, "standoff": 8}, "autorange": "reversed"},
    }


def _paper_y(placed: Placed, y: float) -> float:
    """Pixels from the top as Plotly's paper coordinate: 0 at the foot of the panels, 1 at their top."""
    return (placed.plot.top + placed.plot.height - y) / placed.plot.height


def _axis(axis: Axis, room: float) -> dict[str, Any]:
    bounds = [axis.low, axis.high]
    if axis.log:
        bounds = [None if bound is None else math.log10(bound) for bound in bounds]
    return {
        "title": {"text": html.escape(axis.title), "standoff": 8},
        "type": "log" if axis.log else "linear",
        "range": bounds if any(bound is not None for bound in bounds) else None,
        "gridcolor": GRID,
        "linecolor": QUIET,
        "ticks": "outside",
        "tickcolor": QUIET,
        "zeroline": False,
        "showline": True,
        "exponentformat": "none",
        **_ticks(axis, room),
        "tickformat": ".0%" if axis.percent else None,
    }


def _ticks(axis: Axis, room: float) -> dict[str, Any]:
    """Powers of ten are written by us: Plotly would set them with styles that the page's policy forbids."""
    if axis.ticks is not None:
        return {"tickvals": list(axis.ticks)}
    if axis.whole and axis.low is not None and axis.high is not None and axis.high - axis.low < FEW:
        return {"tickvals": whole_ticks(axis.low, axis.high)}
    if axis.log:
        powers = POWERS[:: power_step(axis, room)]
        return {"tickvals": [10.0**power for power in powers], "ticktext": [power_text(power) for power in powers]}
    return {}


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


def _rule_label(label: Label, *, log: bool) -> dict[str, Any]:
    return {
        "x": math.log10(label.x) if log else label.x,
        "y": 1,
        "yref": "paper",
        "text": html.escape(label.text),
        "showarrow": False,
        "xanchor": "left" if label.side == "right" else "right",
        "yanchor": "bottom",
        "font": {"color": QUIET, "size": TEXT_SIZE},
    }


def _text(
    line: Text, placed: Placed, *, size: int = TEXT_SIZE, colour: str = QUIET, weight: str = "normal"
) -> dict[str, Any]:
    return {
        "text": html.escape(line.text),
        "x": 0,
        "xref": "paper",
        "xanchor": "left",
        "xshift": EDGE - placed.plot.left,
        "y": _paper_y(placed, line.y),
        "yref": "paper",
        "yanchor": "middle",
        "showarrow": False,
        "font": {"color": colour, "size": size, "weight": weight},
    }


def _finite(values: Sequence[float]) -> list[float | None]:
    """Six digits are more than a screen shows, and a third of the bytes."""
    return [float(f"{value:.6g}") if math.isfinite(value) else None for value in values]
