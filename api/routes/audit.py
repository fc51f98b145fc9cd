"""The record of changes."""

from typing import Annotated

from fastapi import APIRouter, Depends

from api.dependencies import ServicesDep, SliceDep
from api.http.tables import TableRoute
from api.schemas.audit import AuditOut, AuditQuery
from api.schemas.fields import PageOut
from api.schemas.problem import problems
from store.db.audit import list_changes

router = APIRouter(tags=["keys"], route_class=TableRoute)


@router.get("/audit", responses=problems(400))
def list_the_changes(
    services: ServicesDep, part: SliceDep, asked: Annotated[AuditQuery, Depends()]
) -> PageOut[AuditOut]:
    """Who changed what, the newest first; a table with `Accept: text/csv`.

    Every request that changes something is here, but for predictions and the pieces of uploads.
    """
    with services.sessions.begin() as session:
        page = list_changes(session, asked.filters, cursor=part.cursor, limit=part.limit)
    return PageOut(items=[AuditOut.of(entry) for entry in page.items], next_cursor=page.next_cursor)
