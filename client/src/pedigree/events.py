"""A job's events as the service tells them, over Server-Sent Events (https://html.spec.whatwg.org)."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from pedigree.errors import GaveUp, PedigreeError, Unreachable

FINAL = frozenset({"succeeded", "failed", "cancelled"})
PASSING = frozenset({408, 429, 502, 503, 504})
"""The service is there and too busy, or a part of it or a proxy before it is away for a while."""

GIVE_UP_SECONDS = 120.0
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 5.0
LAST_TRIES = 3
"""For the stream of a job that has ended: what it told while the connection was broken is there to be heard."""

SILENCE_SECONDS = 40.0
"""An event stream that is alive has a comment each 15 seconds."""


@dataclass(frozen=True)
class Event:
    """One event: its id, its name and its JSON."""

    id: str
    name: str
    data: dict[str, Any]


@dataclass
class EventReader:
    """Puts the lines of a stream together."""

    fields: dict[str, list[str]] = field(default_factory=dict)

    def read(self, line: str) -> Event | None:
        """Take the next line; returns an event where it ends one."""
        if line:
            name, _, value = line.partition(":")
            self.fields.setdefault(name, []).append(value.removeprefix(" "))
            return None
        fields, self.fields = self.fields, {}
        if "data" not in fields:
            return None
        name = fields.get("event", ["message"])[-1]
        return Event(fields.get("id", [""])[-1], name, json.loads("\n".join(fields["data"])))


@dataclass
class Following:
    """How far a job was followed, and for how long the service has been away.

    Attributes:
        give_up_seconds: how long a service may stay away.
        on_away: is told, when the service does not answer any more, for how long it is asked again.
        on_back: is told when it answers again.
    """

    give_up_seconds: float = GIVE_UP_SECONDS
    on_away: Callable[[float], None] = lambda _seconds: None
    on_back: Callable[[], None] = lambda: None
    last: str = ""
    away_since: float | None = None
    pause: float = FIRST_PAUSE_SECONDS
    last_tries: int = LAST_TRIES

    @property
    def headers(self) -> dict[str, str]:
        """What a stream is asked for with: everything after the last event."""
        return {"Accept": "text/event-stream"} | ({"Last-Event-ID": self.last} if self.last else {})

    def heard(self, event: Event) -> None:
        self.last = event.id or self.last

    def answered(self) -> None:
        """Note that the service is there."""
        if self.away_since is not None:
            self.on_back()
        self.away_since, self.pause = None, FIRST_PAUSE_SECONDS

    def has_all(self, *, is_whole: bool) -> bool:
        """Whether no more is to be heard of a job that has ended; ``is_whole`` where its stream came to its end."""
        self.last_tries -= 1
        return is_whole or self.last_tries == 0

    def pause_after(self, error: PedigreeError) -> float:
        """How long to wait before the next try.

        Raises:
            PedigreeError: there is no use in one.
            GaveUp: the service has been away for too long.
        """
        if not isinstance(error, Unreachable) and error.status not in PASSING:
            raise error
        now = monotonic()
        if self.away_since is None:
            self.away_since = now
            self.on_away(self.give_up_seconds)
        left = self.give_up_seconds - (now - self.away_since)
        if left <= 0:
            why = error.detail.removesuffix(".")
            detail = f"The service has not answered for {self.give_up_seconds:.0f} s ({why})"
            raise GaveUp(detail, code="gave_up") from error
        pause, self.pause = self.pause, min(self.pause * 2, LONGEST_PAUSE_SECONDS)
        return min(pause, left)
