"""Moving a search over settings on: what its trials have come to, which of them end early, which one is next.

A search is no process. Where it stands is in the database, and whoever looks moves it on by one step in one
transaction: it cannot be lost with a process, and nothing is done twice. The trials are trainings like any other.
"""

import math
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from ml.architectures import check_arch
from ml.config import ResolvedConfig, resolve
from ml.errors import LearningError
from ml.reading.metrics import macro_error
from ml.study.best import best_of
from ml.study.plan import DoesNotFit, StudyPlan, config_with
from ml.study.replay import Outcome, ToldTrial, next_settings, pruned_after
from store.db.base import Json
from store.db.jobs import (
    append_event,
    begin_without_worker,
    change_state,
    request_cancel,
    resume,
    save_progress,
)
from store.db.models import Epoch, Job, Run
from store.db.reading import epochs_of, interpretation_of, jobs_of_runs
from store.db.registry import register
from store.db.studies import add_trial_run, held_study, note_pruned, trials_of
from store.db.study_tables import Study, StudyTrial
from store.request_ids import following
from store.states import FINAL, State
from store.tracing import continuing

MOST_BETWEEN_SECONDS = 10.0
"""A longer time between two looks was one in which nobody looked, and is not the search's."""
MOST_FAILED = 3
"""So many failed trials in a row end the search: the next would fail as well."""
NO_TRIAL_DONE = "no_trial_done"
TRIALS_FAILED = "trials_failed"

_TOLD: dict[str, Outcome] = {"done": "done", "pruned": "pruned"}


@dataclass
class Step:
    """One step of a search; ``to_publish`` are the jobs that workers must be told of after the commit."""

    session: Session
    job: Job
    study: Study
    plan: StudyPlan
    trials: list[StudyTrial]
    max_attempts: int
    jobs: dict[int, Job] = field(default_factory=dict)
    """Of the trials' runs."""
    to_publish: list[int] = field(default_factory=list)

    @property
    def live(self) -> list[StudyTrial]:
        """The trials that go on."""
        return [trial for trial in self.trials if trial.outcome is None]

    @property
    def is_over_time(self) -> bool:
        """Whether its minutes are used up."""
        return self.study.spent_seconds >= self.plan.minutes * 60

    def job_of(self, trial: StudyTrial) -> Job | None:
        """The job of a trial's run, while there is one."""
        return self.jobs.get(trial.run_id) if trial.run_id is not None else None


def advance(session: Session, job_id: int, *, max_attempts: int) -> list[int]:
    """Move a search on as far as it can be now; the jobs to publish after the commit."""
    held = held_study(session, job_id)
    if held is None:
        return []
    with following(held[0].request_id), continuing(held[0].traceparent):
        return _moved_on(session, *held, max_attempts=max_attempts)


def _moved_on(session: Session, job: Job, study: Study, *, max_attempts: int) -> list[int]:
    trials = list(trials_of(session, job.id))
    step = Step(session, job, study, StudyPlan.model_validate(study.asked), trials, max_attempts)
    step.jobs = jobs_of_runs(session, [trial.run_id for trial in trials if trial.run_id is not None])
    if job.state == State.QUEUED:
        _begin(step)
    _count_time(step)
    for trial in step.live:
        _look(step, trial)
    if step.job.state == State.CANCELLING:
        _put_down(step)
    elif not _give_up(step):
        _go_on(step)
    _save_progress(step)
    return step.to_publish


def fail(session: Session, job_id: int, detail: str) -> None:
    """End a search that could not be moved on; its trials stay as they are."""
    held = held_study(session, job_id)
    if held is not None:
        error = {"code": "internal_error", "detail": detail, "hint": "See the repair process's log."}
        if held[0].state == State.QUEUED:
            change_state(session, job_id, State.RUNNING)
        change_state(session, job_id, State.FAILED, error=error)


def _begin(step: Step) -> None:
    """Begin, or go on after a cancel or a failure: trainings that were put down go on from their checkpoints."""
    begin_without_worker(step.session, step.job.id)
    step.study.ticked_at = None
    step.study.since_trial = len(step.trials)
    for trial in step.trials:
        job = step.job_of(trial)
        if trial.outcome != "stopped" or job is None:
            continue
        trial.outcome, trial.reason, trial.ended_at = None, None, None
        if job.state == State.CANCELLED:
            resume(step.session, job.id, max_attempts=step.max_attempts)
            step.to_publish.append(job.id)


def _count_time(step: Step) -> None:
    now = _now(step.session)
    before = step.study.ticked_at
    if before is not None:
        step.study.spent_seconds += min(MOST_BETWEEN_SECONDS, max(0.0, (now - before).total_seconds()))
    step.study.ticked_at = now


def _now(session: Session) -> datetime:
    now: datetime = session.scalars(select(func.clock_timestamp())).one()
    return now


def _look(step: Step, trial: StudyTrial) -> None:
    """What a trial has come to: another epoch, its end, or so little that it is ended."""
    job = step.job_of(trial)
    if job is None or trial.run_id is None:
        _end(step, trial, "cancelled", reason="its run was deleted")
        return
    epochs = epochs_of(step.session, trial.run_id)
    curve = [_objective_of(step.plan, epoch) for epoch in epochs]
    has_more = len(curve) > len(trial.curve)
    trial.curve = curve
    if job.state in FINAL:
        _settle(step, trial, job)
    elif job.state == State.RUNNING and has_more and trial.pruned_epoch is None:
        _judge(step, trial, job)
    if trial.outcome is None and job.state == State.RUNNING and _trains_too_long(step, job):
        _cut(step, trial, job)


def _objective_of(plan: StudyPlan, epoch: Epoch) -> float:
    """Of one epoch. What each breed's error is, only the whole run says: until then all photos' error stands for it."""
    return epoch.valid_loss if plan.objective == "valid_loss" else epoch.error_rate


def _judge(step: Step, trial: StudyTrial, job: Job) -> None:
    """End a trial early where it is not worth its end."""
    planned = _epochs_of(job)
    told = [_told(one) for one in step.trials]
    epoch = pruned_after(step.plan, told, trial.number, planned)
    if epoch is not None:
        note_pruned(step.session, job, trial, epoch)
        request_cancel(step.session, job.id)


def _epochs_of(job: Job) -> int:
    return 0 if job.run is None else ResolvedConfig.model_validate(job.run.config).epochs


def _told(trial: StudyTrial) -> ToldTrial:
    """What optuna is told of a trial; a curve that has a gap says nothing."""
    finite = [math.inf if one is None else one for one in trial.curve]
    outcome = None if trial.outcome is None else _TOLD.get(trial.outcome, "failed")
    if outcome == "done" and (trial.value is None or not math.isfinite(trial.value)):
        outcome = "failed"
    return ToldTrial(trial.settings, finite, outcome, trial.value)


def _trains_too_long(step: Step, job: Job) -> bool:
    minutes = step.plan.limits.train_minutes
    if minutes is None or job.started_at is None:
        return False
    return (_now(step.session) - job.started_at).total_seconds() > minutes * 60


def _cut(step: Step, trial: StudyTrial, job: Job) -> None:
    trial.reason = f"it trained for longer than {step.plan.limits.train_minutes:g} minutes"
    request_cancel(step.session, job.id)


def _settle(step: Step, trial: StudyTrial, job: Job) -> None:
    """The end of a trial whose training has ended."""
    if job.state == State.SUCCEEDED and job.run is not None:
        trial.value, trial.answer_ms = _value_of(step, job.run), job.run.answer_ms
        trial.pruned_epoch = None  # it had ended before it could be ended early
        _end(step, trial, "done")
    elif job.state == State.FAILED:
        _end(step, trial, "failed", reason=(job.error or {}).get("detail"))
    elif trial.pruned_epoch is not None:
        # Where it was ended is what counts, not how far it came before it saw that.
        trial.curve = trial.curve[: trial.pruned_epoch]
        # What each breed's error was there, nobody measured.
        trial.value = None if step.plan.objective == "macro_error" else trial.curve[-1]
        _end(step, trial, "pruned")
    elif step.job.state == State.CANCELLING:
        _end(step, trial, "stopped", reason="the search was cancelled")
    elif trial.reason is not None:
        _end(step, trial, "cut", reason=trial.reason)
    elif step.is_over_time:
        _end(step, trial, "cut", reason="the search's time was over")
    else:
        _end(step, trial, "cancelled", reason="its job was cancelled")


def _value_of(step: Step, run: Run) -> float | None:
    if step.plan.objective == "macro_error":
        return macro_error(interpretation_of(step.session, run.id, with_items=False).matrix)
    return run.valid_loss if step.plan.objective == "valid_loss" else run.error_rate


def _end(step: Step, trial: StudyTrial, outcome: str, reason: str | None = None) -> None:
    trial.outcome, trial.reason, trial.ended_at = outcome, reason, _now(step.session)
    step.session.flush()
    append_event(step.session, step.job.id, "trial", _event(trial))


def _event(trial: StudyTrial) -> Json:
    return {
        "trial": trial.number,
        "run": trial.run_id,
        "settings": trial.settings,
        "outcome": trial.outcome,
        "value": trial.value,
        "epochs": len(trial.curve),
    }


def _put_down(step: Step) -> None:
    """Cancelled is said when the last trial has ended."""
    _cancel_live(step)
    if not step.live:
        change_state(step.session, step.job.id, State.CANCELLED)


def _cancel_live(step: Step) -> None:
    for trial in step.live:
        job = step.job_of(trial)
        if job is not None and job.state in {State.QUEUED, State.RUNNING}:
            request_cancel(step.session, job.id)
        if job is not None and job.state in FINAL:
            _settle(step, trial, job)


def _give_up(step: Step) -> bool:
    """End the search where one trial after the other fails; whether it was ended."""
    ended = [trial for trial in step.trials[step.study.since_trial :] if trial.outcome is not None]
    last = ended[-MOST_FAILED:]
    if step.live or len(last) < MOST_FAILED or any(trial.outcome != "failed" for trial in last):
        return False
    detail = f"{MOST_FAILED} trials in a row failed, the last one so: {last[-1].reason}"
    hint = "Look at the trials' runs. Resume the search where the cause has gone, or search other settings."
    change_state(step.session, step.job.id, State.FAILED, error={"code": TRIALS_FAILED, "detail": detail, "hint": hint})
    return True


def _go_on(step: Step) -> None:
    """Begin trials while there is room and time for them; end the search where there is nothing left to do."""
    if step.is_over_time:
        _cancel_live(step)
        if not step.live:
            _finish(step, "time")
        return
    while len(step.live) < step.plan.at_once and len(step.trials) < step.plan.trials:
        settings = next_settings(step.plan, [_told(one) for one in step.trials])
        if settings is None:
            if not step.live:
                _finish(step, "space")
            return
        _begin_trial(step, settings)
    if not step.live:
        _finish(step, "trials")


def _begin_trial(step: Step, settings: Json) -> None:
    number = len(step.trials) + 1
    trial = StudyTrial(study_id=step.job.id, number=number, settings=settings, curve=[])
    step.session.add(trial)
    step.session.flush()
    step.trials.append(trial)
    try:
        config = resolve(config_with(step.plan.config, settings))
        check_arch(config.arch)
    except DoesNotFit as error:
        _end(step, trial, "refused", reason=str(error))
        return
    except LearningError as error:
        _end(step, trial, "refused", reason=error.detail)
        return
    run = Run(
        kind="train",
        name=f"{step.study.name or f'search {step.job.id}'}, trial {number}"[:200],
        dataset_id=step.study.dataset_id,
        config=config.model_dump(mode="json"),
        study_id=step.job.id,
        trial=number,
    )
    job = add_trial_run(step.session, trial, run, owner=step.job.owner, max_attempts=step.max_attempts)
    step.jobs[run.id] = job
    step.to_publish.append(job.id)
    append_event(step.session, step.job.id, "trial", _event(trial))


def _finish(step: Step, ended_by: str) -> None:
    """Succeed with the best trial that keeps the limits; without one there is nothing to show."""
    best = best_of(step.plan, step.trials)
    if best is None or best.run_id is None:
        detail = f"none of {len(step.trials)} trials trained to its end" + _within(step.plan)
        hint = "Give it more minutes or trials, a space whose trials take less, or wider limits."
        error = {"code": NO_TRIAL_DONE, "detail": detail, "hint": hint}
        change_state(step.session, step.job.id, State.FAILED, error=error)
        return
    step.study.best_trial, step.study.ended_by = best.number, ended_by
    if step.plan.register_best:
        step.study.version = register(step.session, best.run_id).version.id
    step.session.flush()
    change_state(step.session, step.job.id, State.SUCCEEDED)


def _within(plan: StudyPlan) -> str:
    asked = [plan.limits.train_minutes, plan.limits.answer_ms]
    return " within the limits" if any(one is not None for one in asked) else ""


def _save_progress(step: Step) -> None:
    """Where it stands, where that is another place than before."""
    if step.job.state != State.RUNNING:
        return
    ended = len(step.trials) - len(step.live)
    best = best_of(step.plan, step.trials)
    progress: Json = {
        "stage": "trying settings",
        "step": ended,
        "steps": step.plan.trials,
        "best": None if best is None else best.value,
    }
    before = {name: value for name, value in (step.job.progress or {}).items() if name in progress}
    if before != progress:
        save_progress(step.session, step.job.id, step.job.attempt, {**progress, "eta_seconds": _left(step, ended)})


def _left(step: Step, ended: int) -> float | None:
    """Seconds, by how long the trials have taken so far; never more than its minutes leave."""
    left = max(0.0, step.plan.minutes * 60 - step.study.spent_seconds)
    if not ended:
        return left
    return min(left, step.study.spent_seconds / ended * (step.plan.trials - ended))
