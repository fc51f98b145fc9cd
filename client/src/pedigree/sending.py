"""What both clients share of HTTP: a request of a call, its answer as a type, and when it is sent again."""

from dataclasses import dataclass
from typing import Any, TypeVar, cast

import httpx
from pydantic import TypeAdapter, ValidationError

from pedigree.calls import Call
from pedigree.errors import PedigreeError, Unreachable, problem_of
from pedigree.events import PASSING

T = TypeVar("T")
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.25, 10.0


def request_of(http: httpx.Client | httpx.AsyncClient, call: Call[Any]) -> httpx.Request:
    """The request that a call is."""
    return http.build_request(call.route.method, call.path, params=call.params, headers=call.headers, json=call.body)


def answer_of(call: Call[T], response: httpx.Response) -> T:
    """What came back, as the call's type.

    Raises:
        PedigreeError: an error came back, or something that is not Pedigree's.
    """
    if not response.is_success:
        raise problem_of(response)
    if call.answer is bytes:
        return cast("T", response.content)
    return read_as(call.answer, response)


def read_as(kind: type[T], response: httpx.Response) -> T:
    """An answer's JSON as a type.

    Raises:
        PedigreeError: it is something else.
    """
    try:
        return TypeAdapter(kind).validate_json(response.content)
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"]))
        detail = f"{response.request.url} answered something else than this client knows (at {where or 'its start'})"
        hint = "Install the pedigree-client of the service's version."
        raise PedigreeError(detail, code="unknown_answer", hint=hint, status=response.status_code) from None


@dataclass
class Tries:
    """Counts down how often a call may be sent again."""

    repeatable: bool
    left: int
    pause: float = FIRST_PAUSE_SECONDS

    def pause_after(self, error: PedigreeError) -> float | None:
        """How long to wait before the call is sent again; None where it is not."""
        passing = isinstance(error, Unreachable) or error.status in PASSING
        if not (self.repeatable and passing and self.left > 0):
            return None
        self.left -= 1
        pause, self.pause = self.pause, self.pause * 2
        return min(error.retry_after or pause, LONGEST_PAUSE_SECONDS)
