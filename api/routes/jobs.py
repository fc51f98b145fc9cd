"""Jobs: ask for one, look at it, cancel it, resume it."""

import hashlib
import json
from typing import Annotated

from fastapi import APIRouter, Header, Path, Query, Response
from pydantic import Field
from sqlalchemy.orm import Session

from api.dependencies import Services, ServicesDep, SliceDep
from api.http.tables import TableRoute
from api.jobs.forecast import forecast_of_job, forecast_on_record, why_unknown
from api.jobs.job_checks import check_interpret, check_lr_find, check_predict, check_train
from api.jobs.queueing import queue_again, queue_job
from api.jobs.studies import check_search, studies_on_record
from api.schemas.architectures import WeightsOut
from api.schemas.fields import Id, PageOut, ShortText, in_words
from api.schemas.jobs import (
    DryRun,
    ForecastRequest,
    InterpretRequest,
    JobKind,
    JobOut,
    JobRequest,
    LrFindRequest,
    PredictConfig,
    PredictRequest,
    TrainRequest,
)
from api.schemas.problem import problems
from api.schemas.studies import SearchRequest
from ml.config import LrFind, ResolvedConfig
from ml.weights_found import weights_found
from store.db.base import Json
from store.db.jobs import find_by_idempotency_key, request_cancel
from store.db.models import Dataset, Job, Run
from store.db.reading import get_job, list_jobs
from store.db.studies import add_study
from store.db.waiting import Waiting, waiting_of
from store.errors import AppError
from store.settings import Settings
from store.states import State

router = APIRouter(tags=["jobs"], route_class=TableRoute)

IdempotencyKey = Annotated[
    Annotated[
        str,
        Field(pattern=r"^[\x21-\x7e]{1,200}$"),
        in_words("a key has 1 to 200 letters, digits and signs of ASCII, and no blanks", "Give one as a UUID is."),
    ]
    | None,
    Header(description="the same key and body again is the same job"),
]
RunRequest = TrainRequest | LrFindRequest
Request = RunRequest | InterpretRequest | ForecastRequest | PredictRequest | SearchRequest
NO_FORECAST = "interpret jobs are not forecast: they predict each picture once, with tta five times"
NO_FORECAST_OF_PREDICTIONS = "predict jobs are not forecast: once one runs, its progress says the time left"


@router.post(
    "/jobs", status_code=202, responses={200: {"model": JobOut | DryRun}, **problems(400, 404, 409, 413, 415, 429)}
)
def create_a_job(
    request: JobRequest,
    services: ServicesDep,
    response: Response,
    idempotency_key: IdempotencyKey = None,
    dry_run: Annotated[
        bool, Query(description="validate, resolve and forecast by what is on record; queue nothing")
    ] = False,
) -> JobOut | DryRun:
    """Queue a train, lr_find, interpret, forecast, predict or search job: 202.

    A job that is on record is 200, and so is a forecast that the record tells: its job has succeeded already.
    """
    if dry_run:
        response.status_code = 200
        return _dry_run(services, request)
    digest = _digest(request)
    with services.sessions.begin() as session:
        job = find_by_idempotency_key(session, idempotency_key, digest) if idempotency_key else None
        is_new = job is None
        if job is None:
            job = _queue(session, request, services.settings, idempotency_key, digest)
        forecast, studies = forecast_of_job(session, job), studies_on_record(session, [job])
        is_new = is_new and job.state == State.QUEUED
    response.status_code = 202 if is_new else 200
    response.headers["Location"] = f"{services.settings.root_path}/jobs/{job.id}"
    return JobOut.of(job, services.publish(job) if is_new else _waiting(services, job), forecast, studies)


@router.get("/jobs", responses=problems(400))
def list_the_jobs(
    services: ServicesDep,
    part: SliceDep,
    kind: JobKind | None = None,
    state: State | None = None,
    run: Annotated[Id | None, Query(description="only the jobs of this run: its own, and its interpretations")] = None,
    owner: Annotated[
        ShortText | None, Query(description="only those that this key posted, by its name; local: without a key")
    ] = None,
) -> PageOut[JobOut]:
    """Jobs, newest first."""
    with services.sessions.begin() as session:
        page = list_jobs(session, kind=kind, state=state, run=run, owner=owner, cursor=part.cursor, limit=part.limit)
        waiting, studies = waiting_of(session, page.items), studies_on_record(session, page.items)
    return PageOut(items=[JobOut.of(job, waiting, None, studies) for job in page.items], next_cursor=page.next_cursor)


@router.get("/jobs/{job_id}", responses=problems(404))
def get_a_job(job_id: Annotated[Id, Path()], services: ServicesDep) -> JobOut:
    """A job as it stands; of a queued one, what it waits for."""
    with services.sessions.begin() as session:
        job = get_job(session, job_id)
        waiting, studies = waiting_of(session, [job]), studies_on_record(session, [job])
        return JobOut.of(job, waiting, forecast_of_job(session, job), studies)


@router.post("/jobs/{job_id}/cancel", status_code=202, responses=problems(404, 409))
def cancel_a_job(job_id: Annotated[Id, Path()], services: ServicesDep) -> JobOut:
    """Cancel a queued job at once; ask a running one to stop. It says `cancelled` when its process has ended.

    A search that is cancelled stops its trials, and says so when the last has ended.
    """
    with services.sessions.begin() as session:
        job = request_cancel(session, job_id)
        return JobOut.of(job, {}, None, studies_on_record(session, [job]))


@router.post("/jobs/{job_id}/resume", status_code=202, responses=problems(404, 409, 429))
def resume_a_job(job_id: Annotated[Id, Path()], services: ServicesDep) -> JobOut:
    """Queue a failed or cancelled job again; a training goes on from its last checkpoint, a search with its trials."""
    with services.sessions.begin() as session:
        job = queue_again(session, services.settings, job_id)
        studies = studies_on_record(session, [job])
    return JobOut.of(job, services.publish(job), None, studies)


def _waiting(services: Services, job: Job) -> dict[int, Waiting]:
    with services.sessions.begin() as session:
        return waiting_of(session, [job])


def _digest(request: Request) -> str:
    """The same for equal requests, however they were written."""
    if isinstance(request, ForecastRequest):
        return _sha256({"kind": request.kind, "of": _asked(request.of)})
    return _sha256(_asked(request))


def _asked(request: RunRequest | InterpretRequest | PredictRequest | SearchRequest) -> Json:
    asked = request.model_dump(mode="json", by_alias=True)
    if isinstance(request, RunRequest) and request.from_run is not None:
        # What is left unsaid is inherited: saying a default is another request.
        named = request.config.model_dump(mode="json", by_alias=True, exclude_unset=True)
        asked["config"] = named | {"recipe": asked["config"].get("recipe")}
    return asked


def _sha256(asked: Json) -> str:
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def _dry_run(services: Services, request: Request) -> DryRun:
    """What the job would work by, and how long it would take."""
    with services.sessions.begin() as session:
        if isinstance(request, InterpretRequest):
            check_interpret(session, request)
            return DryRun(config=request.config, forecast=None, forecast_reason=NO_FORECAST)
        if isinstance(request, PredictRequest):
            version, dataset = check_predict(session, request)
            config = PredictConfig(version=version.id, photos=dataset.items)
            return DryRun(config=config, forecast=None, forecast_reason=NO_FORECAST_OF_PREDICTIONS)
        if isinstance(request, SearchRequest):
            # One trial with the config's own settings, trained to its end.
            told = _told(session, *check_search(session, request))
        else:
            told = _told(session, *_checked(session, request))
    if isinstance(request, SearchRequest) or getattr(request, "from_run", None) is None:
        told.weights = _weights(services.settings, told.config)
    return told


def _told(session: Session, resolved: ResolvedConfig | LrFind, dataset: Dataset) -> DryRun:
    forecast = forecast_on_record(session, resolved, dataset)
    return DryRun(config=resolved, forecast=forecast, forecast_reason=None if forecast else why_unknown(resolved))


def _weights(settings: Settings, config: object) -> WeightsOut | None:
    if not isinstance(config, ResolvedConfig | LrFind) or not config.pretrained:
        return None
    return WeightsOut.of(config.arch, weights_found(settings.weights).get(config.arch))


def _checked(
    session: Session, request: RunRequest | ForecastRequest, *within: str
) -> tuple[ResolvedConfig | LrFind, Dataset]:
    if isinstance(request, ForecastRequest):
        try:
            return _checked(session, request.of, request.kind, "of")
        except AppError as error:
            if error.field is not None and not error.field.startswith("body.of."):
                error.field = f"body.of.{error.field.removeprefix('body.')}"
            raise
    if isinstance(request, LrFindRequest):
        return check_lr_find(session, request, ("body", *within))
    return check_train(session, request, ("body", *within))


def _queue(session: Session, request: Request, settings: Settings, key: str | None, digest: str) -> Job:
    """Add the job with its run, or what it searches; a forecast that the record tells has succeeded at once."""
    run_id, payload, state = _work(session, request)
    job = queue_job(
        session,
        settings,
        kind=request.kind,
        run_id=run_id,
        payload=payload,
        idempotency_key=key,
        request_sha256=digest if key else None,
        state=state,
    )
    if isinstance(request, SearchRequest):
        asked = request.plan().model_dump(mode="json", by_alias=True)
        add_study(session, job.id, dataset_id=payload["dataset_id"], name=request.name, asked=asked)
    return job


def _work(session: Session, request: Request) -> tuple[int | None, Json, State]:
    """The run that the job is about, its payload, and the state that it begins in."""
    if isinstance(request, InterpretRequest):
        run, about = check_interpret(session, request)
        # The name's revision of now: an import in between does not change what the job is about.
        return run.id, {"config": request.config.model_dump(mode="json"), "dataset_id": about.id}, State.QUEUED
    if isinstance(request, PredictRequest):
        version, pictures = check_predict(session, request)
        answering: Json = {"version": version.id, "run_id": version.run_id, "dataset_id": pictures.id}
        return None, answering, State.QUEUED
    if isinstance(request, SearchRequest):
        _, learned = check_search(session, request)
        return None, {"dataset_id": learned.id}, State.QUEUED
    if isinstance(request, ForecastRequest):
        config, dataset = _checked(session, request)
        payload: Json = {"config": config.model_dump(mode="json"), "dataset_id": dataset.id}
        known = forecast_on_record(session, config, dataset)
        if known is None:
            return None, payload, State.QUEUED
        return None, {**payload, "device": known.device, "precision": known.precision}, State.SUCCEEDED
    return _new_run(session, request).id, {}, State.QUEUED


def _new_run(session: Session, request: RunRequest) -> Run:
    config, dataset = _checked(session, request)
    run = Run(
        kind=request.kind,
        name=request.name,
        dataset_id=dataset.id,
        parent_id=request.from_run,
        config=config.model_dump(mode="json"),
    )
    session.add(run)
    session.flush()
    return run
