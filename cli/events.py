"""A job's events as they happen, over Server-Sent Events, across broken connections."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from time import monotonic, sleep
from typing import Any

from cli.client import Client, ServiceError, Unreachable

FINAL = frozenset({"succeeded", "failed", "cancelled"})
GIVE_UP_SECONDS = 60.0
LONGEST_PAUSE_SECONDS = 5.0
PASSING = frozenset({429, 503})
"""The service is there and too busy, or a part of it is away, as a database that restarts."""


@dataclass(frozen=True)
class Event:
    """One event: its id (``Last-Event-ID``), its name and its JSON."""

    id: str
    name: str
    data: dict[str, Any]


def follow(client: Client, job: int) -> Iterator[Event]:
    """Every event of a job from its first to its last; ends when the job has ended.

    Raises:
        Unreachable: the service stayed away for a minute.
        ServiceError: there is no such job, or the service could not answer for a minute.
    """
    last, away_since, pause = "", None, 0.5
    while True:
        try:
            for event in _stream(client, job, last):
                last, away_since, pause = event.id or last, None, 0.5
                yield event
            if client.get(f"/jobs/{job}")["state"] in FINAL:
                return
            away_since = None
        except (Unreachable, ServiceError) as error:
            if isinstance(error, ServiceError) and error.status not in PASSING:
                raise
            away_since = away_since or monotonic()
            if monotonic() - away_since > GIVE_UP_SECONDS:
                raise
        sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE_SECONDS)


def _stream(client: Client, job: int, last: str) -> Iterator[Event]:
    headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": last} if last else {})
    with client.stream(f"/jobs/{job}/events", headers) as answer:
        yield from read_events(answer.iter_lines())


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
