"""Pictures of many requests share forward passes: a bounded queue and the threads that empty it.

An augmented copy of a picture counts as a picture: it takes a place and a part of a pass like any other, so that a
request with many of them goes through in several passes, and what others sent meanwhile has its turn.

While one pass runs, what arrives gathers; the next pass takes it together. A pass that others could join, whose
pictures are being decoded, waits for them for a moment; a picture that is alone does not.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Protocol

from api.http.telemetry import Telemetry
from api.serving.pace import Pace
from ml.config import LossName
from ml.decode.images import Limits
from ml.judge.judgement import Judgement
from ml.serve.judgement import JudgedScores
from ml.serve.outputs import Output, Outputs
from store.errors import AppError, ServiceUnavailable, TooBusy

logger = logging.getLogger(__name__)

GATHER_SECONDS = 0.002
"""How long a pass may wait for pictures that are on their way; a pass takes some ten times as long."""

Done = Callable[[Sequence[Output] | Exception], None]


class ClassifierLike(Protocol):
    """What serving needs of ``ml.serve.classifier.Classifier``."""

    @property
    def batch(self) -> int | None:
        """The most pictures that a pass is good for; None: as many as there are."""
        ...

    @property
    def vocab(self) -> tuple[str, ...]:
        """The breeds, in the order of the probabilities."""
        ...

    @property
    def arch(self) -> str:
        """Torchvision's name."""
        ...

    @property
    def drawn(self) -> bool:
        """True where the model learned from drawn pictures."""
        ...

    @property
    def loss(self) -> LossName:
        """What it was trained with; it decides what the scores sum to."""
        ...

    @property
    def copies(self) -> int:
        """How many inputs ``prepare_copies`` makes."""
        ...

    @property
    def concurrency(self) -> int:
        """How many threads may be in ``run`` at a time to advantage; more may, and wait."""
        ...

    def prepare(self, data: bytes, limits: Limits) -> Any:  # noqa: ANN401 - which only the classifier reads
        """Decode one picture; raises ImageRejected."""
        ...

    def prepare_copies(self, data: bytes, limits: Limits) -> list[Any]:
        """Decode one picture: plain, and augmented copies of it; raises ImageRejected."""
        ...

    def run(self, batch: Sequence[Any]) -> Outputs:
        """One forward pass of prepared inputs."""
        ...

    @property
    def judgement(self) -> Judgement | None:
        """How far its answers can be trusted; None where its run left nothing to say that with."""
        ...

    def judge(self, outputs: Sequence[Output]) -> JudgedScores:
        """What is thought of one picture, from its only output or those of its copies, in their order."""
        ...

    def warm_up(self) -> None:
        """Run once, so that the first request need not wait."""
        ...

    def close(self) -> None:
        """Give the memory back; nobody may be in ``run`` then or later."""
        ...


class Place:
    """Room for one request's pictures; those not yet in the queue are on their way.

    What the slowest of them took is kept, in seconds: waiting for a forward pass, and in one.
    """

    def __init__(self, count: int) -> None:
        self.coming = count
        self.waited = 0.0
        self.passed = 0.0

    def note_pass(self, waited: float, passed: float) -> None:
        """One of them has been through a pass."""
        self.waited, self.passed = max(self.waited, waited), max(self.passed, passed)


class _Awaited:
    """A picture's inputs: the outputs that are there, and whom to tell when all are."""

    def __init__(self, count: int, done: Done, over: Callable[[], AppError | None]) -> None:
        self.over = over
        self._outputs: list[Output | None] = [None] * count
        self._missing = count
        self._done = done
        self._lock = threading.Lock()

    def take(self, position: int, output: Output) -> None:
        with self._lock:
            self._outputs[position] = output
            self._missing -= 1
            is_whole = self._missing == 0
        if is_whole:
            self._done([one for one in self._outputs if one is not None])

    def fail(self, error: Exception) -> None:
        """None will come; told once."""
        with self._lock:
            is_first, self._missing = self._missing > 0, 0
        if is_first:
            self._done(error)


@dataclass(frozen=True, slots=True)
class _Waiting:
    classifier: ClassifierLike
    picture: Any
    awaited: _Awaited
    position: int
    place: Place
    since: float


class Batcher:
    """Bounded queue of pictures and the threads that run the model, as many as its engine is good for."""

    def __init__(self, *, queue: int, batch: int, telemetry: Telemetry) -> None:
        """Prepare, without starting a thread.

        Args:
            queue: most pictures accepted and not yet answered.
            batch: most pictures in one forward pass.
            telemetry: told of the queue's length and the batches.
        """
        self.queue = queue
        self.batch = batch
        self.telemetry = telemetry
        self._changed = threading.Condition()
        self._waiting: deque[_Waiting] = deque()
        self._accepted = 0
        self._coming = 0
        self._running = 0
        self._is_gathering = False
        self._closed = False
        self._pace = Pace()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        with self._changed:
            self._add_thread()

    def stop(self) -> None:
        """Answer what waits, then end."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    @property
    def is_busy(self) -> bool:
        """Whether pictures are accepted and not yet answered."""
        return self._accepted > 0

    @contextmanager
    def places(self, count: int) -> Iterator[Place]:
        """Hold ``count`` places from before the decoding until after the answer, so that memory stays bounded.

        A request larger than the whole queue is let in alone rather than refused for ever.

        Raises:
            TooBusy: the queue is full.
        """
        place = Place(count)
        with self._changed:
            if self._accepted and self._accepted + count > self.queue:
                raise self._too_busy()
            if not self._accepted:
                self._pace.begin()
            self._set_accepted(self._accepted + count)
            self._coming += count
        try:
            yield place
        finally:
            with self._changed:
                self._set_accepted(self._accepted - count)
                self._arrive(place, place.coming)

    def submit(
        self,
        classifier: ClassifierLike,
        pictures: Sequence[Any],
        place: Place,
        done: Done,
        over: Callable[[], AppError | None],
    ) -> None:
        """Queue the inputs of one picture.

        Args:
            classifier: which model they are for.
            pictures: the picture prepared, or it and its copies.
            place: what holds their places.
            done: told once, in a thread of the forward passes, the outputs in the inputs' order, or why there are none.
            over: why nobody waits for them any more; such are dropped before their pass.

        Raises:
            ServiceUnavailable: the service is stopping.
        """
        awaited = _Awaited(len(pictures), done, over)
        with self._changed:
            if self._closed:
                raise ServiceUnavailable("the service is stopping")
            since = perf_counter()
            self._waiting.extend(_Waiting(classifier, one, awaited, n, place, since) for n, one in enumerate(pictures))
            self._arrive(place, len(pictures))
            self._wake()
            while len(self._threads) < min(classifier.concurrency, self._running + len(self._waiting)):
                try:
                    self._add_thread()
                except (RuntimeError, MemoryError) as error:
                    # No memory or number for one more: those that there are take all, one after the other.
                    logger.warning("no further thread for forward passes could be started: %s", error)
                    break

    def _wake(self) -> None:
        """Wake the threads where one has something to do: to wake them for nothing costs as much as a small picture."""
        if self._is_gathering or self._may_begin():
            self._changed.notify_all()

    def _add_thread(self) -> None:
        thread = threading.Thread(target=self._run, name="forward", daemon=True)
        thread.start()
        self._threads.append(thread)

    def _arrive(self, place: Place, count: int) -> None:
        """So many of a request's pictures are on their way no longer."""
        place.coming -= count
        self._coming -= count

    def _too_busy(self) -> TooBusy:
        seconds = self._pace.seconds_for(self._accepted)
        detail = f"{self._accepted} photos are waiting, the most is {self.queue}"
        return TooBusy(detail, "Send it again after Retry-After seconds.", {"Retry-After": str(seconds)})

    def _set_accepted(self, count: int) -> None:
        self._accepted = count
        self.telemetry.predict_waiting.set(count)

    def _run(self) -> None:
        while batch := self._next_batch():
            try:
                if live := [one for one in batch if not _dropped(one.awaited)]:
                    self._answer(live)
            except Exception as error:  # whoever was told must not end this thread: others wait for it
                logger.exception("answers of %d pictures could not be handed on", len(batch))
                _fail_rest(batch, error)
            # Until the next batch they would keep a model in memory that was swapped out.
            live = []
            del batch
            with self._changed:
                # Whatever may begin by that, this thread begins itself.
                self._running -= 1

    def _next_batch(self) -> list[_Waiting]:
        """Wait for pictures; take the oldest and those behind it that want the same model. Empty at the end."""
        with self._changed:
            self._changed.wait_for(self._may_begin)
            if not self._waiting:
                self._changed.notify_all()
                return []
            most = pictures_in_a_pass(self._waiting[0].classifier, self.batch)
            if most > 1:
                self._gather(most)
            self._running += 1
            taken = self._taken(most)
            # Who woke while this one gathered has gone back to sleep.
            self._wake()
            return taken

    def _may_begin(self) -> bool:
        """Whether a pass can begin, or none ever will."""
        if not self._waiting:
            return self._closed
        return not self._is_gathering and self._running < self._waiting[0].classifier.concurrency

    def _gather(self, most: int) -> None:
        """Wait a moment for pictures that are being decoded; one thread does so at a time."""
        self._is_gathering = True
        self._changed.wait_for(
            lambda: self._coming <= 0 or len(self._waiting) >= most or self._closed, timeout=GATHER_SECONDS
        )
        self._is_gathering = False

    def _taken(self, most: int) -> list[_Waiting]:
        taken: list[_Waiting] = []
        while self._waiting and len(taken) < most:
            if taken and self._waiting[0].classifier is not taken[0].classifier:
                break
            taken.append(self._waiting.popleft())
        return taken

    def _answer(self, batch: list[_Waiting]) -> None:
        begun = perf_counter()
        try:
            # Paired here, so that outputs of another number are the pass's failure and nobody's answer.
            answers = list(zip(batch, batch[0].classifier.run([one.picture for one in batch]), strict=True))
        except Exception as error:  # noqa: BLE001 - whatever the model raises belongs to the requests, not to this thread
            logger.warning("a forward pass of %d pictures failed: %s", len(batch), error)
            for one in batch:
                one.awaited.fail(error)
            return
        passed = perf_counter() - begun
        self.telemetry.predict_forward.observe(passed)
        self.telemetry.predict_batches.observe(len(batch))
        with self._changed:
            self._pace.add(len(batch))
        for one, output in answers:
            one.place.note_pass(begun - one.since, passed)
            one.awaited.take(one.position, output)


def _fail_rest(batch: list[_Waiting], error: Exception) -> None:
    """Tell those who have heard nothing yet; who cannot be told any more was logged already."""
    for one in batch:
        with suppress(Exception):
            one.awaited.fail(error)


def pictures_in_a_pass(classifier: ClassifierLike, most: int) -> int:
    """As many as the engine is good for, up to ``most``."""
    return most if classifier.batch is None else min(most, classifier.batch)


def _dropped(awaited: _Awaited) -> bool:
    """Whether nobody waits for it any more; then it is told why."""
    error = awaited.over()
    if error is not None:
        awaited.fail(error)
    return error is not None
