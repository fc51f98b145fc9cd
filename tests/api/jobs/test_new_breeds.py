"""Breeds that are asked to be added to a version: what is refused, and the run that does it."""

from typing import Any

import pytest
from sqlalchemy import update

from api.schemas.new_breeds import AddedOut
from store.db.models import Dataset, Job, Run
from store.db.reading import get_job
from store.db.records import record_added
from store.states import State
from tests.api.records import VOCAB, Records
from tests.api.web import TestClient

FOUND = {
    "breeds": [{"breed": "collie", "photos": 7, "wrong": 1}],
    "photos": 7,
    "wrong": 1,
    "error_rate": 1 / 7,
    "low": 0.004,
    "high": 0.58,
    "confidence": 0.95,
    "folds": 7,
    "taken_for_known": 1,
    "refused": None,
    "known_photos": 21,
    "known_error_before": 0.25,
    "known_error_after": 0.25,
    "taken_for_new": 0,
    "sentence": "1 of 7",
    "version": 2,
}


def version_of(client: TestClient, run: Run) -> int:
    return int(client.post("/models", json={"run": run.id}).json()["version"])


def ask(client: TestClient, version: int, dataset: str, **headers: str) -> Any:  # noqa: ANN401 - a response
    return client.post(f"/models/{version}/breeds", json={"dataset": dataset}, headers=headers)


def test_a_run_goes_on_from_the_version_s_with_the_new_breeds(client: TestClient, records: Records) -> None:
    parent = records.finished(size=160)
    version = version_of(client, parent)
    records.dataset("new", vocab=["collie", "akita"])
    answer = ask(client, version, "new")
    assert answer.status_code == 202, answer.text
    job = answer.json()
    assert (job["kind"], job["state"]) == ("train", "queued")
    run = client.get(f"/runs/{job['run']}").json()
    assert (run["parent"], run["recipe"], run["dataset"]["name"], run["added"]) == (
        parent.id,
        "add_breeds",
        "pets",
        None,
    )
    assert run["config"]["size"] == 160
    assert run["config"]["phases"] == []
    assert run["config"]["added"] == [{"dataset": "new", "revision": "revision-of-new", "breeds": ["collie", "akita"]}]
    # What it will know is asked for by whoever goes on from it.
    assert client.delete("/datasets/new").json()["code"] == "dataset_in_use"


def test_the_same_key_is_the_same_job(client: TestClient, records: Records) -> None:
    version = version_of(client, records.finished())
    for name in ("new", "other"):
        records.dataset(name, vocab=[name])
    first, again = (ask(client, version, "new", **{"Idempotency-Key": "one"}) for _ in range(2))
    assert (first.status_code, again.status_code) == (202, 200)
    assert first.json()["id"] == again.json()["id"]
    other = ask(client, version, "other", **{"Idempotency-Key": "one"})
    assert other.status_code == 409


@pytest.mark.parametrize(
    ("vocab", "photos", "status", "code", "says"),
    [
        (["collie", "pug"], 7, 409, "breeds_known", "knows 'pug' already"),
        (["collie", "Pug"], 7, 409, "breeds_known", "knows 'Pug' as 'pug' already"),
        (["collie"], 1, 400, "invalid_request", "fewer than 2 photos of 'collie'"),
        (["collie"], 2001, 400, "invalid_request", "more than 2000"),
    ],
)
def test_what_cannot_be_added_is_refused_in_words(
    client: TestClient, records: Records, vocab: list[str], photos: int, status: int, code: str, says: str
) -> None:
    version = version_of(client, records.finished())
    with records.sessions.begin() as session:
        made = records.dataset("new", vocab=vocab)
        summary = {"per_breed": dict.fromkeys(vocab, photos)}
        session.execute(update(Dataset).where(Dataset.id == made.id).values(items=photos * len(vocab), summary=summary))
    answer = ask(client, version, "new")
    assert answer.status_code == status, answer.text
    told = answer.json()
    assert told["code"] == code
    assert says in told["detail"]
    assert told["hint"]


def test_no_such_version_and_no_such_dataset(client: TestClient, records: Records) -> None:
    assert ask(client, 9, "new").status_code == 404
    answer = ask(client, version_of(client, records.finished()), "new")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_a_training_of_a_single_breed_is_refused(client: TestClient, records: Records) -> None:
    records.dataset("new", vocab=["collie"])
    answer = client.post("/jobs", json={"kind": "train", "dataset": "new", "config": {"batch_size": 4}})
    assert answer.status_code == 400
    assert "nothing to tell apart" in answer.json()["detail"]


def test_what_came_of_it_is_told_and_more_can_be_added(client: TestClient, records: Records) -> None:
    version = version_of(client, records.finished())
    for name in ("collie", "akita"):
        records.dataset(name, vocab=[name])
    job = ask(client, version, "collie").json()
    with records.sessions.begin() as session:
        record_added(session, job["run"], FOUND)
    records.move(job_of(records, job["id"]), State.RUNNING, State.SUCCEEDED)
    run = client.get(f"/runs/{job['run']}").json()
    assert run["added"] == AddedOut.model_validate(FOUND).model_dump()
    assert run["curves"] == []
    second = client.post("/models", json={"run": job["run"]}).json()["version"]
    assert "knows 'collie' already" in ask(client, second, "collie").json()["detail"]
    more = ask(client, second, "akita").json()
    added = client.get(f"/runs/{more['run']}").json()["config"]["added"]
    assert [one["breeds"] for one in added] == [["collie"], ["akita"]]
    # A training goes on from it on a dataset with all its breeds, and on no other.
    records.dataset("all", vocab=sorted([*VOCAB, "collie"]))
    asked = {"kind": "train", "from_run": job["run"], "config": {"recipe": "one_cycle"}}
    assert client.post("/jobs", json={**asked, "dataset": "all"}).status_code == 202
    assert client.post("/jobs", json={**asked, "dataset": "pets"}).json()["code"] == "vocabulary_differs"


def job_of(records: Records, job_id: int) -> Job:
    with records.sessions.begin() as session:
        return get_job(session, job_id)
