"""A closed loop of clients over plain sockets, in a process of its own, that costs little and says how much.

    python -m benchmarks.load URL FIELD FOLDER CLIENTS SECONDS

Each client sends a photo as a form, waits for the whole answer and sends the next. One thread and one selector serve
them all; requests are built before the clock runs, and of an answer only its status and length are read, so that on few
cores the figures are the server's. What is begun within the first second is not counted.
"""

import argparse
import itertools
import json
import selectors
import socket
import statistics
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

WARM_SECONDS = 1.0
MOST_PHOTOS = 200
ANSWER_SECONDS = 120.0
BOUNDARY = b"photo-by-photo"
READ = 256 * 1024


@dataclass
class Tally:
    """What was counted between the end of the warming up and the end of the run; times in seconds."""

    times: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    retry_after: list[float] = field(default_factory=list)
    broken: int = 0
    seconds: float = 0.0
    own_cpu_seconds: float = 0.0

    def told(self) -> dict[str, Any]:
        """As figures."""
        good = sorted(self.times)
        return {
            "requests": len(good),
            "requests_per_second": round(len(good) / self.seconds, 2),
            "p50_ms": round(1000 * statistics.median(good), 2) if good else None,
            "p99_ms": round(1000 * good[int(0.99 * (len(good) - 1))], 2) if good else None,
            "statuses": {str(status): count for status, count in sorted(self.statuses.items())},
            "failed": self.broken + sum(count for status, count in self.statuses.items() if status != 200),  # noqa: PLR2004
            "load_cpu_share": round(self.own_cpu_seconds / self.seconds, 4),
        }


class Client:
    """One connection; it has at most one request on its way."""

    def __init__(self, address: tuple[str, int], requests: Iterator[bytes]) -> None:
        self.address = address
        self.requests = requests
        self.begun = 0.0
        self._unsent = memoryview(b"")
        self._answer = bytearray()
        self._whole: int | None = None
        self.socket = self._connected()

    def _connected(self) -> socket.socket:
        made = socket.create_connection(self.address, timeout=ANSWER_SECONDS)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        made.setblocking(False)
        return made

    def begin(self) -> None:
        """Send the next request, as much of it as goes at once."""
        self._unsent = memoryview(next(self.requests))
        self._answer.clear()
        self._whole = None
        self.begun = time.perf_counter()
        self.go_on_sending()

    def go_on_sending(self) -> None:
        """Send more of it."""
        while self._unsent:
            try:
                self._unsent = self._unsent[self.socket.send(self._unsent) :]
            except BlockingIOError:
                return

    @property
    def is_sending(self) -> bool:
        """Whether bytes of the request are left."""
        return bool(self._unsent)

    def receive(self) -> int | None:
        """Take what has come; the status once the answer is whole.

        Raises:
            ConnectionError: the server closed the connection in the middle.
        """
        piece = self.socket.recv(READ)
        if not piece:
            raise ConnectionError
        self._answer += piece
        if self._whole is None and (end := self._answer.find(b"\r\n\r\n")) >= 0:
            self._whole = end + 4 + length_of(bytes(self._answer[:end]))
        if self._whole is None or len(self._answer) < self._whole:
            return None
        return int(self._answer[9:12])

    def close(self) -> None:
        """End it."""
        self.socket.close()


def length_of(head: bytes) -> int:
    """What an answer's head says of its body; an answer without it cannot be measured here."""
    for line in head.lower().split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name == b"content-length":
            return int(value)
    raise ConnectionError


def request_of(url: str, field_name: str, photo: bytes) -> bytes:
    """A whole request with one photo in a form."""
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    disposition = f'form-data; name="{field_name}"; filename="a.jpg"'
    head = f"Content-Disposition: {disposition}\r\nContent-Type: image/jpeg\r\n\r\n"
    body = b"--" + BOUNDARY + b"\r\n" + head.encode() + photo + b"\r\n--" + BOUNDARY + b"--\r\n"
    lines = f"POST {target} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Length: {len(body)}\r\nContent-Type: "
    return lines.encode() + b"multipart/form-data; boundary=" + BOUNDARY + b"\r\n\r\n" + body


def load(url: str, requests: Sequence[bytes], clients: int, seconds: float) -> Tally:
    """Keep so many clients busy for so long."""
    parts = urlsplit(url)
    address = (parts.hostname or "", parts.port or 80)
    tally = Tally()
    every = [
        Client(address, itertools.cycle([*requests[number % len(requests) :], *requests[: number % len(requests)]]))
        for number in range(clients)
    ]
    try:
        _run(every, tally, seconds)
    finally:
        for one in every:
            one.close()
    return tally


def _run(clients: Sequence[Client], tally: Tally, seconds: float) -> None:
    selector = selectors.DefaultSelector()
    for one in clients:
        selector.register(one.socket, selectors.EVENT_READ, one)
        _begin(selector, one)
    begin = time.perf_counter() + WARM_SECONDS
    cpu, until = None, begin + seconds
    while (now := time.perf_counter()) < until:
        if cpu is None and now >= begin:
            cpu = time.process_time()
        for key, events in selector.select(timeout=until - now):
            _step(selector, key.data, events, tally, begin)
    tally.seconds = seconds
    tally.own_cpu_seconds = time.process_time() - (cpu or 0.0)
    selector.close()


def _step(selector: selectors.BaseSelector, client: Client, events: int, tally: Tally, begin: float) -> None:
    """What one ready connection asks for."""
    try:
        if events & selectors.EVENT_WRITE:
            client.go_on_sending()
            _watch(selector, client)
        status = client.receive() if events & selectors.EVENT_READ else None
        if status is None:
            return
        if client.begun >= begin:
            tally.statuses[status] += 1
            if status == 200:  # noqa: PLR2004
                tally.times.append(time.perf_counter() - client.begun)
        _begin(selector, client)
    except OSError:
        tally.broken += 1
        _again(selector, client)


def _begin(selector: selectors.BaseSelector, client: Client) -> None:
    client.begin()
    _watch(selector, client)


def _watch(selector: selectors.BaseSelector, client: Client) -> None:
    wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if client.is_sending else 0)
    if selector.get_key(client.socket).events != wanted:
        selector.modify(client.socket, wanted, client)


def _again(selector: selectors.BaseSelector, client: Client) -> None:
    """A new connection in the place of a broken one."""
    selector.unregister(client.socket)
    client.close()
    client.socket = client._connected()  # noqa: SLF001
    selector.register(client.socket, selectors.EVENT_READ, client)
    _begin(selector, client)


def main() -> None:
    """Read the photos, load, print a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("field")
    parser.add_argument("folder", type=Path)
    parser.add_argument("clients", type=int)
    parser.add_argument("seconds", type=float)
    asked = parser.parse_args()
    photos = [path.read_bytes() for path in sorted(asked.folder.glob("*.jpg"))[:MOST_PHOTOS]]
    requests = [request_of(asked.url, asked.field, photo) for photo in photos]
    print(json.dumps(load(asked.url, requests, asked.clients, asked.seconds).told()))


if __name__ == "__main__":
    main()
