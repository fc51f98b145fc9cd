"""What to try next and what to end early, asked of optuna.

Nothing of a study is kept between two questions: it is told again from the first trial on, so that the record of the
trials is the only one, and the same record has the same answer in every process.
"""

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner
from optuna.samplers import RandomSampler, TPESampler
from optuna.trial import Trial, TrialState

from ml.study.plan import Range, Setting, StudyPlan, combinations, is_whole, most_epochs, value_of

Outcome = Literal["done", "pruned", "failed"]
NAME = "study"
"""Hyperband draws a trial's bracket from the study's name and the trial's number."""
MOST_TRIES = 50
"""So often another proposal is asked for, where the one that came has been tried."""
MOST_LISTED = 10_000
"""So many combinations are looked through, one by one, for those that are left."""
SHOWN_DIGITS = 4
_STARTUP_SHARE, _LEAST_STARTUP, _MOST_STARTUP = 3, 4, 10
_MEDIAN_SHARE, _LEAST_MEDIAN, _MOST_MEDIAN = 5, 2, 5
_STATES = {"done": TrialState.COMPLETE, "pruned": TrialState.PRUNED, "failed": TrialState.FAIL}

optuna.logging.set_verbosity(optuna.logging.WARNING)


@dataclass(frozen=True)
class ToldTrial:
    """A trial as far as it has come: what it tried, its objective after each epoch, and how it ended, if it has."""

    settings: Mapping[str, Setting]
    curve: Sequence[float]
    outcome: Outcome | None
    value: float | None = None


def next_settings(plan: StudyPlan, told: Sequence[ToldTrial]) -> dict[str, Setting] | None:
    """What to try next; the base config's own settings first. None where all there is has been tried."""
    tried = [dict(one.settings) for one in told]
    if not told and (own := _own_settings(plan)) is not None:
        return own
    every = _every_setting(plan)
    if every is not None:
        left = [one for one in every if one not in tried]
        if not left or len(every) <= plan.trials:
            # All of them will have had their turn: there is nothing to be clever about.
            return _drawn(plan, len(told), left) if left else None
    for attempt in range(MOST_TRIES):
        proposed = _proposed(plan, told, attempt)
        if proposed not in tried:
            return proposed
    return _drawn(plan, len(told), [one for one in every if one not in tried]) if every is not None else proposed


def pruned_after(plan: StudyPlan, told: Sequence[ToldTrial], number: int, epochs: int) -> int | None:
    """After which epoch, from 1, the trial is not worth its end; None while it is.

    Args:
        plan: the search.
        told: all trials so far, in order; later ones than the trial that is asked about count too.
        number: which of them is asked about, from 1.
        epochs: how many that trial has: its last is its end, and ends nothing early.
    """
    if plan.pruner == "none":
        return None
    others = [one for i, one in enumerate(told, 1) if i != number and one.outcome is not None]
    study = _study(plan)
    for one in others:
        _tell(study, plan, one)
    asked = told[number - 1]
    trial = _ask(study, plan, asked.settings)
    for epoch, value in enumerate(asked.curve, 1):
        trial.report(value, epoch)
        if epoch < epochs and trial.should_prune():
            return epoch
    return None


def _own_settings(plan: StudyPlan) -> dict[str, Setting] | None:
    """What the base config has, where all of it lies in the space."""
    own = {name: value_of(plan.config, name) for name in plan.space}
    return own if all(_contains(domain, own[name]) for name, domain in plan.space.items()) else None


def _contains(domain: list[Setting] | Range, value: Setting) -> bool:
    if isinstance(domain, list):
        return value in domain
    if isinstance(value, bool) or not isinstance(value, int | float) or not domain.low <= value <= domain.high:
        return False
    return domain.step is None or math.isclose((value - domain.low) / domain.step % 1.0, 0.0, abs_tol=1e-9)


def _every_setting(plan: StudyPlan) -> list[dict[str, Setting]] | None:
    """All combinations; None where there are too many to be listed, or no end of them."""
    count = combinations(plan.space)
    if count is None or count > MOST_LISTED:
        return None
    lists = [domain for domain in plan.space.values() if isinstance(domain, list)]
    return [dict(zip(plan.space, values, strict=True)) for values in product(*lists)]


def _drawn(plan: StudyPlan, number: int, left: Sequence[dict[str, Setting]]) -> dict[str, Setting] | None:
    return random.Random(f"{plan.seed} {number}").choice(left) if left else None  # noqa: S311 - no secret


def _proposed(plan: StudyPlan, told: Sequence[ToldTrial], attempt: int) -> dict[str, Setting]:
    study = _study(plan)
    for one in told:
        _tell(study, plan, one)
    startup = min(_MOST_STARTUP, max(_LEAST_STARTUP, plan.trials // _STARTUP_SHARE))
    study.sampler = TPESampler(seed=_seed(plan, len(told), attempt), n_startup_trials=startup)
    asked = study.ask(_distributions(plan))
    return {name: _setting(plan, name, asked.params[name]) for name in plan.space}


def _seed(plan: StudyPlan, number: int, attempt: int) -> int:
    return random.Random(f"{plan.seed} {number} {attempt}").getrandbits(31)  # noqa: S311 - no secret


def _study(plan: StudyPlan) -> optuna.Study:
    """One that nothing was told of. What it is told is given, and needs no clever sampler."""
    sampler = RandomSampler(seed=0)
    return optuna.create_study(study_name=NAME, sampler=sampler, pruner=_pruner(plan), direction="minimize")


def _pruner(plan: StudyPlan) -> BasePruner:
    if plan.pruner == "median":
        return MedianPruner(n_startup_trials=min(_MOST_MEDIAN, max(_LEAST_MEDIAN, plan.trials // _MEDIAN_SHARE)))
    if plan.pruner == "hyperband":
        return HyperbandPruner(min_resource=1, max_resource=most_epochs(plan))
    return NopPruner()


def _tell(study: optuna.Study, plan: StudyPlan, told: ToldTrial) -> None:
    """Tell a trial's whole story; of one that goes on, what there is of it."""
    trial = _ask(study, plan, told.settings)
    for epoch, value in enumerate(told.curve, 1):
        trial.report(value, epoch)
        trial.should_prune()  # Hyperband notes in the trial which of its rounds it has been through
    if told.outcome is not None:
        state = _STATES[told.outcome]
        study.tell(trial, told.value if state is TrialState.COMPLETE else None, state=state)


def _ask(study: optuna.Study, plan: StudyPlan, settings: Mapping[str, Setting]) -> Trial:
    study.enqueue_trial({name: _parameter(plan, name, settings[name]) for name in plan.space})
    return study.ask(_distributions(plan))


def _distributions(plan: StudyPlan) -> dict[str, BaseDistribution]:
    return {name: _distribution(plan, name, domain) for name, domain in plan.space.items()}


def _distribution(plan: StudyPlan, name: str, domain: list[Setting] | Range) -> BaseDistribution:
    """Of choices, their places in the list: a choice may be a list itself."""
    if isinstance(domain, list):
        return CategoricalDistribution(range(len(domain)))
    if is_whole(plan.config, name):
        return IntDistribution(int(domain.low), int(domain.high), log=domain.log, step=int(domain.step or 1))
    return FloatDistribution(domain.low, domain.high, log=domain.log, step=domain.step)


def _parameter(plan: StudyPlan, name: str, value: Setting) -> Setting:
    domain = plan.space[name]
    return domain.index(value) if isinstance(domain, list) else value


def _setting(plan: StudyPlan, name: str, parameter: float) -> Setting:
    """A number in the digits that people read: the run has just these."""
    domain = plan.space[name]
    if isinstance(domain, list):
        return domain[int(parameter)]
    if is_whole(plan.config, name):
        return int(parameter)
    return min(domain.high, max(domain.low, float(f"{parameter:.{SHOWN_DIGITS}g}")))
