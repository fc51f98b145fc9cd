"""What goes wrong, as the service says it: a code that stays, sentences for people, and the input at fault."""

from collections.abc import Mapping
from typing import Any

import httpx

NOT_PEDIGREE = "not_pedigree"
CHECK_ADDRESS = "Check the address: it is not Pedigree that answers."


class PedigreeError(Exception):
    """A request that did not succeed.

    Attributes:
        code: a word that stays the same, for programs: ``not_found``, ``batch_too_large``, ``unreachable``.
        detail: what went wrong.
        hint: the one thing to change; None where the service knows none.
        field: path of the input at fault, such as ``body.config.batch_size``.
        value: what was sent there, as text.
        status: HTTP's number; 0 where there was no answer.
        errors: every wrong field, each with ``field``, ``detail``, ``hint`` and ``value``.
        problem: all that the service said of it, as it came; empty where it is not the service's error.
    """

    def __init__(
        self,
        detail: str,
        *,
        code: str,
        hint: str | None = None,
        field: str | None = None,
        value: str | None = None,
        status: int = 0,
        errors: list[dict[str, Any]] | None = None,
        retry_after: float | None = None,
        problem: Mapping[str, Any] | None = None,
    ) -> None:
        self.code, self.detail, self.hint = code, detail, hint
        self.field, self.value, self.status = field, value, status
        self.errors = errors or []
        self.retry_after = retry_after
        self.problem = problem or {}
        super().__init__(self._sentence())

    def _sentence(self) -> str:
        # Whoever writes Python gave no body, and knows the rest of the path by what they gave.
        field = None if self.field is None else self.field.removeprefix("body.")
        named = "" if field is None else f"{field}{'' if self.value is None else f' is {self.value}'}: "
        said = f"{named}{self.detail}"
        ended = said if said.endswith((".", "!", "?")) else f"{said}."
        return ended if self.hint is None else f"{ended} {self.hint}"


class Unreachable(PedigreeError):
    """Nothing answers, or the connection broke."""


class GaveUp(Unreachable):
    """The service stayed away while a job was followed."""


class JobFailed(PedigreeError):
    """The job that was waited for failed or was cancelled; ``state`` says which."""

    def __init__(self, job: int, state: str, error: Mapping[str, Any] | None) -> None:
        self.job, self.state = job, state
        said = dict(error or {})
        why = f": {said['detail']}" if said else ""
        super().__init__(f"job {job} {state}{why}", code=str(said.get("code") or state), hint=said.get("hint"))


def problem_of(response: httpx.Response) -> PedigreeError:
    """The error that an answer is; its body has been read."""
    if not response.is_error:
        return foreign(response)
    said = _problem(response)
    ours = "code" in said
    pause = response.headers.get("Retry-After", "")
    return PedigreeError(
        str(said.get("detail") or f"{response.request.url} answered {response.status_code} {response.reason_phrase}"),
        code=str(said["code"]) if ours else NOT_PEDIGREE,
        hint=_text(said.get("hint")) if ours else CHECK_ADDRESS,
        field=_text(said.get("field")),
        value=_text(said.get("value")),
        status=response.status_code,
        errors=said.get("errors") or [],
        retry_after=float(pause) if pause.isdecimal() else None,
        problem=said,
    )


def foreign(response: httpx.Response) -> PedigreeError:
    """The error of an answer that leads elsewhere, or is not the service's JSON."""
    kind = response.headers.get("content-type", "nothing")
    detail = f"{response.request.url} answered {response.status_code} with {kind}, not with Pedigree's JSON"
    return PedigreeError(detail, code=NOT_PEDIGREE, hint=CHECK_ADDRESS, status=response.status_code)


def unreachable(url: str, error: httpx.TransportError) -> Unreachable:
    """The error of a request that has no answer."""
    if isinstance(error, httpx.ConnectError):
        hint = "Start the service with `pedigree up`, or give its address."
        return Unreachable(f"Nothing answers at {url}", code="unreachable", hint=hint)
    if isinstance(error, httpx.TimeoutException):
        return Unreachable(f"{url} does not answer in time", code="timeout", hint="Give a longer timeout.")
    said = str(error) or type(error).__name__
    return Unreachable(f"The connection to {url} broke ({said})", code="broken_connection")


def _problem(response: httpx.Response) -> dict[str, Any]:
    try:
        found = response.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _text(value: object) -> str | None:
    return None if value is None else str(value)
