"""A receiver of webhooks on loopback: a real HTTP server that answers as a test says."""

import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from tests.conftest import REPOSITORY

HANGS, DRIPS, BREAKS_OFF, FLOODS, BOASTS = "hangs", "drips", "breaks off", "floods", "boasts"


class Got(NamedTuple):
    """A request as it came."""

    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Says:
    """An answer with a header."""

    status: int
    header: str
    value: str


class Receiver:
    """Answers one request after the other as ``answers`` say, the last of them for ever."""

    def __init__(self, *answers: int | str | Says) -> None:
        self.answers = list(answers) or [204]
        self.got: list[Got] = []
        self.released = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.got.append(Got(self.path, {k.lower(): v for k, v in self.headers.items()}, body))
                receiver._answer(self)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.host = f"127.0.0.1:{self.server.server_address[1]}"
        self.url = f"http://{self.host}/hook?to=me"

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        match answer:
            case "hangs":
                self.released.wait()
            case "drips":
                self._pour(handler, b"H", 0.02)
            case "floods":
                self._pour(handler, b"HTTP/1.1 200 OK\r\n\r\n" + bytes(100_000), 0.0)
            case "boasts":
                self._pour(handler, b"HTTP/1.1 200 OK\r\nx-long: " + b"x" * 100_000, 0.0)
            case "breaks off":
                handler.connection.close()
            case Says(status, header, value):
                handler.send_response(status)
                handler.send_header(header, value)
                handler.end_headers()
            case _:
                handler.send_response(int(str(answer)))
                handler.end_headers()

    def _pour(self, handler: BaseHTTPRequestHandler, part: bytes, rest: float) -> None:
        """Write the same without an end, until nobody reads it."""
        while not self.released.wait(rest):
            try:
                handler.wfile.write(part)
            except OSError:
                return


@contextmanager
def receiving(*answers: int | str | Says) -> Iterator[Receiver]:
    receiver = Receiver(*answers)
    thread = threading.Thread(target=receiver.server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield receiver
    finally:
        receiver.released.set()
        receiver.server.shutdown()
        receiver.server.server_close()
        thread.join()


def genuine() -> Callable[[str, Mapping[str, str], bytes], bool]:
    """The check of signatures that docs/operations.md gives to receivers."""
    text = (REPOSITORY / "docs/operations.md").read_text(encoding="utf-8")
    (code,) = (one for one in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "def is_genuine" in one)
    names: dict[str, Any] = {}
    exec(code, names)  # noqa: S102 - our own
    check: Callable[[str, Mapping[str, str], bytes], bool] = names["is_genuine"]
    return check
