"""A name in the query that no route reads is refused, and the one that was meant is told."""

import pytest

from tests.api.records import Records, jpeg
from tests.api.web import TestClient


@pytest.mark.parametrize(
    ("query", "hint"),
    [
        ("topk=3", "Did you mean top_k?"),
        ("top-k=3", "Did you mean top_k?"),
        ("TTA=true", "Did you mean tta?"),
        ("threshold=0.5", "Those here are coverage, keep, model, top_k, tta."),
    ],
)
def test_a_prediction_is_not_made_otherwise_than_asked(client: TestClient, query: str, hint: str) -> None:
    answer = client.post(f"/predict?{query}", files={"file": jpeg()})
    assert (answer.status_code, answer.json()["hint"]) == (422, hint)


def test_every_operation_refuses_what_it_does_not_know(client: TestClient, records: Records) -> None:
    records.finished()
    paths = client.get("/openapi.json").json()["paths"]
    asked = [(method, path) for path, methods in paths.items() for method in methods]
    assert len(asked) > 30
    for method, path in asked:
        url = path.replace("{name}", "pets").replace("{artifact}", "x")
        for name in ("job_id", "run_id", "item", "figure"):
            url = url.replace(f"{{{name}}}", "1")
        answer = client.request(method, url, params={"no_such_name": "1"}, headers={"Tus-Resumable": "1.0.0"})
        if answer.json().get("field") != "query.no_such_name":
            # What is wrong in the path itself comes first or at the same time.
            assert answer.status_code in {404, 422}, (method, path, answer.text)
            assert "{" in url, (method, path, answer.text)


def test_a_long_name_is_shown_in_short(client: TestClient) -> None:
    answer = client.get("/jobs", params={"x" * 5000: "1"})
    assert answer.status_code == 422
    assert len(answer.json()["field"]) < 120


def test_the_page_reads_its_own_address(client: TestClient) -> None:
    assert client.get("/ui/runs/1?losses=9&utm_source=x").status_code == 200
    assert client.get("/ui/assets/frame/page.js?v=2").status_code == 200
