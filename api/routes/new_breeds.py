"""Breeds that are added to a registered model from a few photos."""

import hashlib
import json
from typing import Annotated

from fastapi import APIRouter, Path, Response

from api.dependencies import ServicesDep
from api.http.tables import TableRoute
from api.jobs.new_breeds import new_run
from api.jobs.queueing import queue_job
from api.routes.jobs import IdempotencyKey
from api.schemas.fields import Id
from api.schemas.jobs import JobOut
from api.schemas.new_breeds import AddBreedsRequest
from api.schemas.problem import problems
from store.db.jobs import find_by_idempotency_key
from store.db.waiting import waiting_of

router = APIRouter(prefix="/models", tags=["models"], route_class=TableRoute)


@router.post(
    "/{version}/breeds",
    status_code=202,
    responses={200: {"model": JobOut}, **problems(400, 404, 409, 413, 415, 429)},
)
def add_breeds_to_a_model(
    version: Annotated[Id, Path()],
    request: AddBreedsRequest,
    services: ServicesDep,
    response: Response,
    idempotency_key: IdempotencyKey = None,
) -> JobOut:
    """Queue a job that adds a dataset's breeds to a version's, from a few photos of each: 202.

    It makes a run, and registers it as a version that no alias points at. What the version knows stays as it is: the
    run's `added` tells the error of these breeds before and after, and that of the new ones.
    """
    digest = _digest(version, request)
    with services.sessions.begin() as session:
        job = find_by_idempotency_key(session, idempotency_key, digest) if idempotency_key else None
        is_new = job is None
        if job is None:
            job = queue_job(
                session,
                services.settings,
                kind="train",
                run_id=new_run(session, version, request).id,
                payload={},
                idempotency_key=idempotency_key,
                request_sha256=digest if idempotency_key else None,
            )
    response.status_code = 202 if is_new else 200
    response.headers["Location"] = f"{services.settings.root_path}/jobs/{job.id}"
    if is_new:
        return JobOut.of(job, services.publish(job))
    with services.sessions.begin() as session:
        return JobOut.of(job, waiting_of(session, [job]))


def _digest(version: int, request: AddBreedsRequest) -> str:
    """The same for equal requests, however they were written."""
    asked = {"version": version, **request.model_dump(mode="json")}
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
