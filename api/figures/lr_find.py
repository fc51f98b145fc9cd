"""The figure of a search for a learning rate: the loss of each sweep by rate, with what the suggestions make of it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from api.figures.chart import Axis, Chart, Line, Marker, Panel, Rule, Symbol
from api.figures.heading import loss_name, origin, rate_text, run_title
from api.figures.palette import BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILION
from ml.reading.agreement import USED
from ml.reading.suggestions import SHOWN_AS, seen
from store.db.models import RateFind, Run

SUGGESTIONS: tuple[tuple[str, str, Symbol], ...] = (
    ("minimum", PURPLE, "square"),
    ("steep", GREEN, "triangle"),
    ("valley", VERMILION, "circle"),
    ("slide", ORANGE, "diamond"),
)
AGREEMENT = {"agree": "agrees", "weak": "agrees weakly", "none": "does not agree"}
ROOM = 0.1
"""The axis ends so far above the highest loss that a suggestion sees: divergence would press the rest to the ground."""

BESIDE = 1.3
"""The axis goes on by so many times before the first rate and after the last."""


def lr_find_chart(run: Run, found: RateFind) -> Chart:
    """Smoothed loss by learning rate: the first sweep strong, the others faint, what no suggestion looks at grey."""
    content = found.content
    sweeps = [_Sweep.of(sweep, run.config["lr_sweep"]["steps"]) for sweep in content["sweeps"]]
    lines = [line for i in reversed(range(len(sweeps))) for line in _sweep_lines(sweeps[i], i)]
    count = f"{len(sweeps)} sweeps" if len(sweeps) > 1 else "1 sweep"
    return Chart(
        title=run_title(f"Learning-rate search, {_word(found)}", run),
        facts=origin(run, None, "body frozen" if content["freeze"] else "unfrozen", count),
        drawn=run.dataset.drawn,
        x=_rates_axis(sweeps),
        panels=[Panel(y=_axis(run, sweeps), marks=[*lines, *_markers(content["suggestions"], sweeps[0])])],
        rules=[] if found.rate is None else [Rule(found.rate, [f"“auto” takes {rate_text(found.rate)}"])],
        notes=_notes(content),
        plot_height=378,
    )


@dataclass(frozen=True)
class _Sweep:
    """One sweep's rates and smoothed losses, and the part of them that the suggestions look at."""

    rates: list[float]
    losses: list[float]
    seen: slice

    @classmethod
    def of(cls, sweep: dict[str, Any], steps: int) -> Self:
        """From the record, which has null where a loss was not finite."""
        rates = [float(rate) for rate in sweep["lrs"]]
        losses = [math.nan if loss is None else float(loss) for loss in sweep["smoothed"]]
        first = steps // 10
        return cls(rates, losses, slice(first, first + len(seen(rates, losses, steps)[0])))


def _sweep_lines(sweep: _Sweep, number: int) -> list[Line]:
    """The part that the suggestions look at, on top of a grey line of the whole."""
    name, colour, width = ("first sweep", BLUE, 2.4) if number == 0 else ("other sweeps", SKY, 1.2)
    part = sweep.seen
    return [
        Line(
            name="not looked at",
            x=sweep.rates,
            y=sweep.losses,
            colour=GREY,
            width=width,
            opacity=0.75,
            legend=number == 0,
        ),
        Line(name=name, x=sweep.rates[part], y=sweep.losses[part], colour=colour, width=width, legend=number <= 1),
    ]


def _markers(suggestions: dict[str, float | None], sweep: _Sweep) -> list[Marker]:
    """Each suggestion at its own rate, on the first sweep's curve."""
    finite = [i for i, loss in enumerate(sweep.losses) if math.isfinite(loss)]
    places, heights = [math.log(sweep.rates[i]) for i in finite], [sweep.losses[i] for i in finite]
    markers = []
    for name, colour, symbol in SUGGESTIONS:
        rate = suggestions[name]
        if rate is not None and finite:
            height = float(np.interp(math.log(rate), places, heights))
            shown = f"{_shown_as(name)} {rate_text(rate)}"
            markers.append(Marker(name=shown, x=[rate], y=[height], colour=colour, symbol=symbol))
    return markers


def _axis(run: Run, sweeps: Sequence[_Sweep]) -> Axis:
    title = f"{loss_name(run)} loss, smoothed"
    starts = [loss for sweep in sweeps for loss in sweep.losses[:1]]
    looked_at = [loss for sweep in sweeps for loss in sweep.losses[sweep.seen]]
    finite = [loss for loss in (*starts, *looked_at) if math.isfinite(loss)]
    if len(set(finite)) < 2:  # noqa: PLR2004 - one value has no range
        return Axis(title=title)
    low, high = min(finite), max(finite)
    return Axis(title=title, low=max(0.0, low - ROOM * (high - low)), high=high + ROOM * (high - low))


def _rates_axis(sweeps: Sequence[_Sweep]) -> Axis:
    rates = [rate for sweep in sweeps for rate in sweep.rates]
    low, high = min(rates) / BESIDE, max(rates) * BESIDE
    return Axis(title="learning rate (log)", log=True, low=low, high=high, values="rate")


def _word(found: RateFind) -> str:
    """Whether the sweeps agree on the rate that is used, and how far they lie apart."""
    content = found.content
    if content["suggestions"][USED] is None:
        return f"{USED} has no answer"
    if len(content["sweeps"]) == 1:
        return f"{USED} of a single sweep"
    return f"{USED} {AGREEMENT[found.agreement]} ({_decades(content['spread_decades'][USED])})"


def _notes(content: dict[str, Any]) -> list[str]:
    """Every suggestion with its spread, why one has no answer, what the agreement's word rests on, and what to do."""
    answers = "; ".join(_answer(name, content) for name, _, _ in SUGGESTIONS)
    names: dict[str, list[str]] = {}
    for name, _, _ in SUGGESTIONS:
        if name in content["reasons"]:
            names.setdefault(content["reasons"][name], []).append(_shown_as(name))
    missing = [f"No answer from {', '.join(some)}: {reason}." for reason, some in names.items()]
    why: str = content["agreement_reason"]
    answered = any(rate is not None for rate in content["suggestions"].values())
    advice = content.get("advice")
    return [
        *([f"{answers}."] if answered else []),
        *missing,
        *(f"{said[:1].upper()}{said[1:]}." for said in (None if why in names else why, advice) if said),
    ]


def _answer(name: str, content: dict[str, Any]) -> str:
    rate, spread = content["suggestions"][name], content["spread_decades"][name]
    if rate is None:
        return f"{_shown_as(name)}: no answer"
    return f"{_shown_as(name)} {rate_text(rate)}" + ("" if spread is None else f" ({_decades(spread)})")


def _decades(spread: float) -> str:
    return f"{spread:.2f} decades"


def _shown_as(name: str) -> str:
    return SHOWN_AS.get(name, name)
