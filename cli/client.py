"""The service as the commands see it: what ``pedigree-client`` sends, as plain JSON, every failure one sentence."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from cli.errors import CommandError
from cli.problems import ended, sentences
from cli.running import StackChoice, find_stack
from pedigree import errors, wire
from pedigree.finding import started_last
from pedigree.key import find_key

if TYPE_CHECKING:
    import httpx

Json = dict[str, Any]
PAGE = 200
FIRST_ERROR = 400

HINTS = {
    "not_pedigree": "Check the address: --url, PEDIGREE_URL.",
    "unreachable": "Start the service with `pedigree up`.",
    "timeout": None,
    "empty_folder": None,
    "unreadable": None,
}
"""What to change by command, where the client's own hint speaks of Python or says more than a line has room for."""


class ServiceError(CommandError):
    """The service refused; ``status`` is its own."""

    def __init__(self, detail: str, hint: str | None, *, status: int) -> None:
        super().__init__(detail, hint)
        self.status = status


class Unreachable(CommandError):
    """Nothing answers, or the connection broke."""


class GaveUp(Unreachable):
    """The service stayed away while a job was followed."""


KINDS: Mapping[type[errors.PedigreeError], type[CommandError]] = {
    errors.GaveUp: GaveUp,
    errors.Unreachable: Unreachable,
}


class Client:
    """Calls of one service.

    Every method raises:
        ServiceError: the service answered with an error.
        Unreachable: there was no answer.
    """

    def __init__(self, url: str, found: StackChoice | None = None) -> None:
        """Talk to ``url``, known from the data folder ``found``.

        Raises:
            Unreachable: it is no address, or the shell names a proxy or certificates that cannot be used.
            CommandError: the user's key cannot be sent, or can be read by others.
        """
        self.found = found
        with plainly():
            self.wire = wire.Wire(url, key=find_key())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.wire.close()

    @property
    def url(self) -> str:
        """Where the service answers."""
        return self.wire.url

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

    def call(self, method: str, path: str, **options: Any) -> "httpx.Response":  # noqa: ANN401  # httpx's own options
        with plainly():
            return self.wire.ask(method, path, **options)

    def answer(self, method: str, path: str) -> "httpx.Response":
        """One request whose answer may be an error."""
        with plainly():
            return self.wire.answer(method, path)

    @contextmanager
    def stream(self, path: str, **options: Any) -> Iterator["httpx.Response"]:  # noqa: ANN401  # httpx's own options
        """A GET whose answer is read as it comes."""
        with plainly(), self.wire.stream(path, **options) as answer:
            yield answer


def find_service(url: str | None, data: Path | None) -> Client:
    """A client of the address given, or of the stack on the data folder given, or of PEDIGREE_URL, or of what runs.

    What is given goes before what the shell has set.

    Raises:
        Unreachable: no address is known.
    """
    if known := url or (None if data else os.environ.get("PEDIGREE_URL")):
        return Client(known if "://" in known else f"http://{known}")
    found = find_stack(data)
    root = found.folder.root
    if root.exists() and not root.is_dir():
        raise Unreachable(f"{root} is not a folder.", "Name the data folder with --data or PEDIGREE_DATA.")
    stack = found.folder.running()
    if stack is None:
        where = f"No service is known: no stack runs on {root}{'' if found.named else ', none elsewhere'}"
        where += "." if data else ", and PEDIGREE_URL is not set."
        last = None if found.named else started_last(root)
        raise Unreachable(where, last or "Start one with `pedigree up`, or give --url.")
    return Client(str(stack["url"]), found)


@contextmanager
def plainly() -> Iterator[None]:
    """Errors of the client become the command's."""
    try:
        yield
    except errors.PedigreeError as error:
        raise _told(error) from None


def _told(error: errors.PedigreeError) -> CommandError:
    if error.problem or error.status >= FIRST_ERROR:
        detail, hint = sentences({"detail": error.detail, **error.problem})
        return ServiceError(detail, hint, status=error.status)
    detail, hint = ended(error.detail), HINTS.get(error.code, error.hint)
    if error.status:
        return ServiceError(detail, hint, status=error.status)
    return KINDS.get(type(error), CommandError)(detail, hint)


def path_part(name: str) -> str:
    """A name as one part of a path.

    Raises:
        CommandError: no name of the service looks like this.
    """
    with plainly():
        return wire.part_of_path(name)


def json_of(answer: "httpx.Response") -> Any:  # noqa: ANN401  # JSON
    """An answer's JSON.

    Raises:
        ServiceError: it is none.
    """
    with plainly():
        return wire.json_of(answer)


def foreign(answer: "httpx.Response") -> CommandError:
    """The error of an answer that is not Pedigree's."""
    return _told(errors.foreign(answer))
