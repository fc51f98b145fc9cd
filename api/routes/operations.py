"""Operations: is it alive, can it work, and its figures."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from fastapi import APIRouter, Response
from kombu.exceptions import OperationalError as BrokerError
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel, Field
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from api.dependencies import Services, ServicesDep
from api.http.errors import problem_response
from api.http.room import check_disks, database_disk_full, disk_places
from api.schemas.lanes import LaneOut
from api.schemas.problem import Problem, problems
from ml.errors import LearningError
from store.db.lanes import count_jobs, count_workers
from store.db.registry import DEFAULT_ALIAS
from store.db.work_figures import work_figures
from store.errors import AppError, NoModel
from store.lanes import Lane
from store.room import says_disk_full
from store.states import State

logger = logging.getLogger(__name__)
router = APIRouter(tags=["operations"])

BROKER_SECONDS = 2.0


class Alive(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Ready(BaseModel):
    """Everything that the service needs answers."""

    status: Literal["ready"] = "ready"
    parts: dict[str, str]
    lanes: dict[Lane, LaneOut] | None = Field(description="each lane's workers and queued jobs")


@router.get("/healthz")
async def is_it_alive() -> Alive:
    """The process lives; says nothing of what it depends on."""
    return Alive()


@router.get("/readyz", response_model=Ready, responses=problems())
def is_it_ready(services: ServicesDep) -> Ready | Response:
    """Database, broker, artifact store, room on the disks and a model in production; 503 names what is not ready.

    A lane without workers is shown, and is no 503: what asks here sends requests to this process, which needs no worker
    to answer and to keep jobs.
    """
    checks: dict[str, Callable[[Services], None]] = {
        "database": _ask_database,
        "broker": _ask_broker,
        "artifacts": _ask_artifacts,
        "disks": _ask_disks,
        "model": _ask_model,
    }
    faults = {name: fault for name, check in checks.items() if (fault := _fault_of(check, services)) is not None}
    parts = {name: faults[name].said if name in faults else "ok" for name in checks}
    lanes = None if "database" in faults else _lanes(services)
    if not faults:
        return Ready(parts=parts, lanes=lanes)
    only = next(iter(faults.values())) if len(faults) == 1 else None
    problem = Problem(
        title="Not ready",
        status=503,
        detail=", ".join(f"{name}: {fault.said}" for name, fault in faults.items()),
        code=only.code if only is not None else "unavailable",
        hint=only.hint if only is not None else None,
        parts=parts,
        lanes=lanes,
    )
    return problem_response(problem, {"Retry-After": "2"})


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
def get_the_figures(services: ServicesDep) -> Response:
    """Figures in Prometheus' text format."""
    try:
        with services.sessions.begin() as session:
            services.telemetry.set_lanes(count_jobs(session), count_workers(session))
            services.telemetry.work.set_work(work_figures(session))
    except SQLAlchemyError as error:
        # The other figures matter most when the database is away.
        logger.warning("jobs and workers could not be counted: %s", error)
    services.telemetry.work.set_disks(disk_places(services.settings.cache, services.artifacts.folder))
    return Response(services.telemetry.exposition(), media_type=CONTENT_TYPE_LATEST)


@dataclass(frozen=True)
class _Fault:
    """What is wrong with a part, and the one thing to change where that is known."""

    said: str
    hint: str | None = None
    code: str = "unavailable"


def _fault_of(check: Callable[[Services], None], services: Services) -> _Fault | None:
    try:
        check(services)
    except NoModel as error:
        return _Fault(error.detail, "Train a run and register it as production.", error.code)
    except (AppError, LearningError) as error:
        return _Fault(error.detail, error.hint, "disk_full" if error.code == "disk_full" else "unavailable")
    except (SQLAlchemyError, BrokerError, OSError) as error:
        logger.warning("not ready: %s", error)
        if says_disk_full(error):
            return _Fault(database_disk_full().detail, database_disk_full().hint, code="disk_full")
        return _Fault("does not answer")
    return None


def _lanes(services: Services) -> dict[Lane, LaneOut] | None:
    """None where the database has gone since it was asked."""
    try:
        with services.sessions.begin() as session:
            return _lanes_now(session)
    except SQLAlchemyError as error:
        logger.warning("the lanes were not read: %s", error)
        return None


def _ask_database(services: Services) -> None:
    with services.engine.connect() as connection:
        connection.execute(text("SELECT 1"))


def _ask_broker(services: Services) -> None:
    with services.celery.connection_for_write() as connection:
        connection.ensure_connection(max_retries=1, timeout=BROKER_SECONDS)


def _ask_artifacts(services: Services) -> None:
    services.artifacts.check()


def _ask_disks(services: Services) -> None:
    check_disks(services.settings.cache, services.artifacts.folder)


def _ask_model(services: Services) -> None:
    services.predictor.serve(DEFAULT_ALIAS)


def _lanes_now(session: Session) -> dict[Lane, LaneOut]:
    jobs, workers = count_jobs(session, State.QUEUED), count_workers(session)
    return {lane: LaneOut(workers=workers[lane], queued=jobs[lane, State.QUEUED]) for lane in Lane}
