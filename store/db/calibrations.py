"""Questions to the workers: how fast is this kind of model on your machine? One is open at a time."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, any_, func, select, update
from sqlalchemy.orm import Session

from store.db.base import Json
from store.db.jobs import IN_HAND
from store.db.lanes import is_of
from store.db.models import Calibration, CalibrationRequest, Job, Worker
from store.db.storable import storable
from store.lanes import Lane
from store.states import State

_LONGEST_SECONDS = 600.0
"""No measurement takes longer: a worker ends one after twice the setting, whose largest value is 300 s."""


def job_in_the_way(session: Session) -> Job | None:
    """The first job that keeps a worker which would measure busy, or is about to; None while they have nothing to do.

    An import is in the way only of the worker that has it in hand: beside one that measures, its process gives way.
    """
    of_lane = Job.state.in_([State.QUEUED, *IN_HAND]) & is_of(Lane.TRAIN, Job.kind)
    measures = select(Worker.name).where(any_(Worker.lanes) == Lane.TRAIN)
    busy = select(Job).where(of_lane | (Job.state.in_(IN_HAND) & Job.worker.in_(measures)))
    return session.scalars(busy.order_by(Job.id).limit(1)).first()


def workers_that_measure(session: Session) -> Sequence[str]:
    """Who has taken a question and not answered it; one that was taken long ago lost its worker."""
    recent = func.now() - timedelta(seconds=_LONGEST_SECONDS)
    open_ones = (CalibrationRequest.answered_at.is_(None), CalibrationRequest.created_at > recent)
    statement = select(CalibrationRequest.worker).where(CalibrationRequest.worker.is_not(None), *open_ones)
    return [name for name in session.scalars(statement) if name is not None]


def open_request(session: Session, settings: Json, *, patience_seconds: float) -> CalibrationRequest | None:
    """Add a question; publish it after the commit. None while another one waits for its answer.

    Args:
        session: the caller's transaction.
        settings: ml.config.TrainSettings as JSON.
        patience_seconds: a question older than this has been given up and is in nobody's way.
    """
    session.execute(select(func.pg_advisory_xact_lock(func.hashtext("calibration"))))
    waiting = select(CalibrationRequest.id).where(*_is_open(patience_seconds)).limit(1)
    if session.scalar(waiting) is not None:
        return None
    request = CalibrationRequest(settings=storable(settings))
    session.add(request)
    session.flush()
    return request


def take_request(session: Session, request_id: int, *, worker: str, patience_seconds: float) -> bool:
    """Begin to answer; False where nobody waits for the answer any more or another worker has it."""
    statement = (
        update(CalibrationRequest)
        .where(CalibrationRequest.id == request_id, CalibrationRequest.worker.is_(None), *_is_open(patience_seconds))
        .values(worker=worker)
        .returning(CalibrationRequest.id)
    )
    return session.scalar(statement) is not None


def answer_request(session: Session, request_id: int, measured: Sequence[dict[str, Any]]) -> None:
    """Keep what was measured: a row of ``calibrations`` each, without its id and time."""
    session.add_all(Calibration(request_id=request_id, **row) for row in measured)
    _close(session, request_id, None)


def fail_request(session: Session, request_id: int, error: Json) -> None:
    """Keep why nothing was measured, {"code", "detail", "hint"}; an answer that is there already stands."""
    _close(session, request_id, error)


def get_request(session: Session, request_id: int) -> CalibrationRequest:
    """The question as it stands now."""
    return session.get_one(CalibrationRequest, request_id, populate_existing=True)


def _is_open(patience_seconds: float) -> list[ColumnElement[bool]]:
    born_after = func.now() - timedelta(seconds=patience_seconds)
    return [CalibrationRequest.answered_at.is_(None), CalibrationRequest.created_at > born_after]


def _close(session: Session, request_id: int, error: Json | None) -> None:
    open_one = (CalibrationRequest.id == request_id, CalibrationRequest.answered_at.is_(None))
    values = {"answered_at": func.now(), "error": storable(error)}
    session.execute(update(CalibrationRequest).where(*open_one).values(values))
