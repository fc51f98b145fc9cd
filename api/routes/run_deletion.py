"""Deleting a run, and what hangs on it."""

import logging
from typing import Annotated

from fastapi import APIRouter, Path, Query

from api.dependencies import ServicesDep
from api.schemas.dependents import DependentsOut
from api.schemas.fields import Id
from api.schemas.problem import problems
from api.serving.copies import delete_copies, exports_of
from store.db.deletion import delete_run
from store.db.dependents import dependents_of
from store.db.reading import get_run
from store.deleted_files import delete_files
from store.errors import ServiceUnavailable

logger = logging.getLogger(__name__)

router = APIRouter(prefix="/runs", tags=["runs"])

RunId = Annotated[Id, Path()]


@router.get("/{run_id}/dependents", responses=problems(404))
def get_what_hangs_on_a_run(run_id: RunId, services: ServicesDep) -> DependentsOut:
    """What deleting the run would take away, and what has to end before it can be deleted."""
    with services.sessions.begin() as session:
        get_run(session, run_id)
        return DependentsOut.of(dependents_of(session, run_id))


@router.delete("/{run_id}", status_code=204, responses=problems(404, 409))
def delete_a_run(
    run_id: RunId,
    services: ServicesDep,
    cascade: Annotated[
        bool, Query(description="delete its version and interpretations too, though runs and answers came from it")
    ] = False,
) -> None:
    """Delete a run with its record and its files, for good; the same again is 204 too.

    409, with what hangs on it in `dependents`: `run_busy` while a job works on it or needs its weights, `run_serving`
    while an alias points at its version, `run_needed` where `cascade` is needed. Runs that started from it stay, and
    so do answers of predict jobs.
    """
    with services.sessions.begin() as session:
        exports = exports_of(session, run_id)
        gone = delete_run(session, run_id, cascade=cascade)
    if gone.version is not None:
        services.predictor.drop(gone.version)
    delete_copies(services.settings.cache, gone, exports)
    try:
        delete_files(services.artifacts, services.sessions, run_id)
    except ServiceUnavailable as error:
        logger.warning("run %d was deleted; its files stay for the repair process to delete: %s", run_id, error.detail)
