import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from store.db.jobs import create_job
from store.db.label_review_table import LabelReview
from store.db.models import Dataset, Job
from store.states import State
from tests.api.conftest import until
from tests.api.datasets.doubtful import manifest_of, photos, predicted_run, revise
from tests.api.kept.conftest import RED, ask
from tests.api.records import Records
from tests.api.web import TestClient

Sessions = sessionmaker[Session]


def relabel(item: int | str, label: str) -> dict[str, Any]:
    return {"item": item, "action": "relabel", "label": label}


def sent_photo(client: TestClient, records: Records, pets: Dataset, *, told: str | None = "pug") -> str:
    run = predicted_run(records, pets)
    assert client.post("/models", json={"run": run.id, "alias": "production"}).is_success
    found: str = ask(client, RED, keep="photo")["id"]
    until(lambda: client.get(f"/predictions/{found}").json()["photo"])
    client.post(f"/predictions/{found}/feedback", json={"breed": told})
    return found


def test_corrections_become_a_job_that_knows_each_of_them(
    client: TestClient, records: Records, sessions: Sessions, pets: Dataset
) -> None:
    told = sent_photo(client, records, pets)
    items = manifest_of(records, pets).items
    changes = [
        relabel(0, "pug"),
        {"item": 3, "action": "drop"},
        {"item": 5, "action": "keep"},
        relabel(6, items[6].label),
        {"item": told, "action": "keep"},
    ]
    answer = revise(client, pets.revision, *changes, reviewer="Ada")
    job = answer.json()
    assert (answer.status_code, job["kind"], job["state"]) == (202, "import", "queued")
    assert answer.headers["location"] == f"/jobs/{job['id']}"
    with sessions.begin() as session:
        payload = session.get_one(Job, job["id"]).payload
        rows = session.scalars(select(LabelReview).order_by(LabelReview.id)).all()
    source = {"kind": "review", "base_id": pets.id, "base_revision": pets.revision}
    assert payload == {"name": "pets", "source": source, "rule": pets.label_rule}
    assert [(row.action, row.label_before, row.label) for row in rows] == [
        ("relabel", "Abyssinian", "pug"),
        ("drop", "Abyssinian", None),
        ("keep", "Abyssinian", "Abyssinian"),
        ("keep", "Abyssinian", "Abyssinian"),
        ("add", "pug", "pug"),
    ]
    assert {(row.dataset, row.job_id, row.reviewer) for row in rows} == {("pets", job["id"], "Ada")}
    assert [row.sha256 for row in rows][:4] == [items[place].sha256 for place in (0, 3, 5, 6)]
    assert all(row.created_at for row in rows)


def test_what_was_decided_about_an_earlier_revision_is_refused(
    client: TestClient, records: Records, pets: Dataset, tmp_path: Path
) -> None:
    (tmp_path / "pets" / "pug_23.jpg").unlink()
    records.dataset_of(tmp_path / "pets", "pets")
    answer = revise(client, pets.revision, relabel(0, "pug"))
    assert (answer.status_code, answer.json()["code"]) == (409, "stale_revision")
    assert answer.json()["field"] == "body.base_revision"


def test_of_corrections_at_once_one_is_taken(client: TestClient, sessions: Sessions, pets: Dataset) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda item: revise(client, pets.revision, relabel(item, "pug")), range(8)))
    codes = sorted(answer.status_code for answer in answers)
    assert codes == [202, *[409] * 7]
    assert {answer.json().get("code") for answer in answers if answer.status_code == 409} == {"state_conflict"}
    with sessions.begin() as session:
        assert len(session.scalars(select(LabelReview)).all()) == 1


def test_once_that_has_ended_the_next_is_taken(client: TestClient, records: Records, pets: Dataset) -> None:
    first = revise(client, pets.revision, relabel(0, "pug")).json()["id"]
    assert revise(client, pets.revision, relabel(1, "pug")).status_code == 409
    client.post(f"/jobs/{first}/cancel")
    with records.sessions.begin() as session:
        assert session.get_one(Job, first).state == State.CANCELLED
    assert revise(client, pets.revision, relabel(1, "pug")).status_code == 202


def test_another_import_does_not_stand_in_the_way(client: TestClient, sessions: Sessions, pets: Dataset) -> None:
    with sessions.begin() as session:
        source = {"kind": "archive", "key": "uploads/x"}
        create_job(session, kind="import", payload={"name": "pets", "source": source, "rule": {}}, max_attempts=1)
    assert revise(client, pets.revision, relabel(0, "pug")).status_code == 202


def test_new_breeds_are_taken_where_they_are_asked_for(client: TestClient, records: Records, pets: Dataset) -> None:
    told = sent_photo(client, records, pets, told="quokka")
    change = {"item": told, "action": "keep"}
    answer = revise(client, pets.revision, change)
    assert (answer.status_code, answer.json()["field"]) == (400, "body.changes.0.label")
    assert revise(client, pets.revision, change, new_labels=True).status_code == 202


def test_photos_that_were_said_to_be_no_breed_can_only_be_relabelled_or_dropped(
    client: TestClient, records: Records, pets: Dataset
) -> None:
    told = sent_photo(client, records, pets, told=None)
    assert revise(client, pets.revision, {"item": told, "action": "keep"}).status_code == 400
    assert revise(client, pets.revision, relabel(told, "pug")).status_code == 202


def test_a_photo_that_was_sent_twice_is_one_photo(client: TestClient, records: Records, pets: Dataset) -> None:
    first = sent_photo(client, records, pets)
    second: str = ask(client, RED, keep="photo")["id"]
    until(lambda: client.get(f"/predictions/{second}").json()["photo"])
    refused = revise(client, pets.revision, relabel(first, "pug"), {"item": second, "action": "drop"})
    assert (refused.status_code, refused.json()["field"]) == (400, "body.changes.1.item")
    assert revise(client, pets.revision, relabel(first, "pug"), relabel(second, "pug")).status_code == 202
    with records.sessions.begin() as session:
        assert len(session.scalars(select(LabelReview)).all()) == 1


def test_a_photo_that_is_gone_cannot_be_added(client: TestClient, records: Records, pets: Dataset) -> None:
    told = sent_photo(client, records, pets)
    client.delete(f"/predictions/{told}")
    answer = revise(client, pets.revision, {"item": told, "action": "keep"})
    assert (answer.status_code, answer.json()["field"]) == (400, "body.changes.0.item")


def test_two_breeds_have_to_be_left(client: TestClient, pets: Dataset) -> None:
    everything = [{"item": item, "action": "drop"} for item in range(16)]
    answer = revise(client, pets.revision, *everything)
    assert (answer.status_code, answer.json()["field"]) == (400, "body.changes")


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ([relabel(24, "pug")], 400),
        ([relabel(0, "poodle")], 400),
        ([relabel(0, "pug"), relabel(0, "Birman")], 400),
        ([relabel(str(uuid4()), "pug")], 400),
        ([], 422),
        ([relabel(-1, "pug")], 422),
        ([relabel(2**40, "pug")], 422),
        ([relabel(True, "pug")], 422),
        ([relabel("0", "pug")], 422),
        ([relabel(0, "pug\x00")], 422),
        ([relabel(0, "")], 422),
        ([relabel(0, "x" * 201)], 422),
        ([{"item": 0, "action": "relabel"}], 422),
        ([{"item": 0, "action": "keep", "label": "pug"}], 422),
        ([{"item": 0, "action": "delete"}], 422),
        ([{"item": 0, "action": "drop", "more": 1}], 422),
        ([{"item": item, "action": "keep"} for item in range(10_001)], 422),
    ],
)
def test_what_cannot_be_is_refused_and_leaves_nothing(
    client: TestClient, sessions: Sessions, pets: Dataset, changes: list[dict[str, Any]], status: int
) -> None:
    answer = revise(client, pets.revision, *changes)
    assert answer.status_code == status, answer.text
    assert len(answer.content) < 20_000
    with sessions.begin() as session:
        assert session.scalars(select(Job)).all() == []
        assert session.scalars(select(LabelReview)).all() == []


def test_ten_thousand_decisions_are_taken(client: TestClient, records: Records, tmp_path: Path) -> None:
    pets = photos(records, tmp_path / "pets", vocab=[f"breed-{number}" for number in range(4)])
    base = manifest_of(records, pets)
    many = base.model_copy(
        update={
            "items": tuple(
                base.items[number % 32].model_copy(update={"path": f"{number:05}.jpg"}) for number in range(10_000)
            )
        }
    )
    records.artifacts.put_bytes(f"datasets/{many.revision}/manifest.json", many.model_dump_json().encode())
    with records.sessions.begin() as session:
        session.get_one(Dataset, pets.id).revision = many.revision
    changes = [relabel(item, "breed-1") if item % 2 else {"item": item, "action": "keep"} for item in range(10_000)]
    assert revise(client, many.revision, *changes).status_code == 202
    with records.sessions.begin() as session:
        assert len(session.scalars(select(LabelReview.id)).all()) == 10_000


def test_the_next_to_label_are_those_that_the_model_can_least_decide(
    client: TestClient, records: Records, sessions: Sessions, pets: Dataset
) -> None:
    rows: list[dict[str, Any]] = [
        {"path": "a.jpg", "probabilities": {"Birman": 0.9, "pug": 0.1}},
        {"path": "b.jpg", "probabilities": {"Birman": 0.51, "pug": 0.49}},
        {"path": "c.jpg", "error": {"code": "not_an_image", "detail": "", "hint": ""}},
        {"path": "d.jpg", "probabilities": {"Birman": 0.05, "pug": 0.95}},
        {"path": "e.jpg", "probabilities": {"Birman": None, "pug": None}},
    ]
    key = "jobs/1-1/predictions.jsonl"
    stored = records.artifacts.put_bytes(key, "\n".join(map(json.dumps, rows)).encode())
    file = {"key": stored.key, "sha256": stored.sha256, "bytes": stored.bytes}
    with sessions.begin() as session:
        payload = {"answers": {"predictions.jsonl": file}, "dataset_id": pets.id}
        job = create_job(session, kind="predict", payload=payload, max_attempts=1, state=State.SUCCEEDED).id
        waiting = create_job(session, kind="predict", payload={}, max_attempts=1).id
        other = create_job(session, kind="import", payload={}, max_attempts=1).id
    found = client.get(f"/jobs/{job}/label-next", params={"limit": 2}).json()
    assert [one["path"] for one in found["items"]] == ["b.jpg", "a.jpg"]
    assert (found["of"], found["by"], found["measured_on"]) == (3, "uncertain", "probabilities")
    assert found["items"][0]["margin"] == pytest.approx(0.02)
    assert found["items"][0]["guesses"][0] == {"breed": "Birman", "probability": 0.51}
    assert (found["dataset"], found["revision"], found["upload"]) == ("pets", pets.revision, None)
    different = client.get(f"/jobs/{job}/label-next", params={"by": "different", "limit": 2}).json()
    assert sorted(one["path"] for one in different["items"]) == ["a.jpg", "d.jpg"]
    assert client.get(f"/jobs/{waiting}/label-next").json()["code"] == "not_ready"
    assert client.get(f"/jobs/{other}/label-next").json()["code"] == "wrong_kind"
    assert client.get("/jobs/999/label-next").status_code == 404
