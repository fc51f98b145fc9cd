"""Photos that are sent without an end, and what was answered."""

import itertools
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import httpx

from tests.faults.work import REQUEST_SECONDS, best_of
from tests.faults.world import APIS, World
from tests.worker.pictures import COLOURS, picture

PAUSE_SECONDS = 0.3
CLOSE = 1e-3
"""By how much a probability may differ: engines that a version may be served by differ by less, breeds by more."""
COME_AGAIN = (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS)
Told = tuple[str, float]


@dataclass
class Answers:
    """Counts of what came back.

    ``right`` is the answer that the same photo had at first; ``away`` a broken connection to an API that had just been
    killed; ``again`` a 503 or a 429 that says when to come again, by code. ``failed`` and ``wrong`` is all else.
    """

    right: int = 0
    away: int = 0
    again: Counter[str] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    """That right answers took."""
    moments: list[float] = field(default_factory=list)
    """At which they came, on the monotonic clock."""

    @property
    def longest_gap(self) -> float:
        """The most seconds between two right answers of any API."""
        moments = sorted(self.moments)
        return max((after - before for before, after in itertools.pairwise(moments)), default=0.0)


def outcome(answer: httpx.Response, first: Told) -> str:
    """``right``, ``wrong``, ``failed`` or ``again``, by the first answer to the same photo."""
    if answer.status_code in COME_AGAIN and "Retry-After" in answer.headers:
        return "again"
    if answer.status_code != HTTPStatus.OK:
        return "failed"
    try:
        breed, probability = best_of(answer.json())
    except (ValueError, KeyError, IndexError):
        return "failed"
    return "right" if breed == first[0] and abs(probability - first[1]) <= CLOSE else "wrong"


def was_away(sent: float, killed: float | None, answered: float | None) -> bool:
    """Whether a request that broke met a process that was killed, or its successor that had not yet begun to answer.

    Args:
        sent: when the request was sent.
        killed: when the API was last killed, None for never.
        answered: when a request was sent that it answered, the last such, None for never.
    """
    return killed is not None and (sent <= killed or answered is None or answered <= killed)


class Photos:
    """A client of each API that sends a photo, waits for its answer and sends the next."""

    def __init__(self, world: World, killed_at: Mapping[str, float]) -> None:
        """``killed_at``: when each part was last killed; read while it changes."""
        self.answers = Answers()
        self._urls = dict(zip(APIS, world.urls, strict=True))
        self._killed_at = killed_at
        self._answered_at: dict[str, float] = {}
        self._photos = [picture(breed, number) for breed in COLOURS for number in range(4)]
        self._first: list[Told] = []
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._send, args=(api,)) for api in APIS]

    def start(self) -> None:
        """Ask for the first answer to each photo, before anything goes wrong, then begin."""
        with httpx.Client(base_url=self._urls[APIS[0]], timeout=REQUEST_SECONDS, trust_env=False) as client:
            for photo in self._photos:
                self._first.append(best_of(_asked(client, photo).raise_for_status().json()))
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End; every photo that is under way is waited for."""
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _send(self, api: str) -> None:
        with httpx.Client(base_url=self._urls[api], timeout=REQUEST_SECONDS, trust_env=False) as client:
            for number in itertools.cycle(range(len(self._photos))):
                if self._over.wait(PAUSE_SECONDS):
                    return
                self._once(client, api, number)

    def _once(self, client: httpx.Client, api: str, number: int) -> None:
        sent = time.monotonic()
        try:
            answer = _asked(client, self._photos[number])
        except httpx.HTTPError as error:
            with self._lock:
                self._broken(api, sent, error)
            return
        with self._lock:
            self._answered_at[api] = max(sent, self._answered_at.get(api, 0.0))
            self._count(answer, api, number, sent)

    def _broken(self, api: str, sent: float, error: httpx.HTTPError) -> None:
        if was_away(sent, self._killed_at.get(api), self._answered_at.get(api)):
            self.answers.away += 1
        else:
            took = time.monotonic() - sent
            self.answers.failed.append(f"{api} after {took:.1f} s at {_clock()}: {type(error).__name__}: {error}")

    def _count(self, answer: httpx.Response, api: str, number: int, sent: float) -> None:
        match outcome(answer, self._first[number]):
            case "right":
                self.answers.right += 1
                self.answers.seconds.append(time.monotonic() - sent)
                self.answers.moments.append(time.monotonic())
            case "again":
                self.answers.again[f"{answer.status_code} {_code(answer)}"] += 1
            case "wrong":
                said = f"{best_of(answer.json())}, at first {self._first[number]}"
                self.answers.wrong.append(f"{api} at {_clock()}: photo {number} is {said}")
            case _:
                self.answers.failed.append(f"{api} at {_clock()}: {answer.status_code} {answer.text[:300]}")


def _asked(client: httpx.Client, photo: bytes) -> httpx.Response:
    return client.post("/predict", content=photo, headers={"Content-Type": "image/jpeg"})


def _code(answer: httpx.Response) -> Any:  # noqa: ANN401 - what the body says
    try:
        return answer.json()["code"]
    except (ValueError, KeyError):
        return "without a code"


def _clock() -> str:
    return time.strftime("%H:%M:%S")
