"""A job's life in orders that nobody thought of, on a real Postgres."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import pairwise
from threading import Barrier
from uuid import uuid4

import pytest
from hypothesis import Phase
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session, sessionmaker

from ml.errors import Stopped
from ml.reporting import Progress
from store.db.base import Json
from store.db.jobs import (
    IN_HAND,
    change_state,
    claim,
    create_job,
    find_by_idempotency_key,
    hand_back,
    mark_published,
    renew_lease,
    request_cancel,
    resume,
)
from store.db.models import Job, JobEvent
from store.db.reading import events_after, get_job
from store.db.repair import hand_back_expired, jobs_without_message, unpublished_jobs
from store.errors import StateConflict
from store.lanes import Lane
from store.states import FINAL, MOVES, State
from tests.store.rows import ERROR
from worker.reporter import JobReporter

Sessions = sessionmaker[Session]
Step = Callable[[Session], object]

LEASE_SECONDS = 600.0
ATTEMPTS = 3
BEFORE = st.integers(0, 2)
"""How many attempts before the newest one somebody is of: 0 for the newest."""


class JobLife(RuleBasedStateMachine):
    """One job, of which ``state``, ``attempt`` and ``budget`` are what must stand in its row.

    A step that has nothing to do returns, rather than be left out by a precondition: which of two that are done at once
    comes first is chance, and what hypothesis draws must not hang on it.
    """

    def __init__(self, sessions: Sessions) -> None:
        super().__init__()
        self.sessions = sessions
        self.key = str(uuid4())
        self.state, self.attempt, self.budget = State.QUEUED, 0, ATTEMPTS
        self.has_run_out = False
        with sessions.begin() as session:
            payload = {"name": "pets"}
            job = create_job(
                session,
                kind="import",
                payload=payload,
                max_attempts=ATTEMPTS,
                idempotency_key=self.key,
                request_sha256="a",
            )
        self.job = job.id

    def teardown(self) -> None:
        """The repair process looks at so many jobs at a time: those that examples leave would hide a later one's."""
        with self.sessions.begin() as session:
            session.execute(delete(JobEvent).where(JobEvent.job_id == self.job))
            session.execute(delete(Job).where(Job.id == self.job))

    @property
    def in_hand(self) -> bool:
        return self.state in IN_HAND

    def do(self, step: Step) -> object:
        with self.sessions.begin() as session:
            return step(session)

    def swept(self, session: Session) -> bool:
        """Whether the sweep hands this job back; it may meet those that earlier examples left."""
        return self.job in [job.id for job in hand_back_expired(session)]

    def row(self) -> Job:
        with self.sessions.begin() as session:
            return get_job(session, self.job)

    def is_current(self, attempt: int) -> bool:
        return self.in_hand and attempt == self.attempt

    def ended(self, state: State) -> None:
        self.state, self.has_run_out = state, False

    def handed_back(self, *, spare: bool = False) -> None:
        """What an attempt without a verdict leaves."""
        if self.state is State.CANCELLING:
            self.ended(State.CANCELLED)
        elif not spare and self.attempt >= self.budget:
            self.ended(State.FAILED)
        else:
            self.budget += spare
            self.ended(State.QUEUED)

    @rule()
    def post_again(self) -> None:
        found = self.do(lambda session: find_by_idempotency_key(session, self.key, "a"))
        assert isinstance(found, Job)
        assert found.id == self.job

    @rule(worker=st.sampled_from(["a:1", "b:1"]))
    def claim(self, worker: str) -> None:
        taken = self.do(lambda session: claim(session, self.job, worker=worker, lease_seconds=LEASE_SECONDS))
        assert (taken is not None) == (self.state is State.QUEUED), "one owner at a time"
        if taken is not None:
            self.state, self.attempt = State.RUNNING, self.attempt + 1

    @rule()
    def two_claim_at_once(self) -> None:
        if self.state is not State.QUEUED:
            return
        first, second = (
            lambda session, name=name: claim(session, self.job, worker=name, lease_seconds=LEASE_SECONDS)
            for name in ("a:1", "b:1")
        )
        assert [taken is not None for taken in self.at_once(first, second)].count(True) == 1
        self.state, self.attempt = State.RUNNING, self.attempt + 1

    @rule(before=BEFORE)
    def heartbeat(self, before: int) -> None:
        attempt = self.attempt - before
        found = self.do(lambda session: renew_lease(session, self.job, attempt, LEASE_SECONDS))
        assert found == (self.state if self.is_current(attempt) else None)
        self.has_run_out &= found is None

    @rule()
    def lease_runs_out(self) -> None:
        if not self.in_hand:
            return
        late = func.now() - timedelta(seconds=1)
        self.do(lambda session: session.execute(update(Job).where(Job.id == self.job).values(lease_until=late)))
        self.has_run_out = True

    @rule()
    def sweep(self) -> None:
        handed = self.do(self.swept)
        assert bool(handed) == self.has_run_out
        if handed:
            self.handed_back()

    @rule(before=BEFORE, spare=st.booleans())
    def child_ends_without_a_verdict(self, before: int, spare: bool) -> None:
        attempt = self.attempt - before
        handed = self.do(lambda session: hand_back(session, self.job, attempt, error=ERROR, spare=spare))
        assert (handed is not None) == self.is_current(attempt)
        if handed is not None:
            self.handed_back(spare=spare)

    @rule(before=BEFORE, verdict=st.sampled_from([State.SUCCEEDED, State.FAILED]))
    def verdict(self, before: int, verdict: State) -> None:
        attempt = self.attempt - before
        error = ERROR if verdict is State.FAILED else None
        said = self.do(lambda session: change_state(session, self.job, verdict, attempt=attempt, error=error))
        assert (said is not None) == self.is_current(attempt)
        if said is not None:
            self.ended(verdict)

    @rule()
    def verdict_and_sweep_at_once(self) -> None:
        if self.state is not State.RUNNING:
            return
        self.lease_runs_out()
        said, swept = self.at_once(
            lambda session: change_state(session, self.job, State.SUCCEEDED, attempt=self.attempt), self.swept
        )
        assert bool(said) != bool(swept), "one of the two decides"
        if said:
            self.ended(State.SUCCEEDED)
        else:
            self.handed_back()

    @rule()
    def verdict_and_cancel_at_once(self) -> None:
        if self.state is not State.RUNNING:
            return
        said, _ = self.at_once(
            lambda session: change_state(session, self.job, State.SUCCEEDED, attempt=self.attempt),
            lambda session: _without_conflict(session, self.job),
        )
        assert said is not None, "work that is done is kept, whether the wish came before it or after"
        self.ended(State.SUCCEEDED)

    @rule()
    def cancel(self) -> None:
        if self.state in FINAL:
            with pytest.raises(StateConflict):
                self.do(lambda session: request_cancel(session, self.job))
            return
        self.do(lambda session: request_cancel(session, self.job))
        self.state = State.CANCELLED if self.state is State.QUEUED else State.CANCELLING

    @rule()
    def resume(self) -> None:
        if self.state not in {State.FAILED, State.CANCELLED}:
            with pytest.raises(StateConflict):
                self.do(lambda session: resume(session, self.job, max_attempts=ATTEMPTS))
            return
        self.do(lambda session: resume(session, self.job, max_attempts=ATTEMPTS))
        self.state, self.budget = State.QUEUED, self.attempt + ATTEMPTS

    @rule(before=BEFORE)
    def writer(self, before: int) -> None:
        """A child writes, maybe one that nobody waits for any more."""
        attempt = self.attempt - before
        reporter = JobReporter(self.sessions, job_id=self.job, run_id=None, attempt=attempt, told=lambda: False)
        events, progress = len(self.events()), self.row().progress
        if self.is_current(attempt):
            reporter.on_progress(Progress(stage=f"of {attempt}"))
            assert len(self.events()) == events + 1
            return
        with pytest.raises(Stopped):
            reporter.on_log("late")
        with pytest.raises(Stopped):
            reporter.on_progress(Progress(stage="late"))
        assert (len(self.events()), self.row().progress) == (events, progress), "what is fenced writes nothing"

    @rule()
    def message_goes_out(self) -> None:
        self.do(lambda session: mark_published(session, self.job))

    @rule()
    def rest_is_over(self) -> None:
        self.do(lambda session: session.execute(update(Job).where(Job.id == self.job).values(not_before=None)))

    @invariant()
    def row_is_as_it_must_be(self) -> None:
        row = self.row()
        assert (row.state, row.attempt, row.max_attempts) == (self.state, self.attempt, self.budget)
        assert row.attempt <= row.max_attempts
        assert self.state is not State.QUEUED or row.attempt < row.max_attempts
        assert (row.worker is not None, row.lease_until is not None) == (self.in_hand, self.in_hand)
        assert (row.finished_at is not None) == (self.state in FINAL)
        assert (row.error is not None) == (self.state is State.FAILED)

    @invariant()
    def events_tell_it_in_order(self) -> None:
        told = [State(data["state"]) for event, data in self.events() if event == "state"]
        assert told[0] is State.QUEUED
        assert told[-1] is self.state
        assert all(after in MOVES[before] for before, after in pairwise(told))
        attempts = [data["attempt"] for event, data in self.events() if event == "state"]
        assert attempts == sorted(attempts)

    @invariant()
    def nobody_forgets_it(self) -> None:
        """A queued job that has rested is one that the repair process finds, whether its message went out or not."""
        if self.state is not State.QUEUED or self.row().not_before is not None:
            return
        with self.sessions.begin() as session:
            found = [
                *unpublished_jobs(session, Lane.LIGHT, older_than_seconds=-1),
                *jobs_without_message(session, Lane.LIGHT, 0, older_than_seconds=-1),
            ]
        assert self.job in found

    def events(self) -> list[tuple[str, Json]]:
        with self.sessions.begin() as session:
            return [(one.event, one.data) for one in events_after(session, self.job, 0, limit=10_000)]

    def at_once(self, *steps: Step) -> list[object]:
        """Each in a transaction of its own, all begun together; what they came to."""
        begin = Barrier(len(steps))

        def one(step: Step) -> object:
            with self.sessions.begin() as session:
                session.execute(select(1))
                begin.wait(30)
                return step(session)

        with ThreadPoolExecutor(len(steps)) as pool:
            return [future.result() for future in [pool.submit(one, step) for step in steps]]


def _without_conflict(session: Session, job_id: int) -> Job | None:
    try:
        return request_cancel(session, job_id)
    except StateConflict:
        return None


def test_a_job_s_life_holds_in_any_order(sessions: Sessions) -> None:
    class Here(JobLife):
        def __init__(self) -> None:
            super().__init__(sessions)

    # A failure is told as it came: to make it smaller takes longer than a test has.
    phases = [Phase.reuse, Phase.generate]
    run_state_machine_as_test(
        Here, settings=hypothesis_settings(max_examples=30, stateful_step_count=20, phases=phases)
    )
