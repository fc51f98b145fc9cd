"""Jobs: ask for one, look at it, cancel it, resume it."""

import hashlib
import json
from typing import Annotated

from fastapi import APIRouter, Header, Path, Query, Response
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from api.dependencies import ServicesDep, SliceDep
from api.job_checks import check_interpret, check_train
from api.schemas.fields import Id, PageOut
from api.schemas.jobs import DryRun, InterpretConfig, InterpretRequest, JobOut, JobRequest, TrainRequest
from api.schemas.problem import problems
from ml.config import ResolvedConfig
from store.db.jobs import create_job, find_by_idempotency_key, request_cancel, resume
from store.db.models import Job, Run
from store.db.reading import get_job, list_jobs
from store.states import State

router = APIRouter(tags=["jobs"])

IdempotencyKey = Annotated[
    str | None,
    Header(pattern=r"^[\x21-\x7e]{1,200}$", description="the same key and body again is the same job"),
]
NO_FORECAST = "this version keeps no timings of past runs to forecast from"


@router.post("/jobs", status_code=202, responses={200: {"model": JobOut | DryRun}, **problems(400, 404, 409)})
def create_a_job(
    request: JobRequest,
    services: ServicesDep,
    response: Response,
    idempotency_key: IdempotencyKey = None,
    dry_run: Annotated[bool, Query(description="validate and resolve; store nothing")] = False,
) -> JobOut | DryRun:
    """Queue a train or interpret job. A job that is on record is 200, a new one 202."""
    if dry_run:
        with services.sessions.begin() as session:
            config = _resolved(session, request)
        response.status_code = 200
        return DryRun(config=config, forecast=None, forecast_reason=NO_FORECAST)
    digest = _digest(request)
    try:
        with services.sessions.begin() as session:
            job = find_by_idempotency_key(session, idempotency_key, digest) if idempotency_key else None
            is_new = job is None
            if job is None:
                job = _queue(session, request, services.settings.max_attempts, idempotency_key, digest)
    except IntegrityError:
        # Only the key is unique: the same request arrived twice at once and the other one was first.
        with services.sessions.begin() as session:
            job, is_new = find_by_idempotency_key(session, str(idempotency_key), digest), False
        if job is None:
            raise
    if is_new:
        services.publish(job.id)
    response.status_code = 202 if is_new else 200
    response.headers["Location"] = f"/jobs/{job.id}"
    return JobOut.of(job)


@router.get("/jobs", responses=problems(400))
def list_the_jobs(
    services: ServicesDep,
    part: SliceDep,
    kind: Annotated[str | None, Query(pattern="^[a-z_]{1,32}$")] = None,
    state: State | None = None,
) -> PageOut[JobOut]:
    """Jobs, newest first."""
    with services.sessions.begin() as session:
        page = list_jobs(session, kind=kind, state=state, cursor=part.cursor, limit=part.limit)
    return PageOut(items=[JobOut.of(job) for job in page.items], next_cursor=page.next_cursor)


@router.get("/jobs/{job_id}", responses=problems(404))
def get_a_job(job_id: Annotated[Id, Path()], services: ServicesDep) -> JobOut:
    """A job as it stands."""
    with services.sessions.begin() as session:
        return JobOut.of(get_job(session, job_id))


@router.post("/jobs/{job_id}/cancel", status_code=202, responses=problems(404, 409))
def cancel_a_job(job_id: Annotated[Id, Path()], services: ServicesDep) -> JobOut:
    """Cancel a queued job at once; ask a running one to stop. It says `cancelled` when its process has ended."""
    with services.sessions.begin() as session:
        return JobOut.of(request_cancel(session, job_id))


@router.post("/jobs/{job_id}/resume", status_code=202, responses=problems(404, 409))
def resume_a_job(job_id: Annotated[Id, Path()], services: ServicesDep) -> JobOut:
    """Queue a failed or cancelled job again; a training goes on from its last checkpoint."""
    with services.sessions.begin() as session:
        job = resume(session, job_id, max_attempts=services.settings.max_attempts)
    services.publish(job_id)
    return JobOut.of(job)


def _digest(request: TrainRequest | InterpretRequest) -> str:
    """The same for equal requests, however they were written."""
    return hashlib.sha256(json.dumps(request.model_dump(mode="json"), sort_keys=True).encode()).hexdigest()


def _resolved(session: Session, request: TrainRequest | InterpretRequest) -> ResolvedConfig | InterpretConfig:
    """What the job would work by."""
    if isinstance(request, TrainRequest):
        return check_train(session, request)[0]
    check_interpret(session, request)
    return request.config


def _queue(
    session: Session, request: TrainRequest | InterpretRequest, max_attempts: int, key: str | None, digest: str
) -> Job:
    """Add the job, and for a training its run."""
    if isinstance(request, InterpretRequest):
        run = check_interpret(session, request)
        payload = {"config": request.config.model_dump(mode="json")}
    else:
        resolved, dataset = check_train(session, request)
        run = Run(
            kind=request.kind,
            name=request.name,
            dataset_id=dataset.id,
            parent_id=request.from_run,
            config=resolved.model_dump(mode="json"),
        )
        session.add(run)
        session.flush()
        payload = {}
    return create_job(
        session,
        kind=request.kind,
        run_id=run.id,
        payload=payload,
        max_attempts=max_attempts,
        idempotency_key=key,
        request_sha256=digest if key else None,
    )
