from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from fastapi import FastAPI

from api.app import create_app
from store.db.jobs import save_progress
from store.db.lanes import keep_worker
from store.db.paging import encode_cursor
from store.db.reading import get_job, list_jobs
from store.lanes import Lane
from store.settings import Settings
from store.states import State
from tests.api.fake_classifier import FakeClassifier
from tests.api.records import Records
from tests.api.web import TestClient

A_RECIPE = "'fine_tune', 'one_cycle', 'probe' or 'phases'"
A_RATE = 'a rate from 1e-30 to 1e30, a pair of them (the early layers\' first) or "auto"'
TRAIN = {"kind": "train", "dataset": "pets", "config": {"arch": "resnet18", "epochs": 1, "batch_size": 4}}


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
    later = client.post("/jobs", json=TRAIN).json()
    assert (later["id"], later["run"]) == (answers[0].json()["id"] + 1, answers[0].json()["run"] + 1)


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
    assert (problem["field"], problem["value"]) == ("body.config.batch_size", "0")


@pytest.mark.parametrize(
    ("config", "told"),
    [
        (
            {"recipe": "phases", "phases": [{"freeze": True, "epochs": 0}]},
            ("phases.0.epochs", "0", "it is below 1", "Give 1 or more."),
        ),
        (
            {"recipe": "one_cycle", "lr_max": [1e-3, 1e-5]},
            (
                "lr_max",
                "list of 2",
                "it falls from 0.001 to 1e-05",
                "Give the early layers' rate first: [1e-05, 0.001].",
            ),
        ),
        (
            {"recipe": "phases", "phases": [{"freeze": True, "epochs": 1, "lr_max": [2, 1]}]},
            (
                "phases.0.lr_max",
                "list of 2",
                "it falls from 2.0 to 1.0",
                "Give the early layers' rate first: [1.0, 2.0].",
            ),
        ),
        ({"recipe": "one_cycle", "lr_max": -1}, ("lr_max", "-1", f"it is not {A_RATE}", f"Give {A_RATE}.")),
        ({"recipe": "two_cycles"}, ("recipe", "'two_cycles'", "it is no recipe", f"Give {A_RECIPE}.")),
        ({"recipe": "phases"}, ("phases", None, "it is missing", "Add it.")),
    ],
)
def test_a_config_that_cannot_be_is_one_sentence_about_the_field_that_was_sent(
    client: TestClient, records: Records, config: dict[str, Any], told: tuple[str, ...]
) -> None:
    records.dataset()
    problem = client.post("/jobs", json={**TRAIN, "config": config}).json()
    assert problem["code"] == "invalid_request"
    field, *rest = told
    found = [problem.get(name) for name in ("field", "value", "detail", "hint")]
    assert found == [f"body.config.{field}", *rest]
    assert len(problem["errors"]) == 1


@pytest.mark.parametrize(
    ("sweep", "field", "value", "detail"),
    [
        ({"steps": 1}, "steps", "1", "it is below 2"),
        ({"sweeps": 0}, "sweeps", "0", "it is below 1"),
        ({"start_lr": 10}, "start_lr", "10.0", "it is not below end_lr 10.0"),
        ({"end_lr": 1e-7}, "start_lr", "1e-07", "it is not below end_lr 1e-07"),
        ({"start_lr": 0}, "start_lr", "0", "it is not a rate from 1e-30 to 1e30"),
    ],
)
def test_a_sweep_that_cannot_be_is_refused(
    client: TestClient, records: Records, sweep: dict[str, Any], field: str, value: str, detail: str
) -> None:
    records.dataset()
    problem = client.post("/jobs", json={"kind": "lr_find", "dataset": "pets", "config": {"lr_sweep": sweep}}).json()
    assert (problem["status"], problem["code"]) == (422, "invalid_request")
    told = f"body.config.lr_sweep.{field}"
    assert (problem["field"], problem["value"], problem["detail"]) == (told, value, detail)


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "lr_find", "config": {"lr_sweep": {"steps": 22}}},
        {"kind": "train", "config": {"base_lr": "auto", "lr_sweep": {"steps": 22}}},
        {
            "kind": "train",
            "config": {
                "recipe": "phases",
                "phases": [{"freeze": True, "epochs": 1}, {"freeze": False, "epochs": 1, "lr_max": "auto"}],
                "lr_sweep": {"steps": 22},
            },
        },
    ],
)
def test_a_sweep_too_short_for_a_suggestion_is_refused(
    client: TestClient, records: Records, body: dict[str, Any]
) -> None:
    records.dataset()
    asked = {**body, "dataset": "pets", "config": {"batch_size": 4, **body["config"]}}
    problem = client.post("/jobs", json=asked).json()
    assert (problem["status"], problem["code"]) == (422, "sweep_too_short")
    assert problem["field"] == "body.config.lr_sweep.steps"
    assert problem["detail"] == "22 steps are too short a sweep for any suggestion"
    assert problem["hint"] == "Set lr_sweep.steps to 23 or more; 100 is usual."
    asked["config"]["lr_sweep"]["steps"] = 23
    assert client.post("/jobs", json=asked).status_code == 202


@pytest.mark.parametrize("kind", ["train", "lr_find"])
def test_fewer_pictures_than_a_batch_are_refused(client: TestClient, records: Records, kind: str) -> None:
    records.dataset()
    problem = client.post("/jobs", json={"kind": kind, "dataset": "pets", "config": {"batch_size": 18}}).json()
    assert (problem["status"], problem["code"]) == (422, "batch_too_large")
    assert problem["field"] == "body.config.batch_size"
    assert problem["detail"] == "17 training photos of 'pets' are fewer than one batch of 18"
    assert problem["hint"] == "Set batch_size to 17 or less."
    few = client.post("/jobs", json={"kind": kind, "dataset": "pets", "config": {"valid_pct": 0.99}}).json()
    assert few["detail"] == "1 training photos of 'pets' are fewer than one batch of 64"
    assert few["hint"] == "Lower valid_pct, or add photos."
    assert client.get("/runs").json()["items"] == []


def test_an_lr_find_job_is_queued_with_a_run_of_its_kind(client: TestClient, records: Records, app: FastAPI) -> None:
    records.dataset()
    config = {"arch": "resnet18", "batch_size": 4, "freeze": False, "lr_sweep": {"sweeps": 1}}
    answer = client.post("/jobs", json={"kind": "lr_find", "dataset": "pets", "config": config, "name": "how fast"})
    assert answer.status_code == 202, answer.text
    job = answer.json()
    assert (job["kind"], job["state"]) == ("lr_find", "queued")
    run = client.get(f"/runs/{job['run']}").json()
    assert (run["kind"], run["name"], run["state"], run["job"]) == ("lr_find", "how fast", "queued", job["id"])
    assert run["config"]["freeze"] is False
    assert (run["config"]["lr_sweep"]["sweeps"], run["config"]["lr_sweep"]["steps"]) == (1, 100)
    client.post("/jobs", json=TRAIN)
    kinds = {
        kind: [one["id"] for one in client.get(f"/runs?kind={kind}").json()["items"]] for kind in ("lr_find", "train")
    }
    assert kinds["lr_find"] == [run["id"]]
    assert {one["kind"] for one in client.get("/runs").json()["items"]} == {"lr_find", "train"}
    with app.state.services.celery.connection_for_read() as connection:
        assert connection.default_channel.client.llen("pedigree") == 2


def test_a_search_that_failed_is_run_again_and_its_run_follows(client: TestClient, records: Records) -> None:
    run, job = records.run(records.dataset(), kind="lr_find")
    records.move(job, State.RUNNING, State.FAILED)
    assert client.get(f"/runs/{run.id}").json()["state"] == "failed"
    assert client.post(f"/jobs/{job.id}/resume").status_code == 202
    assert client.get(f"/runs/{run.id}").json()["state"] == "queued"


def test_a_job_without_dataset_or_parent_is_refused(client: TestClient) -> None:
    for kind in ("train", "lr_find"):
        problem = client.post("/jobs", json={"kind": kind}).json()
        assert problem["field"] == "body.dataset"
        assert problem["detail"] == "it is missing, and there is no run to start from"
        assert problem["hint"] == "Name one, or a run to start from with from_run."


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
    tta = client.post("/jobs", json={"kind": "interpret", "run": run.id, "config": {"tta": "x"}})
    assert tta.status_code == 422
    dry = client.post("/jobs?dry_run=true", json={"kind": "interpret", "run": run.id})
    assert dry.json()["config"] == {"tta": False, "dataset": None}


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


@pytest.mark.parametrize("end", [State.SUCCEEDED, State.FAILED, State.CANCELLING])
def test_a_job_that_ends_keeps_where_it_stood_and_has_no_time_left(
    client: TestClient, records: Records, end: State
) -> None:
    _, job = records.run(records.dataset(), kind="lr_find")
    records.move(job, State.RUNNING)
    stood = {"stage": "lr_find", "step": 179, "steps": 180, "eta_seconds": 0.84, "stage_eta_seconds": 3.0}
    with records.sessions.begin() as session:
        assert save_progress(session, job.id, 1, stood)
    running = client.get(f"/jobs/{job.id}").json()["progress"]
    assert running == {**running, **stood}
    records.move(job, end)
    ended = {**running, "eta_seconds": None, "stage_eta_seconds": None}
    assert client.get(f"/jobs/{job.id}").json()["progress"] == ended
    assert client.get("/jobs").json()["items"][0]["progress"] == ended


def test_a_failed_job_says_why(client: TestClient, records: Records) -> None:
    _, job = records.run(records.dataset())
    records.move(job, State.RUNNING, State.FAILED)
    found = client.get(f"/jobs/{job.id}").json()
    assert found["state"] == "failed"
    assert found["error"] == {"code": "loss_diverged", "detail": "NaN at step 3", "hint": "Lower the learning rate."}
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


def living(records: Records, *lanes: Lane) -> None:
    with records.sessions.begin() as session:
        keep_worker(session, "a worker", lanes, 60)


def test_a_queued_job_says_what_it_waits_for_wherever_it_is_shown(client: TestClient, records: Records) -> None:
    living(records, Lane.TRAIN)
    run, job = records.run(records.dataset())
    records.move(job, State.RUNNING)
    with records.sessions.begin() as session:
        save_progress(session, job.id, 1, {"stage": "train", "eta_seconds": 812.4})
    held = {"job": job.id, "kind": "train", "run": run.id, "state": "running", "eta_seconds": 812.4}
    following = {"lane": "train", "reason": "busy", "ahead": 0, "behind": held}
    posted = client.post("/jobs", json=TRAIN).json()
    assert posted["waiting"] == following
    later = client.post("/jobs", json=TRAIN, headers={"Idempotency-Key": "k"}).json()
    assert later["waiting"] == following | {"ahead": 1}
    assert client.post("/jobs", json=TRAIN, headers={"Idempotency-Key": "k"}).json()["waiting"] == later["waiting"]
    assert client.get(f"/jobs/{posted['id']}").json()["waiting"] == following
    listed = client.get("/jobs").json()["items"]
    assert [one["waiting"] for one in listed] == [later["waiting"], following, None]
    cancelled = client.post(f"/jobs/{posted['id']}/cancel").json()
    assert (cancelled["state"], cancelled["waiting"]) == ("cancelled", None)
    # A job that is resumed waits at the end.
    assert client.post(f"/jobs/{posted['id']}/resume").json()["waiting"] == later["waiting"]
    assert client.get(f"/jobs/{later['id']}").json()["waiting"] == following


def test_an_import_waits_for_no_training(client: TestClient, records: Records) -> None:
    living(records, Lane.TRAIN)
    _, job = records.run(records.dataset())
    records.move(job, State.RUNNING)
    sample = {"builtin": "sample", "name": "sample"}
    waiting = client.post("/datasets/builtin", json=sample).json()["waiting"]
    assert (waiting["lane"], waiting["reason"], waiting["behind"]) == ("light", "no_worker", None)
    with records.sessions.begin() as session:
        keep_worker(session, "another", {Lane.LIGHT}, 60)
    brought = client.get("/jobs?kind=import").json()["items"]
    assert [one["waiting"]["reason"] for one in brought] == ["starting"]


def test_without_a_broker_a_queued_job_says_that_it_is_not_told_of(settings: Settings, records: Records) -> None:
    records.dataset()
    living(records, Lane.TRAIN)
    away = settings.model_copy(update={"redis_url": "redis://127.0.0.1:1/0"})
    with TestClient(create_app(away, load=FakeClassifier.load), base_url="http://localhost") as client:
        assert client.post("/jobs", json=TRAIN).json()["waiting"]["reason"] == "unpublished"
