"""Drift: whether what a model is asked looks like what it was validated on."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Path, Query

from api.dependencies import ServicesDep
from api.http.tables import TableRoute
from api.schemas.drift import DriftOut
from api.schemas.fields import Id
from api.schemas.problem import problems
from store.db.drift import counts_since, reference_of, today
from store.db.kept import vocabulary_of
from store.db.registry import resolve_model

router = APIRouter(prefix="/models", tags=["models"], route_class=TableRoute)


@router.get("/{version}/drift", responses=problems(404))
def get_the_drift(
    version: Annotated[Id, Path()],
    services: ServicesDep,
    days: Annotated[int, Query(ge=1, le=400, description="the last days, today among them, UTC")] = 7,
) -> DriftOut:
    """What a version was asked and answered, beside the validation side of its run: counts alone, of all processes.

    Each process adds its counts to the record every minute. Photos' looks are those of a sample: two a second at most.
    """
    with services.sessions.begin() as session:
        resolve_model(session, version)
        first = today(session) - timedelta(days=days - 1)
        seen, found = counts_since(session, version, first), reference_of(session, version)
        vocab = vocabulary_of(session, version)
    reference, missing = (None, None) if found is None else (found.counts, found.missing)
    return DriftOut.of(version, first, days, seen, reference, vocab, missing)
