"""The record of a running job: metrics, progress and events in short transactions, fenced by the attempt."""

import logging
import time
from collections.abc import Callable, Sequence

from sqlalchemy.orm import Session, sessionmaker

from ml.errors import Stopped
from ml.reporting import BatchRecord, EpochRecord, Plan, Progress, RateRecord
from store.db.jobs import append_event, save_progress, state_in_hand
from store.db.records import StepRecord, forget_after_step, record_batches, record_epoch, record_plan, record_rate
from store.states import State
from worker.event_json import epoch_json, plan_json, progress_json, whole_plan_json
from worker.patience import OUTAGE_SECONDS, OUTAGES, patiently
from worker.stage_spans import StageSpans

log = logging.getLogger(__name__)

_BATCH_SECONDS = 1.0
_PROGRESS_SECONDS = 0.5
_STOP_SECONDS = 1.0


class JobReporter:
    """Implements ``ml.reporting.Reporter`` for one attempt of a job.

    Every write first checks, in its own transaction, that the job still belongs to this attempt; where it does not,
    another worker has it and :class:`ml.errors.Stopped` ends this one.
    """

    def __init__(
        self,
        sessions: sessionmaker[Session],
        *,
        job_id: int,
        run_id: int | None,
        attempt: int,
        told: Callable[[], bool],
    ) -> None:
        self._sessions, self._job_id, self._run_id, self._attempt = sessions, job_id, run_id, attempt
        self._told = told
        self._spans = StageSpans()
        self._batches: list[BatchRecord] = []
        self._batches_at = self._progress_at = self._asked_at = 0.0
        self._stage = ""
        self._eta_seconds: float | None = None
        self._in_batches = False
        self._stop = False

    def on_plan(self, plan: Plan) -> None:
        """Store device, precision, weights and versions; forget what a lost attempt did after its checkpoint."""

        def write(session: Session) -> None:
            if self._run_id is not None:
                _record_plan(session, self._run_id, plan)
                forget_after_step(session, self._run_id, plan.resumed_from_step, steps=plan.steps)
            message = f"{plan.device}, {plan.precision} ({plan.precision_reason}), {plan.steps} steps"
            append_event(session, self._job_id, "log", {"message": message, "plan": whole_plan_json(plan)})

        self._write(write)

    def on_progress(self, progress: Progress) -> None:
        """Store the position, at most twice a second and at each change of stage.

        Once there was a batch, the process keeps the memory that it took: copies of files do not change that.
        """
        self._spans.at(progress.stage)
        self._eta_seconds = progress.eta_seconds
        self._in_batches |= progress.in_batches
        now = time.monotonic()
        if progress.stage == self._stage and now - self._progress_at < _PROGRESS_SECONDS:
            return
        self._stage, self._progress_at = progress.stage, now
        data = {**progress_json(progress), "in_batches": self._in_batches}

        self._write(lambda session: save_progress(session, self._job_id, self._attempt, data))

    def on_aside(self, stage: str, step: int, steps: int) -> None:
        """Store the position of a copy between two steps of another stage: the time left is what that one said last."""
        self.on_progress(Progress(stage=stage, step=step, steps=steps, eta_seconds=self._eta_seconds))

    def on_batches(self, batches: Sequence[BatchRecord]) -> None:
        """Collect finished steps and store them about once a second."""
        self._batches.extend(batches)
        if time.monotonic() - self._batches_at >= _BATCH_SECONDS:
            self.flush()

    def on_epoch(self, epoch: EpochRecord) -> None:
        """Store the epoch's row, after its steps."""
        self._spans.epoch(epoch)
        self.flush()
        data = epoch_json(epoch)

        def write(session: Session) -> None:
            if self._run_id is not None:
                record_epoch(session, self._run_id, **data)
            append_event(session, self._job_id, "epoch", dict(data))

        self._write(write)

    def on_rate(self, found: RateRecord) -> None:
        """Store what a search for a learning rate gave, and tell the watchers."""
        rate = "no rate" if found.rate is None else f"{found.rate:.3g}"
        advice = found.content.get("advice")

        def write(session: Session) -> None:
            if self._run_id is not None:
                record_rate(
                    session,
                    self._run_id,
                    phase=found.phase,
                    rate=found.rate,
                    agreement=found.agreement,
                    content=found.content,
                )
            message = f"learning rate search before phase {found.phase + 1}: {rate} ({found.agreement})"
            message += f"; {advice}" if advice else ""
            append_event(session, self._job_id, "log", {"message": message})

        self._write(write)

    def on_log(self, message: str) -> None:
        self._write(lambda session: append_event(session, self._job_id, "log", {"message": message}))

    def should_stop(self) -> bool:
        """True once the worker was told to end or the job is being cancelled; asks at most once a second."""
        if self._told():
            return True
        now = time.monotonic()
        if now - self._asked_at >= _STOP_SECONDS:
            self._asked_at = now
            self._stop = self._write(lambda _: None) is not State.RUNNING
        return self._stop

    def flush(self) -> None:
        """Store the collected steps now."""
        batches, self._batches = self._batches, []
        self._batches_at = time.monotonic()
        if not batches:
            return
        event = {
            "step": [b.step for b in batches],
            "train_loss": [b.train_loss for b in batches],
            "lr": [b.lr[-1] for b in batches],
            "momentum": [b.momentum for b in batches],
        }

        def write(session: Session) -> None:
            if self._run_id is not None:
                record_batches(session, self._run_id, [_step(b) for b in batches])
            append_event(session, self._job_id, "batch", event)

        self._write(write)

    def end_stage(self) -> None:
        """Tell the trace that nothing more is done."""
        self._spans.end()

    def flush_quietly(self) -> None:
        """Store the collected steps on the way to a failure, which must be told even where this cannot be."""
        try:
            self.flush()
        except (Stopped, *OUTAGES) as error:
            log.warning("job %d: its last steps were not stored: %r", self._job_id, error)

    def is_ours(self) -> bool:
        """Whether the job is still this attempt's, asked of the database now."""
        try:
            self._write(lambda _: None)
        except Stopped:
            return False
        return True

    def record(self, write: Callable[[Session], object]) -> None:
        """Do ``write`` in one transaction while the job is this attempt's, waiting out an outage.

        Raises:
            Stopped: it is another's, and nothing was written.
        """
        self._write(write)

    def _write(self, write: Callable[[Session], object]) -> State:
        """Run ``write`` in a transaction while the job is ours, waiting out an outage; returns the job's state."""
        return patiently(lambda: self._write_once(write), seconds=OUTAGE_SECONDS, what=f"job {self._job_id}")

    def _write_once(self, write: Callable[[Session], object]) -> State:
        with self._sessions.begin() as session:
            state = state_in_hand(session, self._job_id, self._attempt)
            if state is None:
                raise Stopped
            write(session)
        return state


def _record_plan(session: Session, run_id: int, plan: Plan) -> None:
    weights = {"file": plan.weights_file, "sha256": plan.weights_sha256} if plan.weights_file else None
    record_plan(
        session,
        run_id,
        device=plan.device,
        precision=plan.precision,
        precision_reason=plan.precision_reason,
        weights=weights,
        versions=plan.versions,
        plan=plan_json(plan),
    )


def _step(batch: BatchRecord) -> StepRecord:
    return StepRecord(
        step=batch.step,
        phase=batch.phase,
        raw_loss=batch.raw_loss,
        train_loss=batch.train_loss,
        lr=batch.lr,
        momentum=batch.momentum,
    )
