"""Who keeps a place: a slow reader and who was here first, but not who only lies there."""

import socket
import time
from typing import Literal

import pytest
from starlette.types import Receive, Scope, Send

from store.settings import Settings
from tests.api.conftest import until
from tests.api.http.test_edge import serving


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_long_answer_over_a_slow_line_is_not_cut(settings: Settings, loop: Literal["asyncio", "uvloop"]) -> None:
    with serving(settings, loop=loop, request_seconds=1.0) as service:
        service.server.config.loaded_app = at_once
        with service.connect() as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32_768)  # emptied in smaller steps
            connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            read = len(read_slowly(connection))
            while piece := connection.recv(400_000):
                read += len(piece)
            assert read > AT_ONCE_BYTES


def read_slowly(connection: socket.socket) -> bytes:
    """For many times the service's limit, and less than the kernel keeps before it takes more of an answer."""
    read = b""
    for _ in range(60):
        read += connection.recv(16_000)
        time.sleep(0.05)
    return read


AT_ONCE_BYTES = 8_000_000


async def at_once(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": bytes(AT_ONCE_BYTES)})


def test_room_is_made_by_who_has_been_silent_longest_not_by_who_came_first(settings: Settings) -> None:
    ask = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with serving(settings, max_connections=2) as service, service.connect(ask) as first:
        read_health(first)
        with service.connect() as silent:
            until(lambda: service.open == 2)
            first.sendall(ask)
            read_health(first)
            with service.connect(ask) as last:
                read_health(last)
                assert silent.recv(1) == b""
                first.sendall(ask)
                read_health(first)


def read_health(connection: socket.socket) -> None:
    """One answer, to its last byte."""
    read = b""
    while not read.endswith(b'{"status":"ok"}'):
        piece = connection.recv(4096)
        assert piece, read
        read += piece
    assert read.startswith(b"HTTP/1.1 200")
