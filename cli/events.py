"""A job's events as they happen, over Server-Sent Events, across broken connections."""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic, sleep
from typing import Any, Protocol

import httpx

from cli.client import Client, Json, ServiceError, Unreachable, json_of
from store.states import FINAL

GIVE_UP_SECONDS = 60.0
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 5.0
PASSING = frozenset({429, 502, 503, 504})
"""The service is there and too busy, or a part of it is away, as a database or what stands behind a proxy."""

SILENCE = httpx.Timeout(40.0, connect=5.0)
"""An event stream that is alive has a comment each 15 seconds."""

PROBE = httpx.Timeout(5.0)
"""Short, so that the time after which the service is given up is kept."""


class GaveUp(Unreachable):
    """The service stayed away."""


@dataclass(frozen=True)
class Event:
    """One event: its id (``Last-Event-ID``), its name and its JSON."""

    id: str
    name: str
    data: dict[str, Any]


class Listener(Protocol):
    """Is told what happens to a job, and to the connection."""

    def show(self, event: Event) -> None:
        """Take the next event; none comes twice."""

    def away(self, seconds: float) -> None:
        """Hear that the service does not answer and is asked again for so long."""

    def back(self) -> None:
        """Hear that it answers again."""


class _Outage:
    """How long the service has been away."""

    def __init__(self, listener: Listener) -> None:
        self.listener = listener
        self.since: float | None = None
        self.pause = FIRST_PAUSE_SECONDS

    def over(self) -> None:
        """The service has answered."""
        if self.since is not None:
            self.listener.back()
        self.since, self.pause = None, FIRST_PAUSE_SECONDS

    def wait(self, error: Unreachable | ServiceError) -> None:
        """Wait for a while after another failure.

        Raises:
            GaveUp: there were failures for too long.
        """
        now = monotonic()
        if self.since is None:
            self.since = now
            self.listener.away(GIVE_UP_SECONDS)
        left = GIVE_UP_SECONDS - (now - self.since)
        if left <= 0:
            why = error.detail.removesuffix(".")
            raise GaveUp(f"The service has not answered for {GIVE_UP_SECONDS:.0f} s ({why}).")
        sleep(min(self.pause, left))
        self.pause = min(self.pause * 2, LONGEST_PAUSE_SECONDS)


def follow(client: Client, job: int, listener: Listener) -> Json:
    """Tell every event of a job from its first to its last; returns the job when it has ended.

    Raises:
        GaveUp: the service stayed away, or could not answer, for a minute.
        ServiceError: there is no such job.
    """
    last, outage = "", _Outage(listener)
    while True:
        try:
            if outage.since is not None:
                _job(client, job)
            with _stream(client, job, last) as events:
                outage.over()
                for event in events:
                    last = event.id or last
                    listener.show(event)
            ended = _job(client, job)
        except (Unreachable, ServiceError) as error:
            if isinstance(error, ServiceError) and error.status not in PASSING:
                raise
            outage.wait(error)
            continue
        if ended["state"] in FINAL:
            return ended
        sleep(FIRST_PAUSE_SECONDS)


def _job(client: Client, job: int) -> Json:
    found: Json = json_of(client.call("GET", f"/jobs/{job}", timeout=PROBE))
    return found


@contextmanager
def _stream(client: Client, job: int, last: str) -> Iterator[Iterator[Event]]:
    headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": last} if last else {})
    with client.stream(f"/jobs/{job}/events", headers, timeout=SILENCE) as answer:
        yield read_events(answer.iter_lines())


def read_events(lines: Iterable[str]) -> Iterator[Event]:
    """Parse an event stream: fields until an empty line; a line that begins with a colon is a comment."""
    fields: dict[str, list[str]] = {}
    for line in lines:
        if line:
            name, _, value = line.partition(":")
            fields.setdefault(name, []).append(value.removeprefix(" "))
            continue
        if "data" in fields:
            name = fields.get("event", ["message"])[-1]
            yield Event(fields.get("id", [""])[-1], name, json.loads("\n".join(fields["data"])))
        fields = {}
