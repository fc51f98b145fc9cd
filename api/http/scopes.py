"""Which key each route needs: one table, which a test holds against the app's routes."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from fastapi import Request
from starlette.routing import BaseRoute, Route

from store.access import Scope
from store.errors import AppError


class Rule(Enum):
    """What holds where no scope decides."""

    OPEN = "no key is asked for"
    ANY_KEY = "no route is there: who has any key is told so"
    UNLISTED = "a route that the table does not have"


Needed = Scope | Rule
Operation = tuple[str, str]
"""A method, and a path as its route has it."""

# Who may only predict sees what answers, and what is kept of answers whose random id it was given.
_PREDICT = """
POST /predict
POST /predict/explain
GET /predictions/keeping
GET /predictions/{prediction}
GET /predictions/{prediction}/photo
POST /predictions/{prediction}/feedback
DELETE /predictions/{prediction}
GET /models
GET /models/{version}
GET /models/{version}/drift
GET /models/{version}/shadow
GET /models/aliases
GET /models/aliases/{alias}
GET /models/aliases/{alias}/moves
GET /limits
GET /session
POST /session
DELETE /session
GET /readyz
GET /metrics
GET /openapi.json
"""

# Who trains sees all data sets and runs, adds to them, and takes models away.
_TRAIN = """
POST /jobs
GET /jobs
GET /jobs/{job_id}
POST /jobs/{job_id}/cancel
POST /jobs/{job_id}/resume
POST /jobs/archives
GET /jobs/{job_id}/answers/{name}
GET /jobs/{job_id}/label-next
GET /jobs/{job_id}/events
GET /jobs/{job_id}/trials
GET /jobs/{job_id}/figures/{name}
GET /events
GET /config
GET /architectures
GET /workers
GET /runs
GET /runs.csv
GET /runs/{run_id}
PATCH /runs/{run_id}
GET /runs/{run_id}/metrics
GET /runs/{run_id}/confusion
GET /runs/{run_id}/top-losses
GET /runs/{run_id}/predictions
GET /runs/{run_id}/items
GET /runs/{run_id}/items/{item}/image
GET /runs/{run_id}/dependents
GET /runs/{run_id}/artifacts/{name}
GET /runs/{run_id}/figures/{name}
GET /runs/{run_id}/lr-find
GET /runs/compare
GET /runs/compare/items
GET /runs/compare/figures/{name}
POST /datasets
GET /datasets
POST /datasets/builtin
GET /datasets/{name}
GET /datasets/{name}/batch.png
GET /datasets/{name}/presizing.png
GET /datasets/{name}/summary
GET /datasets/{name}/items
GET /datasets/{name}/items/{item}/image
GET /datasets/{name}/review
POST /datasets/{name}/revisions
POST /datasets/{name}/from-feedback
OPTIONS /uploads
POST /uploads
OPTIONS /uploads/{upload_id}
GET /uploads/{upload_id}
PATCH /uploads/{upload_id}
DELETE /uploads/{upload_id}
GET /uploads/{upload_id}/photo
POST /uploads/{upload_id}/try-labels
POST /label-rules/try
GET /models/{name}/export
POST /models/{version}/breeds
GET /predictions
"""

# What answers everybody, what is gone for good, and who may come in.
_ADMIN = """
POST /models
PUT /models/aliases/{alias}
DELETE /models/aliases/{alias}
POST /models/aliases/{alias}/rollback
POST /models/aliases/{alias}/canary/promote
DELETE /models/aliases/{alias}/canary
DELETE /runs/{run_id}
DELETE /datasets/{name}
DELETE /predictions
GET /keys
POST /keys
DELETE /keys/{key_id}
GET /audit
GET /webhooks
POST /webhooks
DELETE /webhooks/{webhook_id}
POST /webhooks/{webhook_id}/test
GET /webhooks/{webhook_id}/deliveries
"""

# The page's own files, by which it asks for a key, and the way to the identity provider and back. They tell nothing of
# what the service holds.
_OPEN = """
GET /healthz
GET /sign-in
GET /sign-in/provider
GET /sign-in/callback
GET /
GET /ui/{place:path}
GET /ui/assets/plotly.min.js
GET /ui/assets/of/{digest}/{name:path}
GET /ui/assets/{name:path}
GET /docs
GET /docs/{name}
"""


def _operations(lines: str) -> Iterator[Operation]:
    for line in lines.split("\n"):
        method, _, path = line.partition(" ")
        if method:
            yield method, path


SCOPES: Final[dict[Operation, Needed]] = {
    operation: needed
    for needed, lines in (
        (Scope.PREDICT, _PREDICT),
        (Scope.TRAIN, _TRAIN),
        (Scope.ADMIN, _ADMIN),
        (Rule.OPEN, _OPEN),
    )
    for operation in _operations(lines)
}

JUDGED: Final = "pedigree.operation"
"""Under this name a request's scope has the operation that its key was held against."""


@dataclass(frozen=True)
class _Listed:
    method: str
    path: str
    pattern: re.Pattern[str]


class Scopes:
    """Finds what a request needs, before its body is read: by the same patterns, in the same order, as its route is."""

    def __init__(self, routes: Iterable[BaseRoute], table: Mapping[Operation, Needed] = SCOPES) -> None:
        self._table = table
        self._listed = [
            _Listed(method, route.path, route.path_regex)
            for route in routes
            if isinstance(route, Route)
            for method in sorted(route.methods or ())
        ]

    @property
    def operations(self) -> set[Operation]:
        """All that the app answers; a HEAD is a GET."""
        return {(one.method, one.path) for one in self._listed if one.method != "HEAD"}

    def needed(self, method: str, path: str) -> tuple[Needed, Operation | None]:
        """What a request needs, and which operation that was found for."""
        asked = "GET" if method == "HEAD" else method
        operation = self._find(asked, path)
        if operation is not None:
            return self._table.get(operation, Rule.UNLISTED), operation
        # With a slash too many or too few the answer leads to the other.
        other = self._find(asked, path[:-1] if path.endswith("/") else f"{path}/")
        return (Rule.ANY_KEY if other is None else self._table.get(other, Rule.UNLISTED)), None

    def _find(self, method: str, path: str) -> Operation | None:
        for one in self._listed:
            if one.method == method and one.pattern.match(path):
                return method, one.path
        return None


class Unlisted(AppError):
    """A route was added and nobody said who may use it."""

    status = 403
    code = "route_unlisted"
    title = "Route without a scope"


def unlisted(method: str, path: str) -> Unlisted:
    """The refusal of a route that the table does not have."""
    return Unlisted(f"nobody has said which key {method} {path} needs", "Add it to the table of scopes.")


async def only_judged(request: Request) -> None:
    """Refuse where the route that serves is not the one that the key was held against.

    Raises:
        Unlisted: it is another, or none that the table has.
    """
    scope = request.scope
    path = getattr(scope.get("route"), "path", None)
    method = "GET" if scope["method"] == "HEAD" else scope["method"]
    if scope.get(JUDGED) != (method, path):
        raise unlisted(method, str(path))
