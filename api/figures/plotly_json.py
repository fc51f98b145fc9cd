"""Charts as Plotly figures."""

import html
import json
import math
from collections.abc import Sequence
from typing import Any, cast

import plotly.graph_objects as go

from api.figures.chart import Axis, Bars, Chart, Heatmap, Line, Marker
from api.figures.chart_geometry import LEGEND_Y, SUBTITLE_Y, TITLE_Y, full_height, note_y, panel_boxes, plot_box
from api.figures.palette import BLUES, GRID, GROUND, INK, QUIET
from api.figures.ticks import POWERS, power_text

FONT = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif"
SYMBOLS = {"circle": "circle", "square": "square", "diamond": "diamond", "triangle": "triangle-up"}
LEAST_LETTERS_CELL = 12


def as_plotly(chart: Chart) -> dict[str, Any]:
    """The chart as Plotly's JSON (``data`` and ``layout``), checked by Plotly's own schema.

    Text of users is escaped: Plotly reads some HTML in its texts. NaN and infinities become null.
    """
    traces: list[Any] = []
    if chart.heatmap is not None:
        traces.append(_heatmap(chart.heatmap))
    for i, panel in enumerate(chart.panels):
        axis = f"y{i + 1}" if i else "y"
        traces += [_trace(mark, axis) for mark in panel.marks]
    figure = go.Figure(data=traces, layout=_layout(chart))
    return cast("dict[str, Any]", json.loads(figure.to_json()))


def _trace(mark: Line | Marker | Bars, axis: str) -> Any:  # noqa: ANN401 - Plotly ships no types
    if isinstance(mark, Line):
        return go.Scatter(
            name=html.escape(mark.name),
            x=_finite(mark.x),
            y=_finite(mark.y),
            yaxis=axis,
            mode="lines+markers" if mark.dots else "lines",
            line={"color": mark.colour, "width": mark.width, "dash": mark.dash},
            marker={"size": 7},
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


def _heatmap(heatmap: Heatmap) -> Any:  # noqa: ANN401 - as above
    return go.Heatmap(
        x=[html.escape(name) for name in heatmap.columns],
        y=[html.escape(name) for name in heatmap.rows],
        z=[[math.sqrt(count) for count in row] for row in heatmap.counts],
        customdata=[list(row) for row in heatmap.counts],
        text=[[str(count) if count else "" for count in row] for row in heatmap.counts],
        texttemplate="%{text}" if heatmap.cell >= LEAST_LETTERS_CELL else None,
        textfont={"size": 11},
        hovertemplate="%{y} was taken for %{x}: %{customdata}<extra></extra>",
        colorscale=[[i / (len(BLUES) - 1), colour] for i, colour in enumerate(BLUES)],
        showscale=False,
        xgap=1,
        ygap=1,
    )


def _layout(chart: Chart) -> Any:  # noqa: ANN401 - as above
    margins, height = chart.margins, full_height(chart)
    axes = _panel_axes(chart) if chart.heatmap is None else _heatmap_axes(chart)
    return go.Layout(
        template="none",
        meta={"title": chart.title, "subtitle": chart.subtitle, "notes": list(chart.notes), "drawn": chart.drawn},
        font={"family": FONT, "size": 12, "color": INK},
        paper_bgcolor=GROUND,
        plot_bgcolor=GROUND,
        width=chart.width,
        height=height,
        margin={
            "l": margins.left,
            "r": margins.right,
            "t": margins.top,
            "b": height - chart.height + margins.bottom,
            "autoexpand": False,
        },
        legend={
            "orientation": "h",
            "x": 0,
            "xanchor": "left",
            "y": _paper_y(chart, LEGEND_Y),
            "yanchor": "middle",
            "bgcolor": "rgba(0,0,0,0)",
        },
        hovermode="closest",
        shapes=[_rule(rule.x) for rule in chart.rules],
        annotations=[
            _text(html.escape(chart.title), _paper_y(chart, TITLE_Y), size=17, colour=INK, weight="bold"),
            _text(html.escape(chart.subtitle), _paper_y(chart, SUBTITLE_Y), size=13),
            *[_rule_label(rule.x, rule.label, log=chart.x.log) for rule in chart.rules],
            *[_text(html.escape(note), _paper_y(chart, note_y(chart, i))) for i, note in enumerate(chart.notes)],
        ],
        **axes,
    )


def _panel_axes(chart: Chart) -> dict[str, Any]:
    last = f"y{len(chart.panels)}" if len(chart.panels) > 1 else "y"
    axes: dict[str, Any] = {"xaxis": {**_axis(chart.x), "anchor": last, "showgrid": chart.x.log}}
    for i, (panel, box) in enumerate(zip(chart.panels, panel_boxes(chart), strict=True)):
        bottom, top = _paper_y(chart, box.top + box.height), _paper_y(chart, box.top)
        axes[f"yaxis{i + 1 if i else ''}"] = {
            **_axis(panel.y),
            "anchor": "x",
            "domain": [max(0.0, bottom), min(1, top)],
        }
    return axes


def _heatmap_axes(chart: Chart) -> dict[str, Any]:
    plain = {"showgrid": False, "zeroline": False, "ticks": "", "dtick": 1, "tickfont": {"size": 11}}
    return {
        "xaxis": {**plain, "title": {"text": chart.x.title, "standoff": 8}, "tickangle": -90},
        "yaxis": {**plain, "title": {"text": chart.rows_title, "standoff": 8}, "autorange": "reversed"},
    }


def _paper_y(chart: Chart, y: float) -> float:
    """Pixels from the top as Plotly's paper coordinate: 0 at the foot of the panels, 1 at their top."""
    whole = plot_box(chart)
    return (whole.top + whole.height - y) / whole.height


def _axis(axis: Axis) -> dict[str, Any]:
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
        **_ticks(axis),
        "tickformat": ".0%" if axis.percent else None,
    }


def _ticks(axis: Axis) -> dict[str, Any]:
    """Powers of ten are written by us: Plotly would set them with styles that the page's policy forbids."""
    if axis.ticks is not None:
        return {"tickvals": list(axis.ticks)}
    if axis.log:
        return {"tickvals": [10.0**power for power in POWERS], "ticktext": [power_text(power) for power in POWERS]}
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


def _rule_label(x: float, label: str, *, log: bool) -> dict[str, Any]:
    return {
        "x": math.log10(x) if log else x,
        "y": 1,
        "yref": "paper",
        "text": html.escape(label),
        "showarrow": False,
        "xanchor": "left",
        "yanchor": "bottom",
        "font": {"color": QUIET, "size": 12},
    }


def _text(text: str, y: float, *, size: int = 12, colour: str = QUIET, weight: str = "normal") -> dict[str, Any]:
    return {
        "text": text,
        "x": 0,
        "xref": "paper",
        "xanchor": "left",
        "y": y,
        "yref": "paper",
        "yanchor": "middle",
        "showarrow": False,
        "font": {"color": colour, "size": size, "weight": weight},
    }


def _finite(values: Sequence[float]) -> list[float | None]:
    """Six digits are more than a screen shows, and a third of the bytes."""
    return [float(f"{value:.6g}") if math.isfinite(value) else None for value in values]
