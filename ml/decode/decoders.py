"""The processes that decode what may cost much, started when they are needed; one that must end is replaced.

They end with this process: the kernel kills them (on Linux), and elsewhere they see that nobody is there.
"""

import atexit
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict
from typing import Any

import numpy as np

from ml.cores import worth_starting
from ml.decode.decoder_line import receive, send
from ml.decode.picture_limits import Facts, Limits
from ml.decode.views import Pixels, View
from ml.errors import ImageRejected, OutOfMemory, Stopped

MOST = 4
_LOOK_SECONDS = 0.1
_WALL = 30.0
"""The clock may show so many times the processor time before a picture is given up: others run besides, and an import
gives way to them. The processor time is held by the process' own timer; this ends one that hangs without working."""
_START_SECONDS = 60.0
_MODEST = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"}

GivenUp = Callable[[], bool]
_given_up: ContextVar[GivenUp | None] = ContextVar("given_up", default=None)


@contextmanager
def unless(given_up: GivenUp) -> Iterator[None]:
    """What this thread has decoded within ends with ``Stopped`` soon after ``given_up`` says so."""
    token = _given_up.set(given_up)
    try:
        yield
    finally:
        _given_up.reset(token)


class Decoder:
    """A process that decodes one photo at a time, and the line to it; it may end at any time."""

    def __init__(self) -> None:
        self._line, theirs = socket.socketpair()
        command = [sys.executable, "-m", "ml.decode.decoder", str(os.getpid())]
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own module
                command,
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={**os.environ, **_MODEST},
            )
        self._line.settimeout(_LOOK_SECONDS)
        self._until = 0.0

    def wait_until_ready(self) -> None:
        """Return when it has imported what it needs.

        Raises:
            EOFError: it ended instead.
        """
        self._until = time.monotonic() + _START_SECONDS
        receive(self._line, self._look)

    def ask(self, head: dict[str, Any], data: bytes, seconds: float, large: threading.Lock) -> tuple[Any, bytearray]:
        """Have one picture read.

        Raises:
            EOFError: the process ended, or the time is up.
            Stopped: nobody wants it any more.
        """
        self._until = time.monotonic() + seconds * _WALL
        send(self._line, head, data, self._look)
        answer, body = receive(self._line, self._look)
        if "needs" not in answer:
            return answer, body
        while not large.acquire(timeout=_LOOK_SECONDS):
            _look_whether_wanted()
        try:
            self._until = time.monotonic() + seconds * _WALL
            send(self._line, {}, b"", self._look)
            return receive(self._line, self._look)
        finally:
            large.release()

    @property
    def is_alive(self) -> bool:
        """Whether it runs: one that waits for work may be killed from outside."""
        return self._process.poll() is None

    def end(self) -> None:
        """Kill it."""
        self._process.kill()
        self._process.wait()
        self._line.close()

    def _look(self) -> None:
        _look_whether_wanted()
        if time.monotonic() > self._until:
            raise EOFError


class Decoders:
    """As many processes as there are cores, two at least and four at most; further callers wait."""

    def __init__(self) -> None:
        self._places = threading.BoundedSemaphore(max(2, min(MOST, worth_starting())))
        self._idle: list[Decoder] = []
        self._table = threading.Lock()
        self._large = threading.Lock()
        self._starter: ThreadPoolExecutor | None = None

    def read(self, data: bytes, limits: Limits, view: View, *, lay_on_white: bool) -> tuple[Pixels, Facts]:
        """Have a picture read by a process.

        Raises:
            ImageRejected: what the process found, or ``picture_too_costly`` where it had to be ended.
            OutOfMemory: no process can be started.
            Stopped: nobody wants it any more.
        """
        _look_whether_wanted()
        head = {"limits": asdict(limits), "view": asdict(view), "lay_on_white": lay_on_white}
        with self._place():
            try:
                decoder = self._taken()
            except (EOFError, OSError):
                # Not the picture's fault: in an import it must not be left out for it.
                detail = "no process could be started to decode a picture"
                raise OutOfMemory(detail, hint="Free memory on that machine and try again.") from None
            try:
                answer, body = decoder.ask(head, data, limits.max_seconds, self._large)
            except (EOFError, OSError):
                decoder.end()
                detail = "decoding the picture takes too much time or memory, or ends its process"
                raise ImageRejected("picture_too_costly", detail) from None
            except BaseException:
                decoder.end()
                raise
            self._put_back(decoder, is_last=answer["last"])
        if refused := answer.get("refused"):
            raise ImageRejected(*refused)
        return np.frombuffer(body, np.uint8).reshape(answer["shape"]), Facts(**answer["facts"])

    def close(self) -> None:
        """End all that wait for work."""
        with self._table:
            while self._idle:
                self._idle.pop().end()

    @contextmanager
    def _place(self) -> Iterator[None]:
        while not self._places.acquire(timeout=_LOOK_SECONDS):
            _look_whether_wanted()
        try:
            yield
        finally:
            self._places.release()

    def _taken(self) -> Decoder:
        with self._table:
            while self._idle:
                decoder = self._idle.pop()
                if decoder.is_alive:
                    return decoder
                decoder.end()
            # The kernel kills a process with the thread that started it: this one stays.
            self._starter = self._starter or ThreadPoolExecutor(1, thread_name_prefix="decoders")
        started = self._starter.submit(Decoder).result()
        try:
            started.wait_until_ready()
        except BaseException:
            started.end()
            raise
        return started

    def _put_back(self, decoder: Decoder, *, is_last: bool) -> None:
        if is_last:
            decoder.end()
            return
        with self._table:
            self._idle.append(decoder)


def _look_whether_wanted() -> None:
    given_up = _given_up.get()
    if given_up is not None and given_up():
        raise Stopped


DECODERS = Decoders()
atexit.register(DECODERS.close)
