"""The shape of every error answer (RFC 9457)."""

from typing import Any

from pydantic import BaseModel, Field

from api.schemas.lanes import LaneOut
from store.lanes import Lane

PROBLEM_TYPE = "application/problem+json"


class FieldProblem(BaseModel):
    """One wrong field of a request."""

    field: str = Field(examples=["body.config.batch_size"])
    message: str = Field(examples=["Input should be greater than or equal to 2"])
    value: str | None = Field(None, description="what was sent, shortened", examples=["0"])


class Problem(BaseModel):
    """An error: ``code`` is stable, ``detail`` tells this occurrence, ``hint`` the one thing to change."""

    type: str = Field("about:blank", examples=["about:blank"])
    title: str = Field(examples=["Not found"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["run 12 does not exist"])
    code: str = Field(examples=["not_found"])
    hint: str | None = Field(None, examples=["GET /runs lists the runs."])
    errors: list[FieldProblem] | None = None
    more_errors: bool | None = Field(None, description="more fields are wrong than `errors` lists")
    parts: dict[str, str] | None = Field(None, description="GET /readyz: each part, and what is wrong with it")
    lanes: dict[Lane, LaneOut] | None = Field(None, description="GET /readyz: each lane's workers and queued jobs")


_TITLES = {
    400: "Bad request; the detail names what is impossible",
    403: "Refused: the request comes from another site",
    404: "It does not exist",
    409: "Not now, or not for this: see the code",
    413: "Too large",
    415: "Not a type that is accepted",
    422: "A field has the wrong shape; `errors` names each",
    429: "Too busy; come back after Retry-After",
    503: "A part of the service is not ready",
    507: "A disk of the service is full",
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """OpenAPI's description of the error answers of a route; 422 and 503 are every route's."""
    content = {PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": _TITLES[status], "content": content} for status in sorted({*statuses, 422, 503})}
