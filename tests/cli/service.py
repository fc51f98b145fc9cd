"""A service of a few fixed answers, for what the command makes of them."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, ClassVar


@dataclass
class Answer:
    """One answer; ``breaks`` closes the connection in its middle."""

    body: Any
    status: int = 200
    kind: str = "application/json"
    breaks: bool = False
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Service:
    """Answers by "METHOD path", each list from its front, the last one for ever; remembers what it was asked."""

    answers: dict[str, list[Answer]]
    url: str = ""
    asked: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)

    def answer(self, asked: str) -> Answer:
        found = self.answers.get(asked)
        if not found:
            return Answer({"detail": f"no {asked}", "code": "not_found"}, 404, "application/problem+json")
        return found.pop(0) if len(found) > 1 else found[0]


@contextmanager
def serving(answers: dict[str, list[Answer]]) -> Iterator[Service]:
    """Serve on a free port of this machine."""
    service = Service(answers)

    class Handler(_Handler):
        served: ClassVar[Service] = service

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        service.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield service
        finally:
            server.shutdown()
            thread.join()


def free_port() -> int:
    """A port on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class _Handler(BaseHTTPRequestHandler):
    served: ClassVar[Service]

    def do_any(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        asked = f"{self.command} {self.path}"
        self.served.asked.append((asked, dict(self.headers), self.rfile.read(length)))
        answer = self.served.answer(asked)
        content = answer.body.encode() if isinstance(answer.body, str) else json.dumps(answer.body).encode()
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.kind)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content) + (100 if answer.breaks else 0)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_DELETE = do_any  # noqa: N815  # http.server looks for these names

    def log_message(self, *_: object) -> None:
        """Tests have nothing to say here."""
