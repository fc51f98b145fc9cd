"""What there is to choose from before a job is asked for, and who would do it."""

from fastapi import APIRouter

from api.dependencies import ServicesDep
from api.http.tables import TableRoute
from api.schemas.architectures import ArchitectureOut, ArchitecturesOut
from api.schemas.config import ConfigOut
from api.schemas.problem import problems
from api.schemas.workers import WorkerOut, WorkersOut
from ml.architecture_facts import FACTS
from ml.weights_found import weights_found
from store.db.lanes import jobs_in_hand, living_workers
from store.db.paces import newest_paces

router = APIRouter(tags=["jobs"], route_class=TableRoute)

CONFIG = ConfigOut.of_models()


@router.get("/config", responses=problems())
async def get_the_config() -> ConfigOut:
    """Every field of a job's config with its meaning, default and range; the recipes, and configs to begin with."""
    return CONFIG


@router.get("/architectures", responses=problems())
def list_the_architectures(services: ServicesDep) -> ArchitecturesOut:
    """What can be trained, what it costs, and whether its published weights are on this machine.

    A worker on another machine looks for weights there.
    """
    found = weights_found(services.settings.weights)
    with services.sessions.begin() as session:
        paces = newest_paces(session)
    return ArchitecturesOut(items=[ArchitectureOut.of(name, found.get(name), paces.get(name)) for name in FACTS])


@router.get("/workers", responses=problems())
def list_the_workers(services: ServicesDep) -> WorkersOut:
    """The workers that live, their devices, and the job that each has in hand."""
    with services.sessions.begin() as session:
        workers, jobs = living_workers(session), jobs_in_hand(session)
        held = {job.worker: job for job in jobs}
        known = [WorkerOut.of(worker, held.pop(worker.name, None)) for worker in workers]
        items = [*known, *(WorkerOut.ending(job) for job in held.values())]
    return WorkersOut(code_version=services.code_version, items=items)
