"""The shape of every error answer (RFC 9457)."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from api.schemas.dependents import DependentsOut
from api.schemas.lanes import LaneOut
from store.lanes import Lane

PROBLEM_TYPE = "application/problem+json"


_FIELD = "path of the input at fault; `detail` is said of it, and does not name it again"
_VALUE = "what was sent there, as ASCII and in 80 characters at most; left out where nothing was"


class FieldProblem(BaseModel):
    """One wrong field of a request."""

    field: str = Field(description=_FIELD, examples=["body.config.batch_size"])
    detail: str = Field(description="what is wrong with it", examples=["it is below 2"])
    hint: str = Field(description="the one thing to change, a sentence", examples=["Give 2 or more."])
    value: str | None = Field(None, description=_VALUE, examples=["0"])


class HelpfulRequest(BaseModel):
    """A request that does what the hint says, or shows more."""

    model_config = ConfigDict(from_attributes=True)

    method: Literal["GET", "POST"]
    path: str = Field(examples=["/runs"])
    body: dict[str, Any] | None = Field(None, description="what is known of it")


class Problem(BaseModel):
    """An error: ``code`` is stable, the sentences are for people and may change."""

    type: str = Field("about:blank", examples=["about:blank"])
    title: str = Field(examples=["Not found"])
    status: int = Field(examples=[404])
    detail: str = Field(description="what went wrong", examples=["there is no run 12"])
    code: str = Field(examples=["not_found"])
    hint: str | None = Field(
        None, description="the one thing to change, a sentence or two", examples=["Name one of the runs on record."]
    )
    request: HelpfulRequest | None = None
    field: str | None = Field(None, description=_FIELD, examples=["body.dataset"])
    value: str | None = Field(None, description=_VALUE, examples=["'pets'"])
    errors: list[FieldProblem] | None = Field(None, description="every wrong field; the first is the problem's own")
    more_errors: bool | None = Field(None, description="more fields are wrong than `errors` lists")
    request_id: str | None = Field(None, description="under which the service's log has more; a header has it too")
    dependents: DependentsOut | None = Field(None, description="DELETE /runs/{id}: what hangs on the run")
    parts: dict[str, str] | None = Field(None, description="GET /readyz: each part, and what is wrong with it")
    lanes: dict[Lane, LaneOut] | None = Field(None, description="GET /readyz: each lane's workers and queued jobs")


_TITLES = {
    400: "Bad request; the detail names what is impossible",
    401: "A key is needed, or the one that was sent is not good",
    403: "Refused: the key's scope is too small, or the request comes from another site",
    404: "It does not exist",
    408: "The body stopped coming, or comes too slowly",
    409: "Not now, or not for this: see the code",
    412: "The version of the protocol is not spoken here",
    413: "Too large",
    415: "Not a type that is accepted",
    422: "A field has the wrong shape; `errors` names each",
    423: "Another request is at work on it; send it again in a moment",
    429: "Too busy; come back after Retry-After",
    503: "A part of the service is not ready",
    507: "A disk of the service is full",
}

_ANY_ROUTE = frozenset({401, 403, 422, 429, 503})


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """OpenAPI's description of the error answers of a route; 401, 403, 422, 429 and 503 are every route's."""
    content = {PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": _TITLES[status], "content": content} for status in sorted({*statuses, *_ANY_ROUTE})}
