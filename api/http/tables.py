"""Tables as CSV for who asks for ``text/csv``: any route that answers with rows of JSON."""

import json
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, get_origin
from urllib.parse import urlencode

from fastapi import Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.routing import APIRoute

from api.http.accepts import accepted
from api.http.media_types import JSON
from store.spreadsheets import csv_rows

CSV = "text/csv; charset=utf-8"
AS_CSV: dict[str, Any] = {"content": {"text/csv": {"schema": {"type": "string"}}}}
"""OpenAPI's description of the answer."""
ROWS = ("items", "epochs", "per_class", "figures")
"""Where an answer has its rows, unless it is a list of them."""
Handler = Callable[[Request], Coroutine[Any, Any, Response]]


def wants_table(accept: str) -> bool:
    """Whether a table is asked for by name, and JSON is not or less."""
    kinds = accepted(accept)
    return kinds.get("text/csv", 0) > kinds.get("application/json", 0)


def has_rows(model: Any) -> bool:  # noqa: ANN401 - whatever a route says that it answers with
    """Whether an answer of this model is rows, or has them where `_rows` looks."""
    fields = getattr(model, "model_fields", {})
    places = [model, *(fields[name].annotation for name in ROWS if name in fields)]
    return any(get_origin(place) is list for place in places)


class TableRoute(APIRoute):
    """A route whose rows are also a table; the next page's address is in the header Link, as JSON has its cursor."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **how: Any) -> None:  # noqa: ANN401 - APIRoute's own
        """As any route, and its table is in the OpenAPI document."""
        super().__init__(path, endpoint, **how)
        if self.is_table:
            self.responses = {**self.responses, 200: {**self.responses.get(200, {}), **AS_CSV}}

    @property
    def is_table(self) -> bool:
        """Whether its answer has rows, and is a table for who asks for one."""
        return self.methods == {"GET"} and has_rows(self.response_model)

    def get_route_handler(self) -> Handler:
        """The route's own, and what it says as CSV where that is asked for."""
        serve = super().get_route_handler()
        if not self.is_table:
            return serve

        async def serve_table(request: Request) -> Response:
            answer = await serve(request)
            # What is in between adds its own afterwards.
            answer.headers["Vary"] = "Accept"
            if answer.media_type != JSON or not wants_table(request.headers.get("accept", "")):
                return answer
            return await run_in_threadpool(_as_table, request, answer)

        return serve_table


def _as_table(request: Request, answer: Response) -> Response:
    content = json.loads(bytes(answer.body))
    kept = {name: value for name, value in answer.headers.items() if name not in {"content-length", "content-type"}}
    return _table(_rows(content), _next_page(request, content), kept)


def _rows(content: Any) -> Sequence[Mapping[str, Any]]:  # noqa: ANN401 - as it comes from JSON
    found: Sequence[Mapping[str, Any]] = (
        content
        if isinstance(content, list)
        else next(content[one] for one in ROWS if isinstance(content.get(one), list))
    )
    return found


def _table(rows: Sequence[Mapping[str, Any]], following: str | None, kept: Mapping[str, str]) -> Response:
    flat = [dict(_flat(row)) for row in rows]
    seen = dict.fromkeys(name for row in flat for name in row)
    # What is nothing in one row and has parts in another has its columns by them.
    above = {name[:place] for name in seen for place, letter in enumerate(name) if letter == "."}
    names = [name for name in seen if name not in above or any(row.get(name) is not None for row in flat)]
    headers = dict(kept) | ({"Link": f'<{following}>; rel="next"'} if following else {})
    lines: list[list[object]] = [[row.get(name) for name in names] for row in flat]
    return Response(csv_rows([names, *lines]), media_type=CSV, headers=headers)


def _flat(row: Mapping[str, Any], above: str = "") -> list[tuple[str, Any]]:
    """Nested objects by dotted names; a list of plain values as words, any other as JSON."""
    found: list[tuple[str, Any]] = []
    for name, value in row.items():
        if isinstance(value, dict):
            found += _flat(value, f"{above}{name}.")
        elif isinstance(value, list):
            found.append((above + name, _listed(value)))
        else:
            found.append((above + name, value))
    return found


def _listed(values: list[Any]) -> str:
    if any(isinstance(value, dict | list) for value in values):
        return json.dumps(values, ensure_ascii=False)
    return " ".join(map(str, values))


def _next_page(request: Request, content: Any) -> str | None:  # noqa: ANN401 - as it comes from JSON
    cursor = content.get("next_cursor") if isinstance(content, dict) else None
    if cursor is None:
        return None
    asked = [(name, value) for name, value in request.query_params.multi_items() if name != "cursor"]
    return f"{request.url.path}?{urlencode([*asked, ('cursor', cursor)])}"
