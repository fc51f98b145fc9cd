"""HTTP to one service, below any type: the typed clients and the command ``pedigree`` send their requests by it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self
from urllib.parse import quote

import httpx

from pedigree.errors import PedigreeError, Unreachable, foreign, problem_of, unreachable
from pedigree.events import SILENCE_SECONDS, Event, EventReader, Following
from pedigree.key import KeyAuth

LOOPBACK = {"127.0.0.1", "localhost", "::1"}
CONNECT_SECONDS = 5.0
UPLOAD = httpx.Timeout(600.0, connect=CONNECT_SECONDS)
"""The service takes in a whole archive before it answers."""
SILENCE = httpx.Timeout(SILENCE_SECONDS, connect=CONNECT_SECONDS)


class Wire:
    """Requests of one service; every method raises ``PedigreeError`` where there is no answer, or one that is an error.

    Attributes:
        url: where the service answers.
        http: what sends.
    """

    def __init__(
        self,
        url: str,
        *,
        key: str | None = None,
        timeout: float = 60.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """Talk to ``url``; ``timeout`` in seconds, ``transport`` in place of the network.

        Raises:
            Unreachable: it is no address, or the shell names a proxy or certificates that cannot be used.
        """
        self.url = url.rstrip("/")
        with usable(self.url):
            self.http = httpx.Client(**options_of(self.url, timeout, key), transport=transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connections."""
        self.http.close()

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:  # noqa: ANN401  # httpx's own options
        answer = self.answer(method, path, **options)
        if not answer.is_success:
            raise problem_of(answer)
        return answer

    def answer(self, method: str, path: str, **options: Any) -> httpx.Response:  # noqa: ANN401  # httpx's own options
        """One request whose answer may be an error."""
        with reached(self.url):
            return self.http.request(method, path, **options)

    @contextmanager
    def stream(self, path: str, **options: Any) -> Iterator[httpx.Response]:  # noqa: ANN401  # httpx's own options
        """A GET whose answer is read as it comes."""
        with reached(self.url), self.http.stream("GET", path, **options) as answer:
            if not answer.is_success:
                answer.read()
                raise problem_of(answer)
            yield answer

    def events(self, job: int, following: Following) -> Iterator[Event]:
        """A job's events as they come, after those that were heard before; ends with the stream."""
        reader = EventReader()
        with self.stream(f"/jobs/{job}/events", headers=following.headers, timeout=SILENCE) as answer:
            following.answered()
            for line in answer.iter_lines():
                if (event := reader.read(line)) is not None:
                    following.heard(event)
                    yield event


def options_of(url: str, timeout: float, key: str | None = None) -> Mapping[str, Any]:
    """How httpx talks to a service; a proxy for the wide world is no way to our own machine."""
    near = httpx.URL(url).host in LOOPBACK
    return {
        "base_url": url,
        "timeout": httpx.Timeout(timeout, connect=CONNECT_SECONDS),
        "trust_env": not near,
        "auth": None if key is None else KeyAuth(url, key),
    }


@contextmanager
def usable(url: str) -> Iterator[None]:
    """Errors of the address, and of what the shell says about the way to it, as ``Unreachable``."""
    with reached(url):
        httpx.URL(url)
    try:
        yield
    except (ImportError, ValueError, OSError, httpx.InvalidURL) as error:
        hint = "Look at HTTPS_PROXY, ALL_PROXY, SSL_CERT_FILE and the like, or name the host in NO_PROXY."
        detail = f"A proxy or certificate of this shell cannot be used: {str(error).rstrip('.')}"
        raise Unreachable(detail, code="unusable_proxy", hint=hint) from None


@contextmanager
def reached(url: str) -> Iterator[None]:
    """Errors of the way to a service, as ``Unreachable``."""
    try:
        yield
    except httpx.InvalidURL as error:
        raise Unreachable(f"{url} is not an address: {error}", code="invalid_address") from None
    except httpx.TransportError as error:
        raise unreachable(url, error) from None


def json_of(answer: httpx.Response) -> Any:  # noqa: ANN401  # JSON
    """An answer's JSON.

    Raises:
        PedigreeError: it is none.
    """
    try:
        return answer.json()
    except ValueError:
        raise foreign(answer) from None


def part_of_path(value: str | int) -> str:
    """A name or number as one part of a path.

    Raises:
        PedigreeError: no name of the service looks like this.
    """
    text = str(value)
    if not text or "/" in text or text in {".", ".."}:
        hint = "A name has letters, digits, dots, dashes and underscores."
        raise PedigreeError(f"{text!r} is not a name", code="invalid_name", hint=hint)
    return quote(text, safe="", errors="surrogateescape")
