import csv
import io
import re
from typing import Any

import pytest

from tests.api.records import Records
from tests.api.web import TestClient

AS_CSV = {"Accept": "text/csv"}


def rows(text: str) -> list[dict[str, Any]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_the_list_is_a_table_too_page_by_page(client: TestClient, records: Records) -> None:
    dataset = records.dataset()
    for rate in (0.5, 0.1, 0.3):
        records.finished(dataset, error_rate=rate)
    client.patch("/runs/2", json={"name": 'a "good", one', "tags": ["good", "first"], "note": "two\nlines"})
    answer = client.get("/runs?sort=error_rate&limit=2&state=succeeded", headers=AS_CSV)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["vary"] == "Accept"
    best, second = rows(answer.text)
    assert (best["id"], best["name"], best["error_rate"]) == ("2", 'a "good", one', "0.1")
    assert (best["tags"], best["note"], best["dataset"]) == ("first good", "two\nlines", "pets")
    assert second["note"] == ""
    following = re.fullmatch(r'<(\?[^>]+)>; rel="next"', answer.headers["link"])
    assert following is not None
    last = client.get(f"/runs{following[1]}", headers=AS_CSV)
    assert [row["id"] for row in rows(last.text)] == ["1"]
    assert "link" not in last.headers
    listed = client.get("/runs", headers={"Accept": "text/csv, application/json"})
    assert listed.headers["content-type"] == "application/json"


@pytest.mark.thorough
def test_the_whole_table_has_all_runs_that_the_filters_leave(client: TestClient, records: Records) -> None:
    dataset = records.dataset()
    for _ in range(203):
        records.run(dataset)
    records.finished(dataset)
    answer = client.get("/runs.csv")
    assert answer.headers["content-disposition"] == 'attachment; filename="runs.csv"'
    assert [int(row["id"]) for row in rows(answer.text)] == list(range(204, 0, -1))
    assert [row["id"] for row in rows(client.get("/runs.csv?state=succeeded").text)] == ["204"]
    assert client.get("/runs.csv?limit=2").status_code == 422


def test_no_cell_is_a_formula(client: TestClient, records: Records) -> None:
    run = records.finished()
    for text in ("=1+1", "+1", "-1", "@SUM(A1)"):
        client.patch(f"/runs/{run.id}", json={"name": text, "note": text})
        (row,) = rows(client.get("/runs.csv").text)
        assert (row["name"], row["note"]) == (f"'{text}", f"'{text}")
