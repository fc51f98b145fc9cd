"""What a client is told reaches it though it still sends, and for how long it is heard out."""

import re
import socket
import threading
import time
from contextlib import suppress
from typing import Any, Literal

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from api.http import lingering
from store.settings import Settings
from tests.api.conftest import until
from tests.api.http.test_edge import LINE, serving, told
from tests.api.records import Records
from tests.patience import PATIENCE_SECONDS

TOO_LONG = b"Content-Type: image/jpeg\r\nContent-Length: 30000000\r\n"


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"POST /predict HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + TOO_LONG + b"\r\n", b"413"),
        (b"POST /predict HTTP/1.0\r\nHost: localhost\r\n" + TOO_LONG + b"\r\n", b"413"),
        (b"POST /predict HTTP/1.1\r\nHost: elsewhere\r\nConnection: close\r\n" + TOO_LONG + b"\r\n", b"400"),
        (LINE + b"Connection: Upgrade\r\nUpgrade: h2c\r\n" + TOO_LONG + b"\r\n", b"400"),
        (b"PK\x03\x04\r\n", b"400"),
        (LINE + b"X: ", b"431"),
    ],
    ids=["too large", "too large for HTTP/1.0", "another host", "another protocol", "no HTTP", "a head without end"],
)
def test_who_sends_all_before_reading_is_told_why_it_was_refused(
    settings: Settings, head: bytes, status: bytes, loop: Literal["asyncio", "uvloop"]
) -> None:
    """As many clients and proxies do: a reset in the middle would leave them nothing but itself."""
    with serving(settings, loop=loop, max_predict_bytes=20_000_000) as service, service.connect(head) as connection:
        connection.sendall(b"x" * 30_000_000)
        assert re.findall(rb"HTTP/1.\d (\d+)", told(connection)) == [status]


def send_for_ever(connection: socket.socket) -> None:
    while True:
        connection.sendall(bytes(65536))


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_what_comes_behind_a_last_answer_is_heard_for_a_time(
    settings: Settings, loop: Literal["asyncio", "uvloop"]
) -> None:
    with serving(settings, loop=loop, request_seconds=0.3) as service, service.connect(LINE + b"X: ") as connection:
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            send_for_ever(connection)
        until(lambda: service.open == 0)


def test_what_comes_behind_an_answer_on_a_kept_connection_gets_no_other(settings: Settings) -> None:
    head = b"POST /predict HTTP/1.1\r\nHost: localhost\r\n" + TOO_LONG.replace(b"30000000", b"9" * 15) + b"\r\n"
    with (
        serving(settings, max_predict_bytes=20_000_000, request_seconds=0.3) as service,
        service.connect(head) as connection,
    ):
        answer = connection.recv(65536)
        with pytest.raises((BrokenPipeError, ConnectionResetError)):  # its time is over
            send_for_ever(connection)
        with suppress(ConnectionResetError):
            answer += connection.recv(65536)
        assert re.findall(rb"HTTP/1.1 (\d+)", answer) == [b"413"]


def test_connections_that_had_their_last_answer_make_room_first(settings: Settings) -> None:
    with serving(settings, max_connections=3) as service:
        waiting = service.connect()
        refused = [service.connect(b"hello\r\n") for _ in range(2)]
        for connection in refused:
            assert told(connection).startswith(b"HTTP/1.1 400 ")
        assert service.open == 3
        with service.connect(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n") as connection:
            assert connection.recv(12) == b"HTTP/1.1 200"
            waiting.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert waiting.recv(12) == b"HTTP/1.1 200", "it was not the one that made room"
        for connection in [waiting, *refused]:
            connection.close()


def test_connections_that_are_heard_out_let_no_more_in(
    settings: Settings, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lingering, "SILENT_SECONDS", 10 * PATIENCE_SECONDS)  # none goes by itself
    _, job = records.run(records.dataset())
    stream = f"GET /jobs/{job.id}/events HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    with serving(settings, max_connections=4, request_seconds=10 * PATIENCE_SECONDS) as service:
        streams = [service.connect(stream) for _ in range(4)]
        for connection in streams:
            assert connection.recv(12) == b"HTTP/1.1 200"
        refused = [service.connect(stream) for _ in range(8)]
        for connection in refused:
            assert connection.recv(12) == b"HTTP/1.1 503"
        until(lambda: service.open <= 5)
        for connection in streams + refused:
            connection.close()


def below_a_pause(rests: list[int]) -> ASGIApp:
    """Answers with as much as the socket holds and a little, which the loop keeps and does not stop writing at."""

    async def answer(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        cycle: Any = send
        wire = cycle.__self__.transport
        while not wire.get_write_buffer_size():
            await send({"type": "http.response.body", "body": bytes(8192), "more_body": True})
        rests.append(wire.get_write_buffer_size())
        await send({"type": "http.response.body", "body": b""})

    return answer


WRITING_STOPS_AT = 64 * 1024


async def long_answer(_scope: Scope, _receive: Receive, send: Send) -> None:
    """More than a socket holds, whatever was asked."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": bytes(LONG_BYTES)})


LONG_BYTES = 20_000_000


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_long_answer_is_sent_whole_to_who_says_nothing_more(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, loop: Literal["asyncio", "uvloop"]
) -> None:
    monkeypatch.setattr(lingering, "SILENT_SECONDS", 0.05)
    sent = b"GET / HTTP/1.0\r\nContent-Length: 10\r\n\r\n"
    with serving(settings, loop=loop) as service:
        service.server.config.loaded_app = long_answer
        with service.connect(sent) as connection:
            until(lambda: any(one.transport.is_closing() for one in service.server.server_state.connections))
            time.sleep(0.3)  # six times the silence
            assert len(told(connection)) > LONG_BYTES
            until(lambda: service.open == 0)


def test_a_stop_does_not_wait_for_who_sends_behind_an_answer(settings: Settings) -> None:
    head = b"POST /nowhere HTTP/1.1\r\nHost: localhost\r\nContent-Length: 999999999999\r\n\r\n"
    with serving(settings, request_seconds=10 * PATIENCE_SECONDS) as service, service.connect(head) as connection:
        assert connection.recv(12) == b"HTTP/1.1 413"
        sending = threading.Thread(target=send_until_it_ends, args=[connection])
        sending.start()
        service.stopping.is_patient = True
        service.server.config.timeout_graceful_shutdown = int(10 * PATIENCE_SECONDS)
        service.server.should_exit = True
        service.thread.join(PATIENCE_SECONDS)
        assert not service.thread.is_alive()
        sending.join()


def send_until_it_ends(connection: socket.socket) -> None:
    with suppress(BrokenPipeError, ConnectionResetError):
        send_for_ever(connection)


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize("sent", [b"GET / HTTP/1.0\r\n\r\n", b"GET / HTTP/1.0\r\nContent-Length: 10\r\n\r\n"])
def test_who_leaves_a_rest_unread_holds_no_place(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, sent: bytes, loop: Literal["asyncio", "uvloop"]
) -> None:
    """A rest below what the loop stops writing at, which nothing else would end."""
    monkeypatch.setattr(lingering, "SILENT_SECONDS", 0.05)
    with serving(settings, loop=loop, request_seconds=0.5) as service:
        rests: list[int] = []
        service.server.config.loaded_app = below_a_pause(rests)
        with service.connect(sent):
            until(lambda: bool(rests))
            until(lambda: service.open == 0)
        assert rests[0] < WRITING_STOPS_AT, "the time for an answer unread would have ended it"


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_who_ends_its_side_with_a_rest_unread_holds_no_place(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, loop: Literal["asyncio", "uvloop"]
) -> None:
    monkeypatch.setattr(lingering, "SILENT_SECONDS", 0.05)
    with serving(settings, loop=loop, request_seconds=0.5) as service:
        rests: list[int] = []
        service.server.config.loaded_app = below_a_pause(rests)
        with service.connect(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n") as connection:
            until(lambda: bool(rests))
            connection.shutdown(socket.SHUT_WR)
            until(lambda: service.open == 0)
        assert rests[0] < WRITING_STOPS_AT, "the time for an answer unread would have ended it"
