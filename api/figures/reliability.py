"""The reliability figure: how often the model is right where it says that it is sure."""

from collections.abc import Sequence

import numpy as np

from api.figures.chart import Axis, Bars, Chart, Line, Marker, Panel
from api.figures.heading import AVERAGED, SIDES, origin, run_title
from api.figures.palette import BLUE, GREY, ORANGE, QUIET
from api.runs.interpretations import StoredInterpretation
from ml.reading.metrics import Bin, Reliability, reliability
from store.db.models import Run
from store.db.read_items import Confidences

BINS = 10
WIDTH = 880


def reliability_chart(run: Run, stored: StoredInterpretation, sure: Confidences) -> Chart:
    """Accuracy by confidence with 95 % Wilson intervals beside the diagonal, and the number of pictures in each bin."""
    found = stored.interpretation
    side = SIDES[stored.side]
    read = _read(sure.scores, sure.right)
    # Interpretations of before there were any, and averages over copies, have no calibrated ones.
    calibrated = None if sure.calibrated is None else _read(sure.calibrated, sure.right)
    averaged = [AVERAGED] if found.tta else []
    return Chart(
        title=run_title("Reliability", run),
        facts=origin(run, stored.dataset, f"{BINS} bins, {read.n} {side}", *averaged),
        drawn=stored.dataset.drawn,
        x=Axis(title="confidence (score of the first guess)", low=0, high=1, values="share"),
        panels=[
            Panel(
                y=Axis(title="accuracy", low=0, high=1.02, values="share"),
                marks=[
                    Line(name="perfectly calibrated", x=[0, 1], y=[0, 1], colour=GREY, dash="dash", width=1.5),
                    _points(read.bins, "accuracy with its 95 % interval", BLUE),
                    *([_points(calibrated.bins, "the same, calibrated", ORANGE)] if calibrated else []),
                ],
                share=3,
            ),
            Panel(
                y=Axis(title="photos", low=0),
                marks=[
                    Bars(
                        name="photos",
                        x=[(one.low + one.high) / 2 for one in read.bins],
                        heights=[one.n for one in read.bins],
                        width=1 / BINS,
                        colour=QUIET,
                    )
                ],
            ),
        ],
        told=_told(read.bins),
        width=WIDTH,
        plot_height=578,
    )


def _read(confidence: Sequence[float | None], right: Sequence[bool]) -> Reliability:
    return reliability(np.array(confidence, dtype=np.float64), np.array(right, dtype=np.bool_), BINS)


def _told(bins: list[Bin]) -> list[str]:
    parts = [
        f"{one.accuracy:.0%} of {one.n} at {one.low:.0%} to {one.high:.0%}" for one in bins if one.accuracy is not None
    ]
    return [f"Right at which confidence: {', '.join(parts)}."] if parts else []


def _points(bins: list[Bin], name: str, colour: str) -> Marker:
    x, y, low, high = [], [], [], []
    for one in bins:
        if one.confidence is not None and one.accuracy is not None:
            x.append(one.confidence)
            y.append(one.accuracy)
            low.append(one.accuracy if one.accuracy_low is None else one.accuracy_low)
            high.append(one.accuracy if one.accuracy_high is None else one.accuracy_high)
    return Marker(name=name, x=x, y=y, low=low, high=high, colour=colour)
