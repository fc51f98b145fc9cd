"""Events as they happen, over Server-Sent Events: a job's own, or those of all jobs."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Depends, Header, Path, Query
from fastapi.sse import EventSourceResponse, ServerSentEvent

from api.dependencies import Services, ServicesDep
from api.schemas.fields import MAX_ID, Id
from api.schemas.jobs import JobWaiting
from api.schemas.problem import problems
from store.db.event_tail import events_of_all_after, newest_of_all
from store.db.models import JobEvent
from store.db.reading import events_after, job_alone, newest_event
from store.db.waiting import waiting_of
from store.states import FINAL, State

router = APIRouter(tags=["jobs"])

POLL_SECONDS = 0.3
WAITING_SECONDS = 2.0
"""How often what a queued job waits for is looked at."""
PAGE = 500

EventId = Annotated[int | None, Query(ge=0, le=MAX_ID, description="send the events after this one")]


async def a_place(services: ServicesDep) -> AsyncIterator[None]:
    """One of the places for streams, until the stream has ended; 429 where all are taken."""
    with services.streams.one():
        yield


def starting_point(
    job_id: Annotated[Id, Path()],
    services: ServicesDep,
    after: EventId = None,
    last_event_id: Annotated[str | None, Header(description="what a browser sends when it reconnects")] = None,
) -> int:
    """The event to go on from; a job that does not exist is answered before the stream begins."""
    with services.sessions.begin() as session:
        job_alone(session, job_id)
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


PLACE = [Depends(a_place)]


@router.get(
    "/jobs/{job_id}/events", response_class=EventSourceResponse, responses=problems(404, 429), dependencies=PLACE
)
async def watch_a_job(
    job_id: Annotated[Id, Path()], services: ServicesDep, after: Annotated[int, Depends(starting_point)]
) -> AsyncIterator[ServerSentEvent]:
    """Events `progress`, `batch`, `epoch`, `trial`, `state` and `log`, each with its id; ends after the final state.

    While the job is queued, `waiting` says what for, as in `GET /jobs/{id}`, whenever that changes. It has no id, as it
    is no part of the record.

    `Last-Event-ID` or `?after=` goes on after that event; nothing is lost or sent twice. A `Last-Event-ID` that the job
    has not reached is of another database, and all events are sent. A comment each 15 seconds keeps the connection
    open.
    """
    said: JobWaiting | None = None
    due = 0.0
    while True:
        seen = await to_thread.run_sync(_read, services, job_id, after, limiter=services.watchers)
        for event in seen.events:
            yield ServerSentEvent(data=event.data, event=event.event, id=str(event.id))
            after = event.id
        if not seen.is_queued:
            said = None  # queued again, the same is news again
        if seen.is_queued and monotonic() >= due:
            due = monotonic() + WAITING_SECONDS
            waiting = await to_thread.run_sync(_read_waiting, services, job_id, limiter=services.watchers)
            if waiting is not None and waiting != said:
                said = waiting
                yield ServerSentEvent(data=waiting.model_dump(mode="json"), event="waiting")
        if len(seen.events) < PAGE:
            if seen.is_final:
                return
            await asyncio.sleep(POLL_SECONDS)


@router.get("/events", response_class=EventSourceResponse, responses=problems(429), dependencies=PLACE)
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


@dataclass(frozen=True)
class EventPage:
    """Events of one look, and how the job stood before they were read."""

    events: Sequence[JobEvent]
    state: State

    @property
    def is_final(self) -> bool:
        """The job had ended: its last event is among these, or was sent."""
        return self.state in FINAL

    @property
    def is_queued(self) -> bool:
        """It waits, and whoever watches has been told so: what they would hear next is of its start."""
        return self.state is State.QUEUED and not self.events


def _read(services: Services, job_id: int, after: int) -> EventPage:
    """Events after ``after``.

    The state is read first: it changes in the transaction that adds its event, so a final state seen here has its
    event among those read next.
    """
    with services.sessions.begin() as session:
        state = State(job_alone(session, job_id).state)
        return EventPage(events_after(session, job_id, after, PAGE), state)


def _read_waiting(services: Services, job_id: int) -> JobWaiting | None:
    with services.sessions.begin() as session:
        waiting = waiting_of(session, [job_alone(session, job_id)])
    return JobWaiting.of(waiting[job_id]) if job_id in waiting else None
