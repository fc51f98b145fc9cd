"""Following a job to its end for somebody who listens, across broken connections."""

from time import sleep
from typing import Protocol

from cli.client import Client, Json, plainly
from pedigree.errors import PedigreeError
from pedigree.events import FINAL, FIRST_PAUSE_SECONDS, Event, Following
from pedigree.wire import json_of

GIVE_UP_SECONDS = 60.0
PROBE_SECONDS = 5.0
"""Short, so that the time after which the service is given up is kept."""


class Listener(Protocol):
    """Is told what happens to a job, and to the connection."""

    def show(self, event: Event) -> None:
        """Take the next event; none comes twice."""

    def away(self, seconds: float) -> None:
        """Hear that the service does not answer and is asked again for so long."""

    def back(self) -> None:
        """Hear that it answers again."""


def follow(client: Client, job: int, listener: Listener) -> Json:
    """Tell every event of a job from its first to its last; returns the job when it has ended.

    Raises:
        GaveUp: the service stayed away, or could not answer, for a minute.
        ServiceError: there is no such job.
    """
    following = Following(GIVE_UP_SECONDS, listener.away, listener.back)
    with plainly():
        while True:
            try:
                now = _heard(client, job, following, listener)
            except PedigreeError as error:
                sleep(following.pause_after(error))
                continue
            if now["state"] in FINAL:
                return now
            sleep(FIRST_PAUSE_SECONDS)


def _heard(client: Client, job: int, following: Following, listener: Listener) -> Json:
    """Hear the stream to its end; returns the job as it stands then."""
    if following.away_since is not None:
        _job(client, job)
    for event in client.wire.events(job, following):
        listener.show(event)
    return _job(client, job)


def _job(client: Client, job: int) -> Json:
    found: Json = json_of(client.wire.ask("GET", f"/jobs/{job}", timeout=PROBE_SECONDS))
    return found
