"""Pages of a list: keyset cursors that are opaque to the caller and stable while rows are added."""

import binascii
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from store.errors import InvalidRequest

MAX_LIMIT = 200

Row = TypeVar("Row")
Key = tuple[float | int | str | None, ...]
SortValue = float | int | str | None


@dataclass(frozen=True)
class Page(Generic[Row]):
    """Some rows of a list, and where the next ones begin; ``next_cursor`` is None on the last page."""

    items: list[Row]
    next_cursor: str | None


def check_limit(limit: int) -> int:
    """The limit itself.

    Raises:
        InvalidRequest: it is not in 1..200.
    """
    if not 1 <= limit <= MAX_LIMIT:
        raise InvalidRequest(f"limit is {limit}", hint=f"Ask for 1 to {MAX_LIMIT} items.")
    return limit


def make_page(rows: Sequence[Row], limit: int, key: Callable[[Row], Key]) -> Page[Row]:
    """A page of ``limit`` rows from a query that asked for one row more."""
    items = list(rows[:limit])
    return Page(items, encode_cursor(key(items[-1])) if len(rows) > limit else None)


def encode_cursor(key: Key) -> str:
    """The sort key of a page's last row as an opaque word."""
    return urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


def decode_cursor(cursor: str) -> list[int]:
    """The sort key of a list by id: the id alone.

    Raises:
        InvalidRequest: the word was not made by ``encode_cursor`` for such a list.
    """
    key = _key_of(cursor)
    if len(key) != 1 or not _is_id(key[0]):
        raise _foreign(cursor)
    return key


def decode_sorted_cursor(cursor: str, order: str, kind: type[float | str]) -> tuple[SortValue, int]:
    """Of a list in an order that has a name: the last row's value, which may be null, and its id.

    Raises:
        InvalidRequest: the word was not made by ``encode_cursor`` for (order, value, id) with a value of that kind.
    """
    key = _key_of(cursor)
    if len(key) != 3 or key[0] != order or not _is_value(key[1], kind) or not _is_id(key[2]):  # noqa: PLR2004 - as said
        raise _foreign(cursor)
    return key[1], key[2]


def _key_of(cursor: str) -> list[Any]:
    try:
        key = json.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error):
        return []
    return key if isinstance(key, list) else []


def _foreign(cursor: str) -> InvalidRequest:
    hint = "Take next_cursor of the page before, with the same filters and sort."
    return InvalidRequest(f"cursor {cursor[:80]!r} is not one of this list", hint=hint)


def _is_id(part: object) -> bool:
    return type(part) is int and abs(part) < 2**53


def _is_value(part: object, kind: type[float | str]) -> bool:
    if part is None:
        return True
    if kind is str:
        return isinstance(part, str) and part.isascii() and part.isprintable()
    return type(part) in {int, float}
