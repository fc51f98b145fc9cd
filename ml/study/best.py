"""Which trial of a search is the best."""

import math
from collections.abc import Sequence
from typing import Protocol, TypeVar

from ml.study.plan import StudyPlan


class EndedTrial(Protocol):
    """What is looked at of a trial; ``run_id`` is None where there is no run, or none any more."""

    @property
    def number(self) -> int: ...
    @property
    def run_id(self) -> int | None: ...
    @property
    def outcome(self) -> str | None: ...
    @property
    def value(self) -> float | None: ...
    @property
    def answer_ms(self) -> float | None: ...


Some = TypeVar("Some", bound=EndedTrial)


def best_of(plan: StudyPlan, trials: Sequence[Some]) -> Some | None:
    """The trial with the lowest value of those that trained to their end and keep the limits; of equal ones the first.

    One whose time to answer was not measured is not known to keep a limit of it.
    """
    able = [one for one in trials if one.outcome == "done" and one.run_id is not None and keeps_limits(plan, one)]
    return min(able, key=lambda one: (_worth(one), one.number), default=None)


def keeps_limits(plan: StudyPlan, trial: EndedTrial) -> bool:
    """Whether a trial that trained to its end may be the best."""
    most = plan.limits.answer_ms
    answers_in_time = most is None or (trial.answer_ms is not None and trial.answer_ms <= most)
    return math.isfinite(_worth(trial)) and answers_in_time


def _worth(trial: EndedTrial) -> float:
    return math.inf if trial.value is None else trial.value
