"""What the caller may take of the service, and has taken."""

from fastapi import APIRouter, Request

from api.dependencies import ServicesDep
from api.http.meter import ALLOWANCE, Allowance
from api.routes.keys import CallerDep
from api.schemas.limits import BytesAllowedOut, JobsAllowedOut, LimitsOut, RequestsOut
from store.db.owned import dataset_bytes, jobs_of_owner, sent_bytes

router = APIRouter(tags=["operations"])


@router.get("/limits")
def get_the_limits(request: Request, services: ServicesDep, caller: CallerDep) -> LimitsOut:
    """What the caller's key may take and has taken: requests, jobs, bytes."""
    allowance: Allowance | None = request.scope.get(ALLOWANCE)
    with services.sessions.begin() as session:
        jobs = jobs_of_owner(session, caller.name)
        in_datasets, sent = dataset_bytes(session, caller.name), sent_bytes(session, caller.name)
    settings = services.settings
    uploads = sent + services.uploads.promised_to(caller.name)
    return LimitsOut(
        owner=caller.name,
        requests=None
        if allowance is None
        else RequestsOut(counted_by=allowance.policy, most=allowance.quota, left=allowance.left),
        jobs=JobsAllowedOut(most=settings.max_key_jobs, queued=jobs.queued, running=jobs.running),
        bytes=BytesAllowedOut(most=settings.max_key_bytes, datasets=in_datasets, uploads=uploads),
    )
