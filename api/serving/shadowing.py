"""A shadow: a version that answers production's photos too, after their answers went out; the two are compared.

It gives way: a photo waits until no prediction is under way, a second at most, and where too many wait it is dropped
and counted. So a busy service compares about a photo a second, and no answer waits for the shadow's. Its thread is no
nicer than others: it would be put to sleep while it holds what Python's threads share, and all would wait for it.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from math import isfinite

from prometheus_client import CollectorRegistry, Counter
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from api.serving.predictor import LoadedVersion
from ml.decode.images import Limits
from ml.errors import ImageRejected
from ml.serve.outputs import Output
from store.db.registry import DEFAULT_ALIAS, SHADOW_ALIAS
from store.db.shadows import Comparisons, Example, add_comparisons
from store.settings import MIB

logger = logging.getLogger(__name__)

MOST_WAITING = 64
MOST_BYTES = 64 * MIB
"""Of all photos that wait."""
PATIENCE_SECONDS = 1.0
WRITE_SECONDS = 2.0
_LOOK_SECONDS = 0.01

Scores = Mapping[str, float]
"""The probability of each breed."""


@dataclass(frozen=True)
class _Answered:
    """A photo and the answer that went out."""

    data: bytes
    outputs: Sequence[Output]
    served: LoadedVersion
    shadow: LoadedVersion


class Shadowing:
    """One thread that asks the shadow and adds up how its answers differ."""

    def __init__(
        self,
        sessions: sessionmaker[Session],
        shadow: Callable[[str], LoadedVersion | None],
        is_busy: Callable[[], bool],
        limits: Limits,
        registry: CollectorRegistry,
    ) -> None:
        """Prepare, without starting the thread.

        Args:
            sessions: the database.
            shadow: from the alias to the model in memory; never blocks.
            is_busy: whether predictions are under way.
            limits: what a picture may cost.
            registry: of the figures.
        """
        self._sessions, self._shadow, self._is_busy, self._limits = sessions, shadow, is_busy, limits
        self._photos = Counter(
            "pedigree_shadow_photos",
            "Photos for the shadow by outcome: compared, failed, or dropped because it was busy",
            ["outcome"],
            registry=registry,
        )
        self._changed = threading.Condition()
        self._waiting: deque[_Answered] = deque()
        self._held = 0
        self._found: dict[tuple[int, int], Comparisons] = {}
        self._stopping = False
        self._written = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="shadow", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Drop what waits, write what was found, and end."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        if self._thread.ident is not None:
            self._thread.join()

    def wants(self, name: str) -> bool:
        """Whether answers for ``name`` are compared, so that their photos are held until then."""
        return name == DEFAULT_ALIAS and self._shadow(SHADOW_ALIAS) is not None

    def note(self, data: bytes, outputs: Sequence[Output], served: LoadedVersion) -> None:
        """Take a photo that was answered; never blocks.

        Args:
            data: the photo as it was sent.
            outputs: what ``served`` put out for it.
            served: whose answer goes out.
        """
        shadow = self._shadow(SHADOW_ALIAS)
        if shadow is None or shadow.version == served.version:
            return
        with self._changed:
            if len(self._waiting) >= MOST_WAITING or self._held + len(data) > MOST_BYTES:
                self._photos.labels("dropped").inc()
                self._comparisons(shadow.version, served.version).dropped += 1
                return
            self._waiting.append(_Answered(data, outputs, served, shadow))
            self._held += len(data)
            self._changed.notify()

    def _run(self) -> None:
        while not self._stopping:
            if (one := self._next()) is not None:
                self._wait_for_room()
                self._compare(one)
            # Until the next photo it would keep a model in memory that was swapped out.
            del one
            if time.monotonic() - self._written >= WRITE_SECONDS:
                self._write()
        self._write()

    def _next(self) -> _Answered | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._stopping, timeout=WRITE_SECONDS)
            if not self._waiting or self._stopping:
                return None
            found = self._waiting.popleft()
            self._held -= len(found.data)
            return found

    def _wait_for_room(self) -> None:
        until = time.monotonic() + PATIENCE_SECONDS
        while self._is_busy() and not self._stopping and time.monotonic() < until:
            time.sleep(_LOOK_SECONDS)

    def _compare(self, one: _Answered) -> None:
        try:
            example = self._example(one)
        except Exception as error:  # noqa: BLE001 - whatever it raises is a finding about the shadow
            if not isinstance(error, ImageRejected):
                logger.warning("the shadow, version %d, failed: %s", one.shadow.version, error)
            self._count(one, "failed", None)
            return
        self._count(one, "compared", example)

    def _example(self, one: _Answered) -> Example:
        classifier = one.shadow.classifier
        outputs = list(classifier.run([classifier.prepare(one.data, self._limits)]))
        served, shadow = _scores(one.served, one.outputs), _scores(one.shadow, outputs)
        return compared(sha256(one.data).hexdigest(), served, shadow)

    def _count(self, one: _Answered, outcome: str, example: Example | None) -> None:
        self._photos.labels(outcome).inc()
        with self._changed:
            comparisons = self._comparisons(one.shadow.version, one.served.version)
            if example is None:
                comparisons.failed += 1
            else:
                comparisons.note(example)

    def _comparisons(self, shadow: int, against: int) -> Comparisons:
        return self._found.setdefault((shadow, against), Comparisons())

    def _write(self) -> None:
        self._written = time.monotonic()
        with self._changed:
            found, self._found = self._found, {}
        for (shadow, against), comparisons in found.items():
            try:
                with self._sessions.begin() as session:
                    add_comparisons(session, shadow, against, comparisons)
            except IntegrityError:
                logger.info("comparisons of versions %d and %d are dropped: one was deleted", shadow, against)
            except SQLAlchemyError as error:
                logger.warning("comparisons with the shadow, version %d, wait to be written: %s", shadow, error)
                with self._changed:
                    self._comparisons(shadow, against).add(comparisons)


def compared(photo: str, served: Scores, shadow: Scores) -> Example:
    """How two answers for a photo differ: by the breed whose probability differs most.

    A breed that only one of them knows has probability 0 for the other.

    Args:
        photo: its sha256.
        served: the answer that went out.
        shadow: the other.

    Raises:
        ValueError: a probability of the shadow is no number.
    """
    breeds = served.keys() | shadow.keys()
    difference = max(abs(served.get(breed, 0.0) - shadow.get(breed, 0.0)) for breed in breeds)
    if not all(map(isfinite, shadow.values())):
        raise ValueError("a probability of the shadow is no number")
    return Example(photo, _first(served), _first(shadow), difference)


def _scores(by: LoadedVersion, outputs: Sequence[Output]) -> Scores:
    return dict(zip(by.classifier.vocab, by.classifier.judge(outputs).probabilities.tolist(), strict=True))


def _first(scores: Scores) -> str:
    return max(scores, key=lambda breed: scores[breed])
