"""The life of a job's row. This file is the only place where a job's state is written."""

import random
from collections.abc import Collection
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import Session

from store.db.audit import note, who_changes
from store.db.base import Json
from store.db.models import Job, JobEvent
from store.db.reading import holds_model
from store.db.storable import storable
from store.db.webhooks import put_deliveries
from store.errors import Hint, IdempotencyConflict, NotFound, Request, StateConflict, one_of
from store.keys import ANSWERS_LINES
from store.request_ids import request_id
from store.states import FINAL, State, sources_of, standing
from store.tracing import Kind, Span, span

IN_HAND = frozenset({State.RUNNING, State.CANCELLING})
"""The states in which a worker holds the job."""

_FIRST_REST_SECONDS = 1.0
_LONGEST_REST_SECONDS = 60.0

_INSTEAD_OF_RESUME = {
    State.QUEUED: "It waits for a worker already, there is nothing to do.",
    State.RUNNING: "It is running already. To start it again, cancel it first.",
    State.CANCELLING: "Wait until it is cancelled.",
}


def create_job(
    session: Session,
    *,
    kind: str,
    run_id: int | None = None,
    payload: Json | None = None,
    max_attempts: int,
    idempotency_key: str | None = None,
    request_sha256: str | None = None,
    state: State = State.QUEUED,
    owner: str | None = None,
) -> Job:
    """Add a job and its first event; flushes, so that the id is there to be published after the commit.

    It is queued; or, where there is nothing left to do, in the ``state`` in which it ends. Its ``owner`` is who makes
    the change that is under way, where none is named.
    """
    job = Job(
        kind=kind,
        run_id=run_id,
        payload=payload or {},
        state=state,
        attempt=0,
        max_attempts=max_attempts,
        idempotency_key=idempotency_key,
        request_sha256=request_sha256,
        finished_at=session.scalar(select(func.now())) if state in FINAL else None,
        request_id=request_id(),
        owner=owner or who_changes(),
    )
    session.add(job)
    with _span_of(job) as opened:
        job.traceparent = opened.traceparent
        session.flush()
        opened.note({"pedigree.job.id": job.id})
        _tell_state(session, job)
    note(target=f"/jobs/{job.id}", after={"job": job.id, "kind": kind, "state": state} | _about(run_id))
    return job


def find_by_idempotency_key(session: Session, key: str, request_sha256: str) -> Job | None:
    """The job that an earlier request with this key made.

    The key is locked until the caller's transaction ends, so that of equal requests at once one makes a job and none
    takes a number in vain.

    Raises:
        IdempotencyConflict: that request had another body.
    """
    session.execute(select(func.pg_advisory_xact_lock(func.hashtext(f"idempotency_key:{key}"))))
    job = session.scalars(select(Job).where(Job.idempotency_key == key)).one_or_none()
    if job is not None and job.request_sha256 != request_sha256:
        detail = f"Idempotency-Key {key!r} was used for job {job.id} with another body"
        raise IdempotencyConflict(detail, hint="Use a new key for a new request.")
    return job


def change_state(
    session: Session,
    job_id: int,
    target: State,
    *,
    attempt: int | None = None,
    sources: Collection[State] | None = None,
    error: Json | None = None,
    **columns: Any,  # noqa: ANN401 - the mapped columns check the values
) -> Job | None:
    """Move a job to ``target`` if its state allows it, and say so in an event.

    Args:
        session: the caller's transaction.
        job_id: the job.
        target: the new state.
        attempt: the fence: only if the row still has this attempt.
        sources: only from these states; by default from every state that may become ``target``.
        error: {"code", "detail", "hint"}, kept in the row and sent with the event; any other change clears it.
        columns: other columns to set in the same UPDATE.

    Returns:
        The job as it is now, or None when it was not there, not allowed or fenced out.
    """
    allowed = sources_of(target) if sources is None else sources_of(target) & frozenset(sources)
    return _move(session, job_id, target, allowed, attempt, {**columns, "error": storable(error)})


def claim(session: Session, job_id: int, *, worker: str, lease_seconds: float) -> Job | None:
    """Take a queued job for ``worker``; its next attempt begins. None when there is nothing to take."""
    values = {
        "attempt": Job.attempt + 1,
        "worker": worker,
        "lease_until": _lease_end(lease_seconds),
        "started_at": func.coalesce(Job.started_at, func.now()),
        # Of this moment: whose turn is next goes by it, and claims of a lane wait for each other.
        "claimed_at": func.clock_timestamp(),
        "error": None,
        "not_before": None,
    }
    return _move(session, job_id, State.RUNNING, sources_of(State.RUNNING), None, values)


def begin_without_worker(session: Session, job_id: int) -> Job | None:
    """Begin a queued job that no worker takes. It has no lease: who moves it on holds its row meanwhile."""
    values = {
        "attempt": Job.attempt + 1,
        "started_at": func.coalesce(Job.started_at, func.now()),
        "error": None,
        "not_before": None,
    }
    return _move(session, job_id, State.RUNNING, {State.QUEUED}, None, values)


def renew_lease(session: Session, job_id: int, attempt: int, lease_seconds: float) -> State | None:
    """Push the lease's end; the state says whether to go on. None: the job is no longer this attempt's."""
    statement = (
        update(Job)
        .where(Job.id == job_id, Job.attempt == attempt, Job.state.in_(IN_HAND))
        .values(lease_until=_lease_end(lease_seconds))
        .returning(Job.state)
    )
    state = session.scalar(statement, execution_options={"synchronize_session": False})
    return None if state is None else State(state)


def state_in_hand(session: Session, job_id: int, attempt: int) -> State | None:
    """``running`` or ``cancelling`` while the job is this attempt's, else None.

    Where it is, it stays so until the caller's transaction ends: the row is locked.
    """
    statement = select(Job.state).where(Job.id == job_id, Job.attempt == attempt, Job.state.in_(IN_HAND))
    state = session.scalar(statement.with_for_update())
    return None if state is None else State(state)


def save_answer_parts(session: Session, job_id: int, parts: list[Json]) -> None:
    """Name what a predict job has answered so far, in the transaction of an attempt that holds the job."""
    job = session.get_one(Job, job_id, populate_existing=True)
    job.payload = {**job.payload, "parts": parts}


def save_progress(session: Session, job_id: int, attempt: int, progress: Json) -> bool:
    """Keep where the job stands and tell its watchers; False when this attempt is fenced out."""
    statement = (
        update(Job)
        .where(Job.id == job_id, Job.attempt == attempt, Job.state.in_(IN_HAND))
        .values(progress=storable(progress))
        .returning(Job.id)
    )
    if session.scalar(statement, execution_options={"synchronize_session": False}) is None:
        return False
    append_event(session, job_id, "progress", progress)
    return True


def hand_back(
    session: Session,
    job_id: int,
    attempt: int,
    *,
    error: Json,
    spare: bool = False,
    final: bool = False,
    payload: Json | None = None,
) -> Job | None:
    """End an attempt that came to no verdict: queued again while attempts remain, else failed with ``error``.

    What counts as an attempt is followed by a rest, longer each time: what ended it may take a while to pass.

    A job that was to be cancelled becomes ``cancelled`` instead: nobody works on it any more.

    Args:
        session: the caller's transaction.
        job_id: the job.
        attempt: the fence.
        error: what to fail with when no attempt is left.
        spare: the attempt was interrupted on purpose and does not count.
        final: another attempt would end the same way, so that there is none.
        payload: what later attempts, those of a resume too, are to be given besides what the job has.

    Returns:
        The job as it is now, or None when it was no longer this attempt's.
    """
    job = _locked(session, job_id)
    if job is None or job.attempt != attempt or job.state not in IN_HAND:
        return None
    if job.state == State.CANCELLING:
        return change_state(session, job_id, State.CANCELLED, attempt=attempt)
    given = {**job.payload, **(payload or {})}
    if final or (not spare and job.attempt >= job.max_attempts):
        return change_state(session, job_id, State.FAILED, attempt=attempt, error=error, payload=given)
    budget = job.max_attempts + 1 if spare else job.max_attempts
    return change_state(
        session,
        job_id,
        State.QUEUED,
        attempt=attempt,
        sources={State.RUNNING},
        max_attempts=budget,
        published_at=None,
        not_before=None if spare else func.now() + timedelta(seconds=rest_seconds(job.attempt)),
        payload=given,
    )


def rest_seconds(attempt: int) -> float:
    """How long a job rests after so many attempts: twice as long each time, up to a bound.

    Chance takes up to half of it away, so that jobs which were lost together do not come back together.
    """
    whole = min(_FIRST_REST_SECONDS * 2.0 ** min(attempt - 1, 10), _LONGEST_REST_SECONDS)
    return whole * random.uniform(0.5, 1.0)  # noqa: S311 - no secret


def request_cancel(session: Session, job_id: int) -> Job:
    """Cancel a queued job at once, ask a running one to stop; a job that is stopping already stays as it is.

    Raises:
        NotFound: there is no such job.
        StateConflict: the job has ended.
    """
    job = _locked_or_raise(session, job_id)
    if job.state == State.CANCELLING:
        return job
    before = job.state
    target = State.CANCELLED if before == State.QUEUED else State.CANCELLING
    changed = change_state(session, job_id, target)
    if changed is None:
        hint = "It has ended, there is nothing to stop."
        raise StateConflict(f"job {job_id} {standing(job.state)} and cannot be cancelled", hint)
    note(target=f"/jobs/{job_id}", before={"state": before}, after={"state": target})
    return changed


def resume(session: Session, job_id: int, *, max_attempts: int = 3) -> Job:
    """Queue a failed or cancelled job again with a fresh budget of attempts; publish it after the commit.

    Raises:
        NotFound: there is no such job.
        StateConflict: the job is neither failed nor cancelled, or its run keeps the model of its finished phases, which
            stays as it is: others may have gone on from it.
    """
    job = _locked_or_raise(session, job_id)
    if job.kind == "train" and job.state == State.FAILED and holds_model(session, job):
        detail = f"job {job_id} failed, and its run {job.run_id} keeps the model of the phases that it finished"
        raise StateConflict(detail, (job.error or {}).get("hint"))
    before = job.state
    with _span_of(job) as opened:
        opened.note({"pedigree.job.id": job.id})
        changed = change_state(
            session,
            job_id,
            State.QUEUED,
            sources={State.FAILED, State.CANCELLED},
            max_attempts=job.attempt + max_attempts,
            finished_at=None,
            published_at=None,
            not_before=None,
            request_id=request_id() or job.request_id,
            traceparent=opened.traceparent or job.traceparent,
        )
        if changed is None:
            detail = f"job {job_id} {standing(job.state)}, and only a failed or cancelled job can be resumed"
            raise StateConflict(detail, _INSTEAD_OF_RESUME.get(State(job.state)) or _after_success(job))
    note(target=f"/jobs/{job_id}", before={"state": before}, after={"state": State.QUEUED})
    return changed


def mark_published(session: Session, job_id: int) -> None:
    """Note that the broker took the job's message; one that is sent once more does not change its place."""
    first = (Job.id == job_id, Job.state == State.QUEUED, Job.published_at.is_(None))
    session.execute(update(Job).where(*first).values(published_at=func.now()))


def append_event(session: Session, job_id: int, event: str, data: Json) -> int:
    """Add an event and return its id.

    The job's row is locked until the caller's transaction ends, so that within a job a smaller id is never committed
    after a larger one and a watcher that asks for "all after N" misses nothing.
    """
    session.execute(select(Job.id).where(Job.id == job_id).with_for_update())
    # Of this moment, not of the transaction's start: a reader of all events waits for the young ones' predecessors.
    row = JobEvent(job_id=job_id, event=event, data=storable(data), created_at=func.clock_timestamp())
    session.add(row)
    session.flush()
    return row.id


def _move(
    session: Session,
    job_id: int,
    target: State,
    sources: Collection[State],
    attempt: int | None,
    values: dict[str, Any],
) -> Job | None:
    """The one UPDATE of a job's state."""
    ours: list[ColumnElement[bool]] = [Job.id == job_id, Job.state.in_(sources)]
    if attempt is not None:
        ours.append(Job.attempt == attempt)
    if target not in IN_HAND:
        values = {"lease_until": None, "worker": None, **values}
    if target in FINAL:
        values = {"finished_at": func.now(), **values}
    if target == State.QUEUED:
        # What the ended attempt had reached, and its estimate, are not the next one's.
        values = {"progress": None, **values}
    statement = update(Job).where(*ours).values({**values, "state": target}).returning(Job.id)
    if session.scalar(statement, execution_options={"synchronize_session": False}) is None:
        return None
    job = session.get_one(Job, job_id, populate_existing=True)
    _tell_state(session, job)
    return job


def _span_of(job: Job) -> AbstractContextManager[Span]:
    """That it is queued: within the request that does it, going on from the span that it has had so far."""
    return span(f"job {job.kind}", {"pedigree.job.kind": job.kind}, kind=Kind.PRODUCER, linked=job.traceparent)


def _about(run_id: int | None) -> Json:
    return {} if run_id is None else {"run": run_id}


def _tell_state(session: Session, job: Job) -> None:
    """Tell watchers, and at an end webhooks."""
    data: Json = {"state": job.state, "attempt": job.attempt}
    append_event(session, job.id, "state", data | ({"error": job.error} if job.error else {}))
    if job.state in FINAL:
        put_deliveries(session, job)


def _after_success(job: Job) -> Hint:
    """Where what a finished job made is to be seen."""
    if job.kind == "import":
        return Hint("It is done. Look at what it brought in.", Request("GET", f"/datasets/{job.payload['name']}"))
    if job.kind == "interpret":
        return Hint("It is done. Look at what came of it.", Request("GET", f"/runs/{job.run_id}/confusion"))
    if job.kind == "predict":
        return Hint("It is done. Fetch its answers.", Request("GET", f"/jobs/{job.id}/answers/{ANSWERS_LINES}"))
    if job.kind == "search":
        return Hint("It is done. Look at what it has tried.", Request("GET", f"/jobs/{job.id}/trials"))
    if job.kind == "forecast":
        return Hint("It is done. Look at the forecast.", Request("GET", f"/jobs/{job.id}"))
    return Hint("It is done. Queue a new job, or look at what it made.", Request("GET", f"/runs/{job.run_id}"))


def _locked(session: Session, job_id: int) -> Job | None:
    statement = select(Job).where(Job.id == job_id).with_for_update(of=Job)
    return session.scalars(statement, execution_options={"populate_existing": True}).one_or_none()


def _locked_or_raise(session: Session, job_id: int) -> Job:
    job = _locked(session, job_id)
    if job is None:
        raise NotFound(f"there is no job {job_id}", one_of("jobs"))
    return job


def _lease_end(seconds: float) -> ColumnElement[Any]:
    """By the database's clock: the workers' own need not agree."""
    return func.now() + timedelta(seconds=seconds)
