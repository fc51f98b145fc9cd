"""The edge on a real socket: heads, bodies, connections and streams that want more than their part."""

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Literal

import httpx
import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from api.app import create_app
from api.http import connections
from api.http.bodies import Bodies
from api.http.connections import ConnectionLimits, guarded
from api.http.stopping import Stopping
from store.settings import Settings
from tests.api.conftest import until
from tests.api.fake_classifier import FakeClassifier
from tests.api.loop_time import HELD_SECONDS, longest_hold
from tests.api.records import Records, jpeg
from tests.patience import PATIENCE_SECONDS

LINE = b"POST /jobs HTTP/1.1\r\nHost: localhost\r\n"
JSON_HEAD = LINE + b"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n"


class Service:
    """An app served by uvicorn in a thread, as ``python -m api`` serves it."""

    def __init__(self, settings: Settings, loop: Literal["asyncio", "uvloop"]) -> None:
        self.app = create_app(settings, load=FakeClassifier.load)
        self.stopping = Stopping()
        limits = ConnectionLimits(settings.max_connections, settings.request_seconds, settings.max_address_connections)
        config = uvicorn.Config(
            self.app,
            port=0,
            http=guarded(limits, self.stopping),
            loop=loop,
            log_config=None,
            timeout_graceful_shutdown=1,
        )
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run)

    @property
    def address(self) -> tuple[str, int]:
        host, port = self.server.servers[0].sockets[0].getsockname()[:2]
        return str(host), int(port)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.address[1]}"

    def connect(self, sent: bytes = b"") -> socket.socket:
        connection = socket.create_connection(self.address, timeout=PATIENCE_SECONDS)
        connection.sendall(sent)
        return connection

    @property
    def open(self) -> int:
        return len(self.server.server_state.connections)


@contextmanager
def serving(
    settings: Settings, *, loop: Literal["asyncio", "uvloop"] = "uvloop", **changes: float
) -> Iterator[Service]:
    service = Service(settings.model_copy(update=changes), loop)
    service.thread.start()
    try:
        until(lambda: service.server.started)
        yield service
    finally:
        service.server.should_exit = True
        service.thread.join()


def told(connection: socket.socket) -> bytes:
    """All that is answered until the service closes the connection, in order and without a reset."""
    said = b""
    while piece := connection.recv(65536):
        said += piece
    return said


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (b"", b"request_timeout"),
        (b"GET /healthz HT", b"request_timeout"),
        (LINE + b"X: ", b"request_timeout"),
        (JSON_HEAD + b'{"kind', b"request_timeout"),
        (LINE + b'Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"ki', b"request_timeout"),
    ],
)
def test_a_request_that_is_half_sent_is_ended(settings: Settings, sent: bytes, code: bytes) -> None:
    with serving(settings, request_seconds=0.3) as service, service.connect(sent) as connection:
        answer = told(connection)
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert code in answer
        until(lambda: service.open == 0)


def test_a_head_that_comes_byte_by_byte_is_ended_too(settings: Settings) -> None:
    with serving(settings, request_seconds=0.4) as service, service.connect(LINE) as connection:
        connection.settimeout(0.05)
        answer = b""
        for _ in range(200):
            try:
                connection.sendall(b"x")
                answer += connection.recv(4096)
            except TimeoutError:
                continue
            except (BrokenPipeError, ConnectionResetError):
                break
            if answer:
                break
        assert answer.startswith(b"HTTP/1.1 408 ")


def test_connections_that_only_lie_there_shut_nobody_out(settings: Settings) -> None:
    with serving(settings, max_connections=8) as service:
        lying = [service.connect(b"GET /") for _ in range(30)]
        assert httpx.get(f"{service.url}/healthz", trust_env=False).status_code == 200
        assert service.open <= 9
        for connection in lying:
            connection.close()


def test_a_connection_more_than_can_be_served_is_told_so(settings: Settings, records: Records) -> None:
    _, job = records.run(records.dataset())
    stream = f"GET /jobs/{job.id}/events HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    with serving(settings, max_connections=8) as service:
        streams = [service.connect(stream) for _ in range(8)]
        for connection in streams:
            assert connection.recv(12) == b"HTTP/1.1 200"
        with service.connect() as refused:
            answer = told(refused)
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"retry-after: " in answer
        assert b"too_many_connections" in answer
        for connection in streams:
            connection.close()


def test_a_stream_too_many_is_429_and_an_ended_one_makes_room(settings: Settings, records: Records) -> None:
    _, job = records.run(records.dataset())
    stream = b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with serving(settings, max_streams=2) as service:
        streams = [service.connect(stream) for _ in range(2)]
        for connection in streams:
            assert connection.recv(12) == b"HTTP/1.1 200"
        for path in ("/events", f"/jobs/{job.id}/events"):
            refused = httpx.get(service.url + path, trust_env=False)
            assert (refused.status_code, refused.json()["code"]) == (429, "queue_full")
            assert refused.headers["retry-after"]
        for connection in streams:
            connection.close()
        until(lambda: service.app.state.services.streams.taken == 0)
        with service.connect(stream) as connection:
            assert connection.recv(12) == b"HTTP/1.1 200"


def test_bodies_are_bounded_together_before_they_are_kept(settings: Settings, records: Records) -> None:
    records.served()
    part = b"--b\r\nContent-Disposition: form-data; name=file; filename=a\r\n\r\n"
    head = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=b\r\n"
    with serving(settings, max_held_bytes=1024, max_predict_bytes=1_000_000) as service:
        length = 1_800_000
        with service.connect(head + b"Content-Length: %d\r\n\r\n" % length + part + bytes(1_500_000)) as first:
            until(lambda: held_bytes(service) > 1_500_000)
            assert _sees_429(service)
            first.close()
        until(lambda: held_bytes(service) == 0)
        assert not _sees_429(service)


def held_bytes(service: Service) -> int:
    """What the app holds of all bodies."""
    part: Any = service.app.middleware_stack
    while not isinstance(part, Bodies):
        part = part.app
    return part.held.now


def _sees_429(service: Service) -> bool:
    answer = httpx.post(f"{service.url}/predict", files={"file": jpeg() + bytes(700_000)}, trust_env=False)
    return answer.status_code == 429 and bool(answer.headers["retry-after"])


def test_uploads_at_once_are_counted(settings: Settings) -> None:
    head = b"POST /datasets HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=b\r\n"
    with (
        serving(settings, max_uploads=1) as service,
        service.connect(head + b"Content-Length: 100\r\n\r\n--b") as first,
    ):

        def refused() -> bool:
            answer = httpx.post(f"{service.url}/datasets", files={"archive": b"x"}, trust_env=False)
            return answer.status_code == 429

        until(refused)
        first.close()
        until(lambda: not refused())


async def much(_scope: Scope, _receive: Receive, send: Send) -> None:
    """An answer that is longer than any buffer."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(10_000):
        await send({"type": "http.response.body", "body": bytes(65536), "more_body": True})


def test_an_answer_that_nobody_reads_is_ended(settings: Settings) -> None:
    with serving(settings, request_seconds=0.3) as service:
        service.server.config.loaded_app = much
        with service.connect(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"):
            until(lambda: service.open == 1)
            until(lambda: service.open == 0)


@pytest.mark.parametrize(
    "sent",
    [
        LINE
        + b"Content-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"
        + b"1\r\nx\r\n" * 60_000
        + b"0\r\n\r\n",
        LINE + b"a:b\r\n" * 60_000 + b"\r\n",
        LINE + b"Content-Type: text/plain\r\nContent-Length: 1\r\n\r\nx" + b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 9000,
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n" * 9000,
        b"GET /healthz?" + b"a&" * 6000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n" + b"\r\n" * 60_000,
    ],
)
def test_no_bytes_on_the_wire_hold_the_loop(settings: Settings, sent: bytes) -> None:
    # asyncio's handles can be timed, and uvloop reads no more at a time.
    with serving(settings, loop="asyncio") as service, longest_hold() as longest, service.connect() as connection:
        with suppress(BrokenPipeError, ConnectionResetError):  # it may end before the last byte
            connection.sendall(sent)
        with suppress(ConnectionResetError):
            assert connection.recv(9) == b"HTTP/1.1 "
    assert longest.seconds < HELD_SECONDS


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize(
    ("sent", "piece"),
    [
        (LINE, b"X-Long: " + b"x" * 4000 + b"\r\n"),
        (LINE + b"X-Long: ", b"x" * 4000),
        (b"GET /", b"x" * 4000),
        (LINE + b"Transfer-Encoding: chunked\r\n\r\n1", b";x=" + b"x" * 4000),
        (LINE + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n", b"X-Long: " + b"x" * 4000 + b"\r\n"),
    ],
    ids=["headers", "a header", "the address", "a piece's head", "behind a body"],
)
def test_what_never_ends_is_refused_long_before_its_time_is_over(
    settings: Settings, sent: bytes, piece: bytes, loop: Literal["asyncio", "uvloop"]
) -> None:
    with serving(settings, loop=loop) as service, service.connect(sent) as connection:
        for _ in range(100):
            connection.sendall(piece)
        assert b"head_too_large" in told(connection)


def test_what_is_no_http_is_told_so(settings: Settings) -> None:
    with serving(settings) as service, service.connect(b"hello\r\n\r\n") as connection:
        answer = told(connection)
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert b"application/problem+json" in answer
        assert b'"code": "bad_request"' in answer


def test_headers_behind_a_body_change_nothing(settings: Settings) -> None:
    """They come after the head was checked."""
    sent = LINE + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nHost: elsewhere\r\n\r\n"
    with serving(settings) as service, service.connect(sent) as connection:
        assert b"415" in connection.recv(65536)


def test_requests_sent_at_once_are_answered_in_their_order(settings: Settings) -> None:
    get = b"GET /%s HTTP/1.1\r\nHost: localhost\r\n%s\r\n"
    with serving(settings) as service:
        sent = get % (b"healthz", b"") + get % (b"nowhere", b"") + get % (b"healthz", b"Connection: close\r\n")
        with service.connect(sent) as connection:
            answer = told(connection)
        assert re.findall(rb"HTTP/1.1 (\d+)", answer) == [b"200", b"404", b"200"]


def test_a_stream_ends_with_its_client_though_more_requests_lie_behind_it(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Nothing is read while requests lie behind it, so that only a comment on the stream meets the closed connection.
    monkeypatch.setattr("fastapi.routing._PING_INTERVAL", 0.2)
    stream = b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with serving(settings) as service:
        with service.connect(stream) as connection:
            assert connection.recv(12) == b"HTTP/1.1 200"
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n" * 3)
            until(lambda: any(getattr(one, "pipeline", None) for one in service.server.server_state.connections))
        until(lambda: service.app.state.services.streams.taken == 0)


@pytest.mark.parametrize("together", [True, False])
def test_a_body_is_never_read_as_the_next_request(settings: Settings, *, together: bool) -> None:
    """What asks for another protocol has its body taken for that protocol's by the parser."""
    body = b"DELETE /models/aliases/production HTTP/1.1\r\nHost: localhost\r\n\r\n"
    upgrade = b"Connection: Upgrade\r\nUpgrade: h2c\r\n"
    head = LINE + upgrade + b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
    with serving(settings) as service, service.connect(head + body if together else head) as connection:
        if not together:
            connection.sendall(body)
        answer = told(connection)
        assert re.findall(rb"HTTP/1.1 (\d+)", answer) == [b"400"]
        assert b'"code": "upgrade_unsupported"' in answer


def test_what_asks_for_another_protocol_without_a_body_is_answered_in_this_one(settings: Settings) -> None:
    """As the first request of ``curl --http2`` is."""
    sent = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, close\r\nUpgrade: h2c\r\n\r\n"
    with serving(settings) as service, service.connect(sent) as connection:
        assert connection.recv(12) == b"HTTP/1.1 200"


def test_requests_far_ahead_of_their_answers_end_the_connection(settings: Settings) -> None:
    limit = 10 * PATIENCE_SECONDS  # of answers unread, which would end it too
    with serving(settings, request_seconds=limit) as service, service.connect() as connection:
        with suppress(OSError):
            for _ in range(400):
                connection.sendall(b"GET / HTTP/1.1\r\n\r\n" * 900)
        until(lambda: service.open == 0)


def test_a_client_that_leaves_in_the_middle_of_a_body_is_no_failure(settings: Settings, records: Records) -> None:
    head = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/jpeg\r\nContent-Length: 500000\r\n\r\n"
    with serving(settings) as service:
        httpx.post(f"{service.url}/models", json={"run": records.finished(records.dataset()).id})
        with service.connect(head + b"x" * 1000):
            until(lambda: service.open == 1)
        until(lambda: service.open == 0)
        assert 'status="500"' not in httpx.get(f"{service.url}/metrics").text


def test_an_address_has_so_many_connections_and_its_own_idle_one_makes_room(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "network_of", lambda host: host)  # this machine's own are not counted
    with serving(settings, max_address_connections=2) as service:
        idle = service.connect()
        until(lambda: service.open == 1)
        busy = service.connect(JSON_HEAD)
        until(lambda: service.open == 2)
        third = service.connect(JSON_HEAD)
        assert told(idle) == b"", "it waited for nothing, and made room"
        until(lambda: service.open == 2)
        fourth = service.connect()
        refused = told(fourth)
        assert refused.startswith(b"HTTP/1.1 429 ")
        assert b"too_many_connections" in refused
        assert b"PEDIGREE_MAX_ADDRESS_CONNECTIONS" in refused
        for connection in (idle, busy, third, fourth):
            connection.close()


def test_one_address_does_not_take_the_places_of_others_where_all_are_taken(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "network_of", lambda host: host)  # this machine's own are not counted
    with serving(settings, max_connections=4, max_address_connections=2) as service:
        there = [socket.create_connection(service.address, source_address=(f"127.0.0.{n}", 0)) for n in (3, 3, 4, 4)]
        until(lambda: service.open == 4)
        for _ in range(6):
            there.append(socket.create_connection(service.address, source_address=("127.0.0.2", 0)))
            there[-1].sendall(JSON_HEAD)
        assert told(there[-1]).startswith(b"HTTP/1.1 429 ")
        kept = [getattr(one, "_address", None) for one in service.server.server_state.connections]
        assert len([one for one in kept if one in {"127.0.0.3", "127.0.0.4"}]) == 2
        for connection in there:
            connection.close()


def test_this_machines_own_connections_are_not_counted(settings: Settings) -> None:
    with serving(settings, max_address_connections=1) as service:
        held = [service.connect() for _ in range(4)]
        until(lambda: service.open == 4)
        for connection in held:
            connection.close()
