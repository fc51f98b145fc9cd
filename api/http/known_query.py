"""Names in an address' query that no route reads: ignored, a slip of the pen would change the answer unsaid."""

from collections.abc import Iterator
from difflib import get_close_matches

from fastapi import Request
from fastapi.dependencies.models import Dependant

from store.errors import InvalidRequest

_LIKE_ENOUGH = 0.6
_MOST_SHOWN = 60
_MOST_COMPARED = 20


class UnknownQuery(InvalidRequest):
    """The query has a name that the route does not know."""

    status = 422


async def only_known_query(request: Request) -> None:
    """Refuse a query with a name that the route does not read.

    Raises:
        UnknownQuery: it has one.
    """
    if not request.scope["query_string"]:
        return
    route = request.scope.get("route")
    dependant = getattr(route, "dependant", None)
    # The page reads its own address, and whatever else a link to it may have.
    if not isinstance(dependant, Dependant) or not getattr(route, "include_in_schema", True):
        return
    known = sorted(set(_names(dependant)))
    unknown = next((name for name in request.query_params if name not in known), None)
    if unknown is not None:
        field = f"query.{unknown[:_MOST_SHOWN]}"
        raise UnknownQuery("there is no such parameter here", _meant(unknown, known), field=field)


def _names(dependant: Dependant) -> Iterator[str]:
    for one in dependant.query_params:
        fields = getattr(one.field_info.annotation, "model_fields", None)
        yield from [one.alias] if fields is None else [field.alias or name for name, field in fields.items()]
    for below in dependant.dependencies:
        yield from _names(below)


def _meant(name: str, known: list[str]) -> str:
    if not known:
        return "Leave it out: there are none here."
    short = name.lower().replace("-", "_")[:_MOST_COMPARED]
    near = get_close_matches(short, known, n=1, cutoff=_LIKE_ENOUGH)
    return f"Did you mean {near[0]}?" if near else f"Those here are {', '.join(known)}."
