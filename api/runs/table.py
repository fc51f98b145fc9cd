"""The list of runs as CSV."""

from collections.abc import Iterator, Sequence
from urllib.parse import urlencode

from fastapi import Response
from sqlalchemy.orm import Session, sessionmaker

from api.http.tables import CSV
from api.runs.listing import page_of_runs
from api.schemas.fields import PageOut
from api.schemas.run_query import RunListQuery
from api.schemas.runs import RunSummary
from store.db.paging import MAX_LIMIT
from store.db.run_list import RunQuery
from store.spreadsheets import csv_rows

MOST_PAGES = 500
"""Of a whole table, so that no client keeps the service busy without an end."""
_COLUMNS = (
    *("id", "name", "kind", "state", "arch", "recipe", "dataset", "parent", "job"),
    *("error_rate", "error_rate_margin", "valid_loss", "train_loss"),
    *("seconds", "created_at", "started_at", "finished_at"),
    *("tags", "note"),
)


def table_page(page: PageOut[RunSummary], query: RunListQuery) -> Response:
    """A page of the list with its names above it; where another follows, its address is in the header."""
    headers = {}
    if page.next_cursor is not None:
        asked = query.model_dump(mode="json", exclude_defaults=True) | {"cursor": page.next_cursor}
        headers["Link"] = f'<?{urlencode(asked, doseq=True)}>; rel="next"'
    return Response(_names() + _table(page.items), media_type=CSV, headers=headers)


def whole_table(sessions: sessionmaker[Session], asked: RunQuery) -> Iterator[str]:
    """All pages of the list, one by one; each is a transaction of its own, as nobody says how fast it is read."""
    yield _names()
    cursor: str | None = None
    for _ in range(MOST_PAGES):
        with sessions.begin() as session:
            page = page_of_runs(session, asked, cursor, MAX_LIMIT)
        yield _table(page.items)
        cursor = page.next_cursor
        if cursor is None:
            return


def _names() -> str:
    return csv_rows([_COLUMNS])


def _table(runs: Sequence[RunSummary]) -> str:
    return csv_rows([_row(run) for run in runs])


def _row(run: RunSummary) -> list[object]:
    values = run.model_dump(mode="json")
    values |= {"dataset": run.dataset.name, "tags": " ".join(run.tags)}
    return [values[name] for name in _COLUMNS]
