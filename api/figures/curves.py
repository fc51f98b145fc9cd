"""The curves figure: how several runs went, epoch by epoch, over each other."""

import math
from collections.abc import Mapping, Sequence

from api.figures.chart import Axis, Chart, Dash, Line, Panel, Values
from api.figures.heading import listed, loss_name, origin
from api.figures.palette import BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILION
from store.db.models import Epoch, Run

STYLES: tuple[tuple[str, Dash], ...] = (
    (BLUE, "solid"),
    (VERMILION, "dash"),
    (GREEN, "dot"),
    (PURPLE, "solid"),
    (ORANGE, "dash"),
    (SKY, "dot"),
)
"""Colour and dash of each run, by its place among them."""
ABOVE = 1.08


def curves_chart(runs: Sequence[Run], epochs: Mapping[int, Sequence[Epoch]]) -> Chart:
    """Error rate and validation loss after each epoch, counted over all phases; a run without epochs has no line."""
    longest = max((len(epochs[run.id]) for run in runs), default=0) or 1
    beside = 0.02 * longest + 0.05
    return Chart(
        title=f"Curves of runs {listed([str(run.id) for run in runs])}",
        facts=list(dict.fromkeys(" ".join(origin(run)) for run in runs)),
        drawn=all(run.dataset.drawn for run in runs),
        x=Axis(title="epoch, all phases counted", low=1 - beside, high=longest + beside, values="whole"),
        panels=[
            _panel(runs, epochs, "error_rate", "error rate", "share"),
            _panel(runs, epochs, "valid_loss", _loss_title(runs), "number"),
        ],
        notes=_notes(runs, epochs),
        told=[_told(run, epochs[run.id]) for run in runs if epochs[run.id]],
        plot_height=420,
    )


def _panel(
    runs: Sequence[Run], epochs: Mapping[int, Sequence[Epoch]], figure: str, title: str, values: Values
) -> Panel:
    seen = [value for run in runs for row in epochs[run.id] if math.isfinite(value := getattr(row, figure))]
    high = ABOVE * max(seen, default=1.0) or 1.0
    return Panel(y=Axis(title=title, low=0, high=high, values=values), marks=_lines(runs, epochs, figure))


def _lines(runs: Sequence[Run], epochs: Mapping[int, Sequence[Epoch]], figure: str) -> list[Line]:
    """One a run; only those of the upper panel are in the legend, which would else name each twice."""
    return [
        Line(
            name=_name(run),
            x=[float(n) for n, _ in enumerate(epochs[run.id], 1)],
            y=[getattr(row, figure) for row in epochs[run.id]],
            colour=colour,
            dash=dash,
            dots=True,
            legend=figure == "error_rate",
        )
        for run, (colour, dash) in zip(runs, STYLES, strict=False)
        if epochs[run.id]
    ]


def _loss_title(runs: Sequence[Run]) -> str:
    names = dict.fromkeys(loss_name(run) for run in runs)
    return f"validation loss ({', '.join(names)})"


def _notes(runs: Sequence[Run], epochs: Mapping[int, Sequence[Epoch]]) -> list[str]:
    without = [str(run.id) for run in runs if not epochs[run.id]]
    notes = [f"Without an epoch so far: run {listed(without)}."] if without else []
    if len({loss_name(run) for run in runs}) > 1:
        notes.append("Values of different losses cannot be held against each other.")
    return notes


def _name(run: Run) -> str:
    return f"run {run.id}{f' · {run.name}' if run.name else ''}"


def _told(run: Run, rows: Sequence[Epoch]) -> str:
    rates = ", ".join(f"{100 * row.error_rate:.1f} %" for row in rows)
    return f"Error rate of run {run.id} after each epoch: {rates}."
