"""The service as the commands see it: HTTP in plain calls, every failure one sentence."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import httpx

from cli.errors import CommandError
from cli.problems import sentences
from cli.running import StackChoice, find_stack

Json = dict[str, Any]
LOOPBACK = {"127.0.0.1", "localhost", "::1"}
TIMEOUT = httpx.Timeout(60.0, connect=5.0)
PAGE = 200


class ServiceError(CommandError):
    """The service refused; ``status`` and ``code`` are its own."""

    def __init__(self, detail: str, hint: str | None, *, status: int, code: str) -> None:
        super().__init__(detail, hint)
        self.status = status
        self.code = code


class Unreachable(CommandError):
    """Nothing answers, or the connection broke."""


class Client:
    """Calls of one service.

    Every method raises:
        ServiceError: the service answered with an error.
        Unreachable: there was no answer.
    """

    def __init__(self, url: str, found: StackChoice | None = None) -> None:
        """Talk to ``url``, known from the data folder ``found``.

        Raises:
            CommandError: the shell names a proxy or certificates that cannot be used.
        """
        self.url = url.rstrip("/")
        self.found = found
        # A proxy for the wide world is no way to our own machine.
        near = self._host() in LOOPBACK
        try:
            self.http = httpx.Client(base_url=self.url, timeout=TIMEOUT, trust_env=not near)
        except (ImportError, ValueError, OSError, httpx.InvalidURL) as error:
            hint = "Look at HTTPS_PROXY, ALL_PROXY, SSL_CERT_FILE and the like, or name the host in NO_PROXY."
            said = str(error).rstrip(".")
            raise CommandError(f"A proxy or certificate of this shell cannot be used: {said}.", hint) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def get(self, path: str, **params: str | float | Sequence[str] | None) -> Any:  # noqa: ANN401  # JSON
        """The JSON at a path; parameters that are None are left out."""
        given = {name: value for name, value in params.items() if value is not None}
        return json_of(self.call("GET", path, params=given))

    def post(self, path: str, body: Json | None = None, **params: str | int) -> Any:  # noqa: ANN401  # JSON
        """Post JSON, or nothing, and return the JSON that comes back."""
        return json_of(self.call("POST", path, json=body, params=params))

    def items(self, path: str, *, limit: int, **params: str | float | Sequence[str] | None) -> list[Json]:
        """Up to ``limit`` entries of a list, over as many pages as it takes."""
        found: list[Json] = []
        cursor: str | None = None
        while len(found) < limit:
            page = self.get(path, limit=min(PAGE, limit - len(found)), cursor=cursor, **params)
            found += page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        return found

    def call(self, method: str, path: str, **options: Any) -> httpx.Response:  # noqa: ANN401  # httpx's own options
        """One request."""
        answer = self.answer(method, path, **options)
        raise_for_problem(answer)
        return answer

    def answer(self, method: str, path: str, **options: Any) -> httpx.Response:  # noqa: ANN401  # httpx's own options
        """One request whose answer may be an error."""
        with self._plainly():
            return self.http.request(method, path, **options)

    @contextmanager
    def stream(
        self, path: str, headers: Mapping[str, str], timeout: httpx.Timeout = TIMEOUT
    ) -> Iterator[httpx.Response]:
        """A GET whose answer is read as it comes."""
        with self._plainly(), self.http.stream("GET", path, headers=dict(headers), timeout=timeout) as answer:
            if answer.is_error:
                answer.read()
            raise_for_problem(answer)
            yield answer

    def _host(self) -> str:
        with self._plainly():
            return httpx.URL(self.url).host

    @contextmanager
    def _plainly(self) -> Iterator[None]:
        try:
            yield
        except httpx.ConnectError:
            raise Unreachable(f"Nothing answers at {self.url}.", "Start the service with `pedigree up`.") from None
        except httpx.TimeoutException:
            raise Unreachable(f"{self.url} does not answer in time.") from None
        except httpx.InvalidURL as error:
            raise Unreachable(f"{self.url} is not an address: {error}.") from None
        except httpx.TransportError as error:
            raise Unreachable(f"The connection to {self.url} broke ({str(error) or type(error).__name__}).") from None


def find_service(url: str | None, data: Path | None) -> Client:
    """A client of the address given, or of PEDIGREE_URL, or of the stack on the data folder, or of one that runs.

    Raises:
        Unreachable: no address is known.
    """
    if known := url or os.environ.get("PEDIGREE_URL"):
        return Client(known if "://" in known else f"http://{known}")
    found = find_stack(data)
    root = found.folder.root
    if root.exists() and not root.is_dir():
        raise Unreachable(f"{root} is not a folder.", "Name the data folder with --data or PEDIGREE_DATA.")
    stack = found.folder.running()
    if stack is None:
        where = f"No service is known: no stack runs on {root}"
        where += ", and PEDIGREE_URL is not set." if found.named else ", none elsewhere, and PEDIGREE_URL is not set."
        raise Unreachable(where, "Start one with `pedigree up`, or give --url.")
    return Client(str(stack["url"]), found)


def path_part(name: str) -> str:
    """A name as one part of a path.

    Raises:
        CommandError: no name of the service looks like this.
    """
    if not name or "/" in name or name in {".", ".."}:
        raise CommandError(f"{name!r} is not a name.", "A name has letters, digits, dots, dashes and underscores.")
    return quote(name, safe="", errors="surrogateescape")


def json_of(answer: httpx.Response) -> Any:  # noqa: ANN401  # JSON
    """An answer's JSON.

    Raises:
        ServiceError: it is none.
    """
    try:
        return answer.json()
    except ValueError:
        raise foreign(answer) from None


def raise_for_problem(answer: httpx.Response) -> None:
    """Turn an error answer into one sentence.

    Raises:
        ServiceError: the answer is one, or leads elsewhere.
    """
    if answer.is_success:
        return
    if not answer.is_error:
        raise foreign(answer)
    try:
        problem = answer.json()
    except ValueError:
        problem = {}
    if not isinstance(problem, dict):
        problem = {}
    foreign_detail = f"{answer.request.url} answered {answer.status_code} {answer.reason_phrase}"
    detail, hint = sentences({"detail": foreign_detail} | problem)
    raise ServiceError(detail, hint, status=answer.status_code, code=str(problem.get("code") or ""))


def foreign(answer: httpx.Response) -> ServiceError:
    """The error of an answer that is not Pedigree's."""
    kind = answer.headers.get("content-type", "nothing")
    detail = f"{answer.request.url} answered {answer.status_code} with {kind}, not with Pedigree's JSON."
    hint = "Check the address: --url, PEDIGREE_URL."
    return ServiceError(detail, hint, status=answer.status_code, code="")
