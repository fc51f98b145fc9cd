"""Where the pictures of POST /predict are decoded, so that what costs much keeps nobody else waiting."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TypeVar

from fastapi import Request

from api.http.bodies import Places
from api.serving.sent_pictures import SentPicture
from ml.decode.images import Limits, check_cost, unless
from ml.errors import Stopped
from store.errors import AppError, TooBusy

DECODERS = 4
WAITING = 8
"""Threads that wait for decoding processes; they take no processor time themselves."""

Decoded = TypeVar("Decoded")


class ClientLeft(AppError):
    """Nobody is there any more to be answered."""

    status = 400
    code = "client_left"
    title = "Client left"


class Decoding:
    """The threads of all requests: one kind decodes what is proved to cost little, the other waits for processes."""

    def __init__(self, costly: int = 64) -> None:
        """Let up to ``costly`` pictures that cost much wait: they hold places of the queue for long."""
        self._quick = ThreadPoolExecutor(DECODERS, thread_name_prefix="decode")
        self._waiting = ThreadPoolExecutor(WAITING, thread_name_prefix="decode-costly")
        self._places = Places(costly, "pictures that cost much to decode")

    def close(self) -> None:
        """Take no more pictures, and wait for those that have begun."""
        self._quick.shutdown(cancel_futures=True)
        self._waiting.shutdown(cancel_futures=True)

    @asynccontextmanager
    async def of(self, request: Request) -> AsyncIterator["Turn"]:
        """One request's pictures; its body must have been read."""
        left = threading.Event()
        watch = asyncio.create_task(_watch(request, left))
        try:
            yield Turn(self._quick, self._waiting, self._places, left)
        finally:
            left.set()
            watch.cancel()
            with suppress(asyncio.CancelledError):
                await watch


class Turn:
    """Decodes one request's pictures, of the costly ones one at a time; ends soon after the client has left."""

    def __init__(
        self, quick: ThreadPoolExecutor, waiting: ThreadPoolExecutor, places: Places, left: threading.Event
    ) -> None:
        self._quick, self._waiting, self._places, self._left = quick, waiting, places, left
        self._end: AppError = ClientLeft("the client left before its answer was ready")
        self._costly = asyncio.Lock()

    async def decoded(self, file: SentPicture, prepare: Callable[[bytes, Limits], Decoded], limits: Limits) -> Decoded:
        """What ``prepare`` makes of a file.

        Raises:
            ImageRejected: the file is no picture within the limits.
            ClientLeft: nobody waits for it any more.
            TooBusy: too many pictures that cost much wait already.
        """

        def work(*, is_costly: bool) -> Decoded | None:
            # One byte more than the limit is enough for the decoder to refuse it.
            data = file.read(limits.max_bytes + 1)
            if is_costly or check_cost(data, limits):
                with unless(self._left.is_set):
                    return prepare(data, limits)
            return None

        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._quick, lambda: self._wanted(lambda: work(is_costly=False)))
        if found is not None:
            return found
        with self._costly_place():
            async with self._costly:
                found = await loop.run_in_executor(self._waiting, lambda: self._wanted(lambda: work(is_costly=True)))
        assert found is not None  # noqa: S101 - prepare makes something
        return found

    @contextmanager
    def _costly_place(self) -> Iterator[None]:
        try:
            with self._places.one():
                yield
        except TooBusy as error:
            # The request is refused as a whole: its other pictures need no answer, and end with the same.
            self._end = error
            self._left.set()
            raise

    def _wanted(self, work: Callable[[], Decoded]) -> Decoded:
        try:
            if not self._left.is_set():
                return work()
        except Stopped:
            self._left.set()
        raise self._end


async def _watch(request: Request, left: threading.Event) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        continue
    left.set()
