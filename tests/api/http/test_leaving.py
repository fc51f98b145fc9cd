"""Clients that leave in the middle of a stream: over the middleware alone, and many at once at a real server."""

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from anyio import BrokenResourceError
from starlette.types import Message, Receive, Scope, Send

from api.http.leaving import QuietLeave
from store.settings import Settings
from store.states import State
from tests.api.records import Records
from tests.api.test_events import running

WATCHERS = 60
EVENTS = 300


def serve(failure: Callable[[], BaseException], *, leaves: bool) -> None:
    """One request whose stream fails, after its client has left or while it still reads."""

    async def streams(_scope: Scope, receive: Receive, _send: Send) -> None:
        await receive()
        raise failure()

    async def receive() -> Message:
        return {"type": "http.disconnect" if leaves else "http.request"}

    async def send(_message: Message) -> None:
        return

    asyncio.run(QuietLeave(streams)({"type": "http"}, receive, send))


def broken() -> BaseException:
    return ExceptionGroup("tasks", [ExceptionGroup("inner", [BrokenResourceError()])])


def test_a_stream_that_breaks_behind_a_client_that_left_is_no_failure() -> None:
    serve(broken, leaves=True)
    serve(BrokenResourceError, leaves=True)


def test_a_stream_that_breaks_before_its_reader_is_a_failure() -> None:
    with pytest.raises(ExceptionGroup):
        serve(broken, leaves=False)


def test_another_failure_passes_also_when_the_client_has_left() -> None:
    with pytest.raises(KeyError):
        serve(lambda: KeyError("ours"), leaves=True)

    def mixed() -> BaseException:
        return ExceptionGroup("tasks", [BrokenResourceError(), KeyError("ours")])

    with pytest.raises(ExceptionGroup) as raised:
        serve(mixed, leaves=True)
    assert [type(error) for error in raised.value.exceptions] == [KeyError]


@pytest.mark.thorough
def test_many_watchers_that_vanish_at_once_leave_nothing_in_the_log(
    settings: Settings, records: Records, tmp_path: Path
) -> None:
    _, job = records.run(records.dataset())
    records.move(job, State.RUNNING)
    for _ in range(EVENTS):
        records.event(job, "log", {"message": "x" * 2000})
    with running(settings, tmp_path) as server:
        place = urlsplit(server)
        watch = f"GET /jobs/{job.id}/events HTTP/1.1\r\nHost: {place.netloc}\r\n\r\n".encode()
        watchers = [socket.create_connection((place.hostname, place.port)) for _ in range(WATCHERS)]
        for watcher in watchers:
            watcher.sendall(watch)
        for watcher in watchers:  # each is in the middle of what there is to say
            assert watcher.recv(100).startswith(b"HTTP/1.1 200")
        for watcher in watchers:
            watcher.close()
        assert httpx.get(f"{server}/healthz").status_code == 200
    log = (tmp_path / "api.log").read_text()
    assert "Application shutdown complete" in log
    assert "Traceback" not in log
    assert "ERROR" not in log
