"""Errors of the record: each has an HTTP status, a stable code, a sentence and the one thing to change."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Request:
    """A request to the service that helps after an error; of the body, what is known.

    Whoever shows the error may turn it into words of its own: the command does into one of its commands.
    """

    method: Literal["GET", "POST"]
    path: str
    body: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Hint:
    """The one thing to change, one sentence or two, and the request that does it or shows more."""

    text: str
    request: Request | None = None


def one_of(what: Literal["datasets", "jobs", "models", "predictions", "runs"]) -> Hint:
    """What to do where something was named that is not on record."""
    return Hint(f"Name one of the {what} on record.", Request("GET", f"/{what}"))


class AppError(Exception):
    """Base of everything a caller of the service can cause or must hear of.

    Attributes:
        status: HTTP status code.
        code: stable, snake_case.
        title: short, the same for every occurrence of the code.
        detail: this occurrence, with the value at fault.
        hint: the one thing to change, or None.
        request: the request that does it or shows more, or None.
        field: path of the input at fault (``body.config.batch_size``), which ``detail`` then does not name; or None.
        value: what was sent there; None where there is nothing to show.
        headers: extra response headers (``Retry-After``).
    """

    status = 500
    code = "internal_error"
    title = "Internal error"

    def __init__(
        self,
        detail: str,
        hint: str | Hint | None = None,
        headers: dict[str, str] | None = None,
        *,
        field: str | None = None,
        value: object = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.hint = hint.text if isinstance(hint, Hint) else hint
        self.request = hint.request if isinstance(hint, Hint) else None
        self.field = field
        self.value = value
        self.headers = headers or {}


class NotFound(AppError):
    """The named thing does not exist."""

    status = 404
    code = "not_found"
    title = "Not found"


class InvalidRequest(AppError):
    """A well-formed request that asks for something impossible."""

    status = 400
    code = "invalid_request"
    title = "Invalid request"


class NotReady(AppError):
    """The run will have this later; ``detail`` names the job to wait for."""

    status = 409
    code = "not_ready"
    title = "Not ready"


class WrongKind(AppError):
    """The run is of a kind that never has this."""

    status = 409
    code = "wrong_kind"
    title = "Wrong kind"


class NotComparable(AppError):
    """Two runs were not validated on the same photos, so that their answers cannot be held against each other."""

    status = 409
    code = "not_comparable"
    title = "Not comparable"


class StateConflict(AppError):
    """What it is about is in a state that does not allow the change."""

    status = 409
    code = "state_conflict"
    title = "State conflict"


class StaleRevision(AppError):
    """What was decided about a dataset is about a revision that is not the current one any more."""

    status = 409
    code = "stale_revision"
    title = "Stale revision"


class NothingBefore(AppError):
    """The alias cannot be rolled back: nothing came before."""

    status = 409
    code = "nothing_before"
    title = "Nothing before"


class IdempotencyConflict(AppError):
    """The same Idempotency-Key came with another body."""

    status = 409
    code = "idempotency_conflict"
    title = "Idempotency key reused"


class NameConflict(AppError):
    """The name is taken by something else."""

    status = 409
    code = "name_conflict"
    title = "Name taken"


class NoModel(AppError):
    """No model version is registered under the asked alias."""

    status = 503
    code = "no_model"
    title = "No model"


class TooBusy(AppError):
    """The queue is full; come back after ``Retry-After`` seconds."""

    status = 429
    code = "queue_full"
    title = "Too many requests"


class PayloadTooLarge(AppError):
    """The request body is over its limit."""

    status = 413
    code = "payload_too_large"
    title = "Payload too large"


class UnsupportedMedia(AppError):
    """The upload is not of an accepted type."""

    status = 415
    code = "unsupported_media_type"
    title = "Unsupported media type"


class ServiceUnavailable(AppError):
    """A part that this request needs is not reachable."""

    status = 503
    code = "unavailable"
    title = "Service unavailable"


class NoRoom(ServiceUnavailable):
    """The artifact store, or the disk of a copy, has no room for what should be written."""

    status = 507
    code = "disk_full"
    title = "Disk full"


class ArtifactMissing(AppError):
    """The record names an artifact that the store does not hold."""

    status = 500
    code = "artifact_missing"
    title = "Artifact missing"


class SettingsInvalid(AppError):
    """A setting cannot be used; ``detail`` names the variable."""

    code = "settings_invalid"
    title = "Invalid setting"
