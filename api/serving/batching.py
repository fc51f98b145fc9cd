"""Pictures of many requests share forward passes: a bounded queue and one thread that empties it.

An augmented copy of a picture counts as a picture: it takes a place and a part of a pass like any other, so that a
request with many of them goes through in several passes, and what others sent meanwhile has its turn.

Nothing waits for a batch to fill. While one pass runs, what arrives gathers; the next pass takes it together. An idle
service answers a single picture at once.
"""

import logging
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from api.http.telemetry import Telemetry
from ml.config import LossName
from ml.decode.images import Limits
from ml.serve.outputs import Output, Outputs
from store.errors import ServiceUnavailable, TooBusy

logger = logging.getLogger(__name__)

RETRY_SECONDS = 1


class ClassifierLike(Protocol):
    """What serving needs of ``ml.serve.classifier.Classifier``."""

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

    def scores(self, outputs: Sequence[Output]) -> NDArray[np.float32]:
        """One picture's scores, float32 [classes], from its only output or those of its copies, in their order."""
        ...

    def warm_up(self) -> None:
        """Run once, so that the first request need not wait."""
        ...

    def close(self) -> None:
        """Give the memory back; nobody may be in ``run`` then or later."""
        ...


@dataclass(frozen=True)
class _Waiting:
    classifier: ClassifierLike
    picture: Any
    answer: "Future[Output]" = field(default_factory=Future)


class Batcher:
    """Bounded queue of pictures and the one thread that runs the model."""

    def __init__(self, *, queue: int, batch: int, telemetry: Telemetry) -> None:
        """Prepare, without starting the thread.

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
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="forward", daemon=True)

    def start(self) -> None:
        """Start answering."""
        self._thread.start()

    def stop(self) -> None:
        """Answer what waits, then end."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread.ident is not None:
            self._thread.join()

    @contextmanager
    def places(self, count: int) -> Iterator[None]:
        """Hold ``count`` places from before the decoding until after the answer, so that memory stays bounded.

        A request larger than the whole queue is let in alone rather than refused for ever.

        Raises:
            TooBusy: the queue is full.
        """
        with self._changed:
            if self._accepted and self._accepted + count > self.queue:
                detail = f"{self._accepted} pictures are waiting, the most is {self.queue}"
                raise TooBusy(detail, "Send it again after Retry-After seconds.", {"Retry-After": str(RETRY_SECONDS)})
            self._set_accepted(self._accepted + count)
        try:
            yield
        finally:
            with self._changed:
                self._set_accepted(self._accepted - count)

    def submit(self, classifier: ClassifierLike, picture: Any) -> "Future[Output]":  # noqa: ANN401 - as above
        """Queue one prepared picture; the future holds what the model puts out for it.

        Raises:
            ServiceUnavailable: the service is stopping.
        """
        waiting = _Waiting(classifier, picture)
        with self._changed:
            if self._closed:
                raise ServiceUnavailable("the service is stopping")
            self._waiting.append(waiting)
            self._changed.notify()
        return waiting.answer

    def _set_accepted(self, count: int) -> None:
        self._accepted = count
        self.telemetry.predict_waiting.set(count)

    def _run(self) -> None:
        while batch := self._next_batch():
            live = [one for one in batch if one.answer.set_running_or_notify_cancel()]
            if live:
                self._answer(live)
            # Until the next batch they would keep a model in memory that was swapped out.
            del batch, live

    def _next_batch(self) -> list[_Waiting]:
        """Wait for pictures; take the oldest and those behind it that want the same model. Empty at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            taken: list[_Waiting] = []
            while self._waiting and len(taken) < self.batch:
                if taken and self._waiting[0].classifier is not taken[0].classifier:
                    break
                taken.append(self._waiting.popleft())
            return taken

    def _answer(self, batch: list[_Waiting]) -> None:
        begun = perf_counter()
        try:
            outputs = batch[0].classifier.run([one.picture for one in batch])
        except Exception as error:  # noqa: BLE001 - whatever the model raises belongs to the requests, not to this thread
            logger.warning("a forward pass of %d pictures failed: %s", len(batch), error)
            for one in batch:
                one.answer.set_exception(error)
            return
        self.telemetry.predict_forward.observe(perf_counter() - begun)
        self.telemetry.predict_batches.observe(len(batch))
        for one, output in zip(batch, outputs, strict=True):
            one.answer.set_result(output)
