from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from fastapi import FastAPI

from api.app import create_app
from store.db.paging import encode_cursor
from store.db.reading import get_job, list_jobs
from store.settings import Settings
from store.states import State
from tests.api.fake_classifier import FakeClassifier
from tests.api.records import Records
from tests.api.web import TestClient

TRAIN = {"kind": "train", "dataset": "pets", "config": {"arch": "resnet18", "epochs": 1}}


def test_a_train_job_is_queued_with_its_run_and_published(client: TestClient, records: Records, app: FastAPI) -> None:
    records.dataset()
    answer = client.post("/jobs", json={**TRAIN, "name": "first"})
    assert answer.status_code == 202, answer.text
    job = answer.json()
    assert answer.headers["location"] == f"/jobs/{job['id']}"
    assert (job["kind"], job["state"], job["attempt"]) == ("train", "queued", 0)
    run = client.get(f"/runs/{job['run']}").json()
    assert run["name"] == "first"
    assert run["config"]["phases"][1]["lr_max"] == pytest.approx([1e-5, 1e-4, 1e-3])
    assert client.get(f"/jobs/{job['id']}").json() == job
    with app.state.services.celery.connection_for_read() as connection:
        assert connection.default_channel.client.llen("pedigree") == 1


def test_a_dry_run_resolves_and_stores_nothing(client: TestClient, records: Records) -> None:
    records.dataset()
    answer = client.post("/jobs?dry_run=true", json=TRAIN)
    assert answer.status_code == 200
    assert [phase["freeze"] for phase in answer.json()["config"]["phases"]] == [True, False]
    assert answer.json()["forecast"] is None
    assert answer.json()["forecast_reason"]
    assert client.get("/jobs").json()["items"] == []
    assert client.get("/runs").json()["items"] == []
    assert client.post("/jobs?dry_run=true", json={**TRAIN, "dataset": "none"}).status_code == 404


def test_the_same_key_and_body_is_the_same_job(client: TestClient, records: Records) -> None:
    records.dataset()
    headers = {"Idempotency-Key": "a-key"}
    first = client.post("/jobs", json=TRAIN, headers=headers)
    # Written differently, but the same request: the defaults are spelt out.
    again = client.post("/jobs", json={**TRAIN, "from_run": None}, headers=headers)
    other = client.post("/jobs", json={**TRAIN, "name": "other"}, headers=headers)
    assert (first.status_code, again.status_code, other.status_code) == (202, 200, 409)
    assert again.json()["id"] == first.json()["id"]
    assert again.headers["location"] == first.headers["location"]
    assert other.json()["code"] == "idempotency_conflict"
    assert len(client.get("/jobs").json()["items"]) == 1


def test_concurrent_duplicates_make_one_job(client: TestClient, records: Records) -> None:
    records.dataset()

    def post(_: int) -> Any:  # noqa: ANN401 - JSON
        return client.post("/jobs", json=TRAIN, headers={"Idempotency-Key": "raced"})

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(post, range(8)))
    assert {answer.status_code for answer in answers} <= {200, 202}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert [answer.status_code for answer in answers].count(202) == 1
    assert len(client.get("/runs").json()["items"]) == 1


def test_without_a_broker_the_job_is_still_on_record(settings: Settings, records: Records) -> None:
    records.dataset()
    away = settings.model_copy(update={"redis_url": "redis://127.0.0.1:1/0"})
    with TestClient(create_app(away, load=FakeClassifier.load), base_url="http://localhost") as client:
        answer = client.post("/jobs", json=TRAIN)
        assert answer.status_code == 202
        with records.sessions.begin() as session:
            job = get_job(session, answer.json()["id"])
            assert job.published_at is None
            assert job.state == State.QUEUED


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"dataset": "none"}, 404, "not_found"),
        ({"dataset": "../etc"}, 422, "invalid_request"),
        ({"config": {"arch": "resnet43"}}, 422, "unknown_arch"),
        ({"config": {"batch_size": 0}}, 422, "invalid_request"),
        ({"config": {"nonsense": 1}}, 422, "invalid_request"),
        ({"config": {"recipe": "nonsense"}}, 422, "invalid_request"),
        ({"config": {"size": 500}}, 422, "invalid_request"),
        ({"config": {"seed": 2**63}}, 422, "invalid_request"),
        ({"config": None}, 422, "invalid_request"),
        ({"kind": "lr_find"}, 422, "invalid_request"),
        ({"from_run": 7}, 404, "not_found"),
        ({"from_run": 2**64}, 422, "invalid_request"),
        ({"name": ""}, 422, "invalid_request"),
        ({"name": "x" * 201}, 422, "invalid_request"),
        ({"name": "a\x00b"}, 422, "invalid_request"),
        ({"more": 1}, 422, "invalid_request"),
    ],
)
def test_a_request_that_cannot_be_is_refused(
    client: TestClient, records: Records, change: dict[str, Any], status: int, code: str
) -> None:
    records.dataset()
    answer = client.post("/jobs", json={**TRAIN, **change})
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    with records.sessions.begin() as session:
        assert list_jobs(session).items == []


def test_an_unknown_arch_is_answered_with_near_names(client: TestClient, records: Records) -> None:
    records.dataset()
    answer = client.post("/jobs", json={**TRAIN, "config": {"arch": "resnet43"}})
    assert "resnet34" in answer.json()["hint"]


def test_a_wrong_field_is_named_with_its_value(client: TestClient) -> None:
    answer = client.post("/jobs", json={**TRAIN, "config": {"batch_size": 0, "valid_pct": 2}})
    problem = answer.json()
    wrong = {error["field"].rpartition(".")[2]: error["value"] for error in problem["errors"]}
    assert wrong == {"batch_size": "0", "valid_pct": "2"}
    assert problem["detail"].endswith(problem["errors"][0]["message"])


def test_a_parent_must_have_succeeded_and_must_fit(client: TestClient, records: Records) -> None:
    dataset = records.dataset()
    waiting, _ = records.run(dataset)
    parent = records.finished(dataset)
    other = records.dataset("others", vocab=["Bengal", "pug"])

    def post(**change: Any) -> Any:  # noqa: ANN401 - JSON
        return client.post("/jobs", json={**TRAIN, **change})

    assert post(from_run=waiting.id).json()["code"] == "not_ready"
    wrong_arch = post(from_run=parent.id, config={"arch": "resnet34"})
    assert (wrong_arch.status_code, wrong_arch.json()["code"]) == (400, "invalid_request")
    assert "resnet18" in wrong_arch.json()["hint"]
    assert post(from_run=parent.id, dataset=other.name).status_code == 400
    child = post(from_run=parent.id)
    assert child.status_code == 202
    assert client.get(f"/runs/{child.json()['run']}").json()["parent"] == parent.id


def test_an_interpret_job_is_of_the_finished_run(client: TestClient, records: Records) -> None:
    run = records.finished()
    waiting, _ = records.run(run.dataset)
    answer = client.post("/jobs", json={"kind": "interpret", "run": run.id})
    assert answer.status_code == 202
    assert (answer.json()["kind"], answer.json()["run"]) == ("interpret", run.id)
    # The run's own state stays that of its training.
    assert client.get(f"/runs/{run.id}").json()["state"] == "succeeded"
    assert client.post("/jobs", json={"kind": "interpret", "run": waiting.id}).json()["code"] == "not_ready"
    assert client.post("/jobs", json={"kind": "interpret", "run": 99}).status_code == 404
    tta = client.post("/jobs", json={"kind": "interpret", "run": run.id, "config": {"tta": True}})
    assert tta.status_code == 422
    dry = client.post("/jobs?dry_run=true", json={"kind": "interpret", "run": run.id})
    assert dry.json()["config"] == {"tta": False}


def test_cancel_and_resume_follow_the_states(client: TestClient, records: Records) -> None:
    _, job = records.run(records.dataset())
    assert client.post(f"/jobs/{job.id}/resume").status_code == 409
    cancelled = client.post(f"/jobs/{job.id}/cancel")
    assert (cancelled.status_code, cancelled.json()["state"]) == (202, "cancelled")
    again = client.post(f"/jobs/{job.id}/cancel")
    assert (again.status_code, again.json()["code"]) == (409, "state_conflict")
    resumed = client.post(f"/jobs/{job.id}/resume")
    assert (resumed.status_code, resumed.json()["state"]) == (202, "queued")
    records.move(job, State.RUNNING)
    assert client.post(f"/jobs/{job.id}/cancel").json()["state"] == "cancelling"


def test_a_failed_job_says_why(client: TestClient, records: Records) -> None:
    _, job = records.run(records.dataset())
    records.move(job, State.RUNNING, State.FAILED)
    found = client.get(f"/jobs/{job.id}").json()
    assert found["state"] == "failed"
    assert found["error"] == {"code": "loss_diverged", "detail": "NaN at step 3", "hint": None}
    assert found["finished_at"].endswith("Z")


def test_lists_are_paged_and_filtered(client: TestClient, records: Records) -> None:
    dataset = records.dataset()
    jobs = [records.run(dataset)[1] for _ in range(3)]
    records.move(jobs[0], State.RUNNING)
    first = client.get("/jobs?limit=2").json()
    assert [job["id"] for job in first["items"]] == [jobs[2].id, jobs[1].id]
    rest = client.get("/jobs", params={"limit": 2, "cursor": first["next_cursor"]}).json()
    assert [job["id"] for job in rest["items"]] == [jobs[0].id]
    assert rest["next_cursor"] is None
    assert [job["id"] for job in client.get("/jobs?state=running").json()["items"]] == [jobs[0].id]
    assert client.get("/jobs?kind=interpret").json()["items"] == []
    assert client.get("/jobs?state=nonsense").status_code == 422
    assert client.get("/jobs?limit=201").status_code == 422
    assert client.get("/jobs?cursor=nonsense").status_code == 400
    forged = encode_cursor((2**52,))
    assert client.get("/jobs", params={"cursor": forged}).json()["code"] == "invalid_request"
