"""Events as they happen, over Server-Sent Events: a job's own, or those of all jobs."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Depends, Header, Path, Query
from fastapi.sse import EventSourceResponse, ServerSentEvent

from api.dependencies import Services, ServicesDep
from api.schemas.fields import MAX_ID, Id
from api.schemas.problem import problems
from store.db.event_tail import events_of_all_after, newest_of_all
from store.db.models import JobEvent
from store.db.reading import events_after, get_job, newest_event
from store.states import FINAL

router = APIRouter(tags=["jobs"])

POLL_SECONDS = 0.3
PAGE = 500

EventId = Annotated[int | None, Query(ge=0, le=MAX_ID, description="send the events after this one")]


def starting_point(
    job_id: Annotated[Id, Path()],
    services: ServicesDep,
    after: EventId = None,
    last_event_id: Annotated[str | None, Header(description="what a browser sends when it reconnects")] = None,
) -> int:
    """The event to go on from; a job that does not exist is answered before the stream begins."""
    with services.sessions.begin() as session:
        get_job(session, job_id)
        newest = newest_event(session, job_id)
    seen = _number(last_event_id)
    if seen is None:
        return after or 0
    # An id above every event comes from an earlier data folder: waiting for a larger one would be silence.
    return seen if seen <= newest else 0


def starting_point_of_all(
    services: ServicesDep,
    after: EventId = None,
    last_event_id: Annotated[str | None, Header(description="what a browser sends when it reconnects")] = None,
) -> int:
    """The event to go on from: the one that was seen last, else the newest there is."""
    with services.sessions.begin() as session:
        newest = newest_of_all(session)
    reconnected = _number(last_event_id)
    seen = after if reconnected is None else reconnected
    return seen if seen is not None and seen <= newest else newest


def _number(last_event_id: str | None) -> int | None:
    """What a browser sends back as an event's id; None where it is none of ours."""
    if last_event_id is None or not (last_event_id.isascii() and last_event_id.isdecimal()):
        return None
    return int(last_event_id[:18])


@router.get("/jobs/{job_id}/events", response_class=EventSourceResponse, responses=problems(404))
async def watch_a_job(
    job_id: Annotated[Id, Path()], services: ServicesDep, after: Annotated[int, Depends(starting_point)]
) -> AsyncIterator[ServerSentEvent]:
    """Events `progress`, `batch`, `epoch`, `state` and `log`, each with its id; ends after the final state.

    `Last-Event-ID` or `?after=` goes on after that event; nothing is lost or sent twice. A `Last-Event-ID` that the job
    has not reached is of another database, and all events are sent. A comment each 15 seconds keeps the connection
    open.
    """
    while True:
        events, is_final = await to_thread.run_sync(_read, services, job_id, after, limiter=services.watchers)
        for event in events:
            yield ServerSentEvent(data=event.data, event=event.event, id=str(event.id))
            after = event.id
        if len(events) < PAGE:
            if is_final:
                return
            await asyncio.sleep(POLL_SECONDS)


@router.get("/events", response_class=EventSourceResponse, responses=problems())
async def watch_all_jobs(
    services: ServicesDep, after: Annotated[int, Depends(starting_point_of_all)]
) -> AsyncIterator[ServerSentEvent]:
    """Events of every job from now on, each as `{"job": …, "data": …}`; does not end.

    The first is `start`: its id is the event that the stream goes on from. With `Last-Event-ID` or `?after=` that is
    the one named there, and nothing after it is lost or sent twice; without, or where no event has come so far, it is
    the newest. One such stream tells a page with any number of jobs all that there is to know.
    """
    yield ServerSentEvent(data={}, event="start", id=str(after))
    while True:
        events = await to_thread.run_sync(_read_all, services, after, limiter=services.watchers)
        for event in events:
            yield ServerSentEvent(data={"job": event.job_id, "data": event.data}, event=event.event, id=str(event.id))
            after = event.id
        if len(events) < PAGE:
            await asyncio.sleep(POLL_SECONDS)


def _read_all(services: Services, after: int) -> Sequence[JobEvent]:
    with services.sessions.begin() as session:
        return events_of_all_after(session, after, PAGE)


def _read(services: Services, job_id: int, after: int) -> tuple[Sequence[JobEvent], bool]:
    """Events after ``after``, and whether the job had ended before they were read.

    The state is read first: it changes in the transaction that adds its event, so a final state seen here has its
    event among those read next.
    """
    with services.sessions.begin() as session:
        is_final = get_job(session, job_id).state in FINAL
        return events_after(session, job_id, after, PAGE), is_final
