"""The figures of a search over settings: trial by trial, and over one of its settings."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from api.figures.chart import Axis, Chart, Line, Marker, Panel, Symbol, Values
from api.figures.palette import BLUE, GREY, ORANGE, VERMILION
from ml.study.best import best_of
from ml.study.plan import Range, StudyPlan
from store.db.models import Dataset
from store.db.studies import get_study, trials_of
from store.db.study_tables import Study, StudyTrial
from store.errors import Hint, InvalidRequest, NotFound, NotReady, Request

TITLES = {"error_rate": "error rate", "macro_error": "mean error rate of the breeds", "valid_loss": "validation loss"}
KINDS: tuple[tuple[str, str, str, Symbol], ...] = (
    ("done", "trained to its end", BLUE, "circle"),
    ("pruned", "ended early, where it was", GREY, "diamond"),
    ("best", "the best", VERMILION, "square"),
)
ROOM = 0.08
MOST_LETTERS = 24
"""Of a choice's name on the axis."""
BESIDE = 1.3
"""A logarithmic axis goes on by so many times."""


@dataclass(frozen=True)
class _Seen:
    """A search with what of its trials can be drawn."""

    job: int
    study: Study
    plan: StudyPlan
    dataset: Dataset | None
    trials: Sequence[StudyTrial]

    @property
    def measured(self) -> list[StudyTrial]:
        """The trials that have a value."""
        return [one for one in self.trials if _is_finite(one.value) and one.outcome in {"done", "pruned"}]

    @property
    def best(self) -> StudyTrial | None:
        return best_of(self.plan, self.trials)


def study_chart(session: Session, job_id: int, name: str, setting: str | None) -> Chart:
    """The named figure of a search.

    Raises:
        NotFound: there is no such figure or job.
        WrongKind: the job is no search.
        InvalidRequest: the search does not vary the setting.
        NotReady: no trial has come to anything yet.
    """
    if name not in FIGURES:
        raise NotFound(f"there is no figure {name!r} of a search", hint=f"The figures are {', '.join(FIGURES)}.")
    _, study = get_study(session, job_id)
    plan = StudyPlan.model_validate(study.asked)
    seen = _Seen(job_id, study, plan, session.get(Dataset, study.dataset_id), trials_of(session, job_id))
    if setting is not None and setting not in plan.space:
        named = f"Name one of {', '.join(plan.space)}."
        raise InvalidRequest("the search does not vary it", named, field="query.setting", value=setting)
    if not seen.measured:
        hint = Hint("Wait until a trial has ended.", Request("GET", f"/jobs/{job_id}"))
        raise NotReady(f"no trial of job {job_id} has come to anything yet", hint)
    return FIGURES[name](seen, setting or next(iter(plan.space)))


def _trials_chart(seen: _Seen, _: str) -> Chart:
    """What each trial came to, and the best of those so far."""
    last = max(one.number for one in seen.trials)
    axis = Axis(title="trial", low=0.5, high=max(last, 2) + 0.5, values="whole")
    return _chart(seen, "Trials", axis, [_best_so_far(seen), *_markers(seen, lambda one: float(one.number))], [])


def _setting_chart(seen: _Seen, setting: str) -> Chart:
    """What was sought, over one of the settings that were tried."""
    domain = seen.plan.space[setting]
    if isinstance(domain, Range):
        beside = ROOM * (domain.high - domain.low)
        low = domain.low / BESIDE if domain.log else domain.low - beside
        high = domain.high * BESIDE if domain.log else domain.high + beside
        axis = Axis(title=setting, log=domain.log, low=low, high=high, values="rate" if domain.log else "number")
        return _chart(seen, f"By {setting}", axis, _markers(seen, lambda one: float(one.settings[setting])), [])
    axis = Axis(title=f"{setting}: each of its values, by its number", low=0.5, high=len(domain) + 0.5, values="whole")
    places = _markers(seen, lambda one: 1.0 + domain.index(one.settings[setting]))
    named = [f"{number}: {_shown(value)}" for number, value in enumerate(domain, 1)]
    return _chart(seen, f"By {setting}", axis, places, [f"{setting} — {', '.join(named)}."])


def _chart(seen: _Seen, what: str, x: Axis, marks: Sequence[Line | Marker], notes: list[str]) -> Chart:
    values: Values = "number" if seen.plan.objective == "valid_loss" else "share"
    most = max(float(one.value or 0.0) for one in seen.measured)
    y = Axis(title=TITLES[seen.plan.objective], low=0.0, high=(1 + ROOM) * most or 1.0, values=values)
    return Chart(
        title=f"{what} · {seen.study.name or 'search'} · job {seen.job}",
        facts=_facts(seen),
        drawn=seen.dataset is not None and seen.dataset.drawn,
        x=x,
        panels=[Panel(y=y, marks=marks)],
        notes=[*notes, *_unseen(seen)],
        told=_told(seen),
    )


def _facts(seen: _Seen) -> list[str]:
    where = "" if seen.dataset is None else f" on {seen.dataset.name}"
    drawn = ["drawn pictures, not photos"] if seen.dataset is not None and seen.dataset.drawn else []
    return [f"{len(seen.trials)} of {seen.plan.trials} trials{where}", *drawn]


def _best_so_far(seen: _Seen) -> Line:
    """A staircase: the lowest value of all trials up to each."""
    x: list[float] = []
    y: list[float] = []
    low = math.inf
    for one in seen.measured:
        if one.outcome == "done" and float(one.value or 0.0) < low:
            x += [] if not y else [float(one.number)]
            y += [] if not y else [low]
            low = float(one.value or 0.0)
            x.append(float(one.number))
            y.append(low)
    if y:
        x.append(float(max(one.number for one in seen.trials)))
        y.append(low)
    return Line(name="best so far", x=x, y=y, colour=ORANGE, width=1.6, legend=bool(y))


def _markers(seen: _Seen, place: Callable[[StudyTrial], float]) -> list[Marker]:
    best = seen.best
    markers = []
    for kind, name, colour, symbol in KINDS:
        some = [one for one in seen.measured if kind == ("best" if one is best else one.outcome)]
        if some:
            x, y = [place(one) for one in some], [float(one.value or 0.0) for one in some]
            markers.append(Marker(name=name, x=x, y=y, colour=colour, symbol=symbol))
    return markers


def _unseen(seen: _Seen) -> list[str]:
    """How many trials have no value, so that nobody takes them for missing."""
    others = len([one for one in seen.trials if one.outcome is not None]) - len(seen.measured)
    return [f"{others} more have no value: see the table of trials."] if others else []


def _told(seen: _Seen) -> list[str]:
    best = seen.best
    if best is None:
        return ["No trial has trained to its end yet."]
    settings = ", ".join(f"{name} {_shown(value)}" for name, value in best.settings.items())
    return [f"The best is trial {best.number}, {_value(seen.plan, float(best.value or 0.0))}, with {settings}."]


def _value(plan: StudyPlan, value: float) -> str:
    return f"{value:.4g}" if plan.objective == "valid_loss" else f"{100 * value:.1f} %"


def _shown(value: Any) -> str:  # noqa: ANN401 - any value of a config
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return text if len(text) <= MOST_LETTERS else f"{text[: MOST_LETTERS - 1]}…"


def _is_finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


FIGURES: dict[str, Callable[[_Seen, str], Chart]] = {"trials": _trials_chart, "setting": _setting_chart}
