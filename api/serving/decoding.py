"""Where the pictures of POST /predict are decoded, so that what costs much keeps nobody else waiting."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any, Generic, TypeVar

import torch
from fastapi import Request

from api.http.bodies import Slots
from api.http.telemetry import CLIENT_LEFT
from api.serving.sent_pictures import SentPicture
from ml.cores import worth_starting
from ml.decode.images import Limits, judged, unless
from ml.errors import Stopped
from ml.serve.one_core import use_one_core
from store.errors import AppError, TooBusy

DECODERS = max(2, min(4, worth_starting()))
"""Threads for what costs little; more than there are cores would take turns with the interpreter's lock alone."""
WAITING = 8
"""Threads that wait for decoding processes; they take no processor time themselves."""
WATCH_SECONDS = 0.1
"""After so long a request is worth a task that sees its client leave; most are answered before."""

Answer = TypeVar("Answer")


class ClientLeft(AppError):
    """Nobody is there any more to be answered."""

    status = 400
    code = CLIENT_LEFT
    title = "Client left"


class TooLate(AppError):
    """The answer is not ready within the time that a request has."""

    status = 503
    code = "too_late"
    title = "Too late"


@dataclass(frozen=True)
class Step(Generic[Answer]):
    """What becomes of one file, in threads: prepare it within limits, hand on what comes of it.

    ``hand_on`` is given the prepared inputs and whoever is to be told the answer, and does not wait for it.
    """

    file: SentPicture
    limits: Limits
    prepare: Callable[[bytes, Limits], list[Any]]
    hand_on: "Callable[[list[Any], Pending[Answer]], None]"

    def data(self) -> bytes:
        """The file; one byte more than its limit is enough for the decoder to refuse it."""
        return self.file.read(self.limits.max_bytes + 1)


class Pending(Generic[Answer]):
    """An answer that the loop waits for and any thread gives; of several the first counts."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._future: asyncio.Future[Answer] | None = loop.create_future()
        self._loop = loop

    @property
    def future(self) -> "asyncio.Future[Answer]":
        """What waits for it; as long as it is not there."""
        assert self._future is not None  # noqa: S101 - see above
        return self._future

    def give(self, answer: Answer) -> None:
        self._loop.call_soon_threadsafe(self._settle, answer, None)

    def give_what(self, work: Callable[[], Answer]) -> None:
        """Work it out in this thread, which must go on whatever comes of it."""
        try:
            self.give(work())
        except Exception as error:  # noqa: BLE001 - it belongs to the request
            self.fail(error)

    def fail(self, error: BaseException) -> None:
        self._loop.call_soon_threadsafe(self._settle, None, error)

    def end(self, error: BaseException) -> None:
        """As :meth:`fail`, from the loop's own thread: at once, before anything else that waits."""
        self._settle(None, error)

    def _settle(self, answer: Any, error: BaseException | None) -> None:  # noqa: ANN401 - or None
        # An error has the frames that it went through, and these have us: a circle, if we had the error.
        future, self._future = self._future, None
        if future is None or future.done():
            return
        if error is None:
            future.set_result(answer)
        else:
            future.set_exception(error)
            # Of several pictures the first error is the answer's; asyncio would log the others as never looked at.
            future.exception()


class Decoding:
    """The threads of all requests: one kind decodes what is proved to cost little, the other waits for processes."""

    def __init__(self, costly: int = 64) -> None:
        """Let up to ``costly`` pictures that cost much wait: they hold places of the queue for long."""
        self.quick = ThreadPoolExecutor(
            DECODERS, thread_name_prefix="decode", initializer=use_one_core, initargs=(torch.get_num_threads(),)
        )
        self.waiting = ThreadPoolExecutor(WAITING, thread_name_prefix="decode-costly")
        self.slots = Slots(costly, "pictures that cost much to decode")

    def close(self) -> None:
        """Take no more pictures, and wait for those that have begun."""
        self.quick.shutdown(cancel_futures=True)
        self.waiting.shutdown(cancel_futures=True)

    @asynccontextmanager
    async def of(self, request: Request, seconds: float) -> AsyncIterator["Turn"]:
        """One request's pictures, for at most so long; its body must have been read."""
        turn = Turn(self, request, asyncio.get_running_loop())
        turn.begin_clocks(seconds)
        try:
            yield turn
        finally:
            await turn.close()


class Turn:
    """One request's pictures; of the costly ones one is decoded at a time. Ends with the client or its time."""

    def __init__(self, threads: Decoding, request: Request, loop: asyncio.AbstractEventLoop) -> None:
        self._threads, self._request, self._loop = threads, request, loop
        self._over: AppError | None = None
        self._pending: list[Pending[Any]] = []
        self._clocks: list[asyncio.TimerHandle] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._costly = asyncio.Lock()
        self.decoded = 0.0
        """Seconds that the slowest of its pictures took to be decoded."""

    def begin_clocks(self, seconds: float) -> None:
        """From now on the request's time runs."""
        late = TooLate(
            f"the answer was not ready within {seconds:g} s",
            "Send it again when the service has less to do, or raise PEDIGREE_PREDICT_SECONDS.",
            {"Retry-After": "1"},
        )
        self._clocks = [
            self._loop.call_later(seconds, self.end, late),
            self._loop.call_later(WATCH_SECONDS, lambda: self._do(self._watch())),
        ]

    async def close(self) -> None:
        """Begin nothing more of it."""
        self._over = self._over or ClientLeft("the client left before its answer was ready")
        for clock in self._clocks:
            clock.cancel()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def over(self) -> AppError | None:
        """Why nobody waits for the answer any more; None while somebody does."""
        return self._over

    def end(self, error: AppError) -> None:
        """The request ends so, whatever its pictures become; said by the loop."""
        self._over = self._over or error
        for one in self._pending:
            one.end(self._over)

    def begin(self, step: Step[Answer]) -> "asyncio.Future[Answer]":
        """Set a picture going.

        The future's error may be
            ImageRejected: the file is no picture within the limits.
            ClientLeft, TooLate: nobody waits for it any more.
            TooBusy: too many pictures that cost much wait already.
        """
        pending: Pending[Answer] = Pending(self._loop)
        future = pending.future
        self._pending.append(pending)
        if self._over is None:
            self._threads.quick.submit(self._decode_quickly, step, pending)
        else:
            pending.end(self._over)
        return future

    def _decode_quickly(self, step: Step[Answer], pending: Pending[Answer]) -> None:
        """In a thread: what is cheap is decoded at once."""
        try:
            data = step.data()
            step = replace(step, limits=judged(data, step.limits))
            if step.limits.cheap:
                self._decode(step, data, pending)
            else:
                self._loop.call_soon_threadsafe(self._do_costly, step, pending)
        except Exception as error:  # noqa: BLE001 - it belongs to the request, not to this thread
            pending.fail(error)

    def _decode(self, step: Step[Answer], data: bytes, pending: Pending[Answer]) -> None:
        if self._over is not None:
            return
        begun = perf_counter()
        try:
            with unless(self._is_over):
                inputs = step.prepare(data, step.limits)
        except Stopped:
            return  # the end that stopped it was told to everyone who waits
        self.decoded = max(self.decoded, perf_counter() - begun)
        step.hand_on(inputs, pending)

    def _decode_slowly(self, step: Step[Answer], pending: Pending[Answer]) -> None:
        """In a thread that may wait for a process; the file is read again, so that it was not held meanwhile."""
        try:
            self._decode(step, step.data(), pending)
        except Exception as error:  # noqa: BLE001 - as above
            pending.fail(error)

    def _is_over(self) -> bool:
        return self._over is not None

    def _do_costly(self, step: Step[Answer], pending: Pending[Answer]) -> None:
        if self._over is None:
            self._do(self._decode_costly(step, pending))

    async def _decode_costly(self, step: Step[Answer], pending: Pending[Answer]) -> None:
        try:
            with self._threads.slots.one():
                async with self._costly:
                    await self._loop.run_in_executor(self._threads.waiting, self._decode_slowly, step, pending)
        except TooBusy as error:
            # The request is refused as a whole: its other pictures need no answer, and end with the same.
            self.end(error)

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _watch(self) -> None:
        while (await self._request.receive())["type"] != "http.disconnect":
            continue
        self.end(ClientLeft("the client left before its answer was ready"))
