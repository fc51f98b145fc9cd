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
Key = tuple[float | int | None, ...]


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


def decode_cursor(cursor: str, *, nullable_first: bool = False, length: int = 1) -> list[Any]:
    """The sort key: ``length`` numbers, the last an id, the first perhaps null.

    Raises:
        InvalidRequest: the word was not made by ``encode_cursor`` for such a list.
    """
    try:
        key = json.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error):
        key = None
    if not isinstance(key, list) or len(key) != length or not _is_key(key, nullable_first):
        hint = "Take next_cursor of the page before, with the same filters and sort."
        raise InvalidRequest(f"cursor {cursor[:80]!r} is not one of this list", hint=hint)
    return key


def _is_key(key: list[Any], nullable_first: bool) -> bool:
    *first, row_id = key
    numbers = [part for part in first if not (part is None and nullable_first)]
    return type(row_id) is int and abs(row_id) < 2**53 and all(type(part) in {int, float} for part in numbers)
