from typing import Any

import pytest
from sqlalchemy.orm import Session, sessionmaker

from api.schemas.studies import SearchRequest
from ml.config import FineTune, resolve
from store.db.jobs import change_state, create_job
from store.db.models import Job, Run
from store.db.records import record_epoch
from store.db.studies import add_study, note_pruned, trials_of
from store.db.study_tables import Study, StudyTrial
from store.states import State
from tests.api.records import Records
from tests.api.web import TestClient

SPACE: dict[str, Any] = {"base_lr": {"low": 1e-4, "high": 1e-2, "log": True}, "size": [96, 128]}
SEARCH: dict[str, Any] = {
    "kind": "search",
    "dataset": "pets",
    "config": {"arch": "resnet18", "epochs": 2, "batch_size": 4},
    "space": SPACE,
    "trials": 4,
    "minutes": 5,
}


def queued(client: TestClient, records: Records, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any field
    records.dataset()
    answer = client.post("/jobs", json={**SEARCH, **changes})
    assert answer.status_code == 202, answer.text
    job: dict[str, Any] = answer.json()
    return job


def queued_search(records: Records) -> int:
    """The same, as the route leaves it."""
    asked = SearchRequest.model_validate(SEARCH).plan().model_dump(mode="json", by_alias=True)
    dataset = records.dataset()
    with records.sessions.begin() as session:
        job = create_job(session, kind="search", payload={"dataset_id": dataset.id}, max_attempts=3)
        add_study(session, job.id, dataset_id=dataset.id, name=None, asked=asked)
        return job.id


def with_trials(records: Records) -> int:
    """A search with a trial that trained to its end, one that was pruned and one that goes on."""
    job_id = queued_search(records)
    with records.sessions.begin() as session:
        change_state(session, job_id, State.RUNNING)
        for number, (rate, outcome, curve) in enumerate(
            ((2e-3, "done", [0.5, 0.25]), (9e-3, "pruned", [0.8]), (1e-3, None, [])), 1
        ):
            _trial(session, job_id, number, {"base_lr": rate, "size": 96}, outcome, curve)
    return job_id


def searched(client: TestClient, records: Records) -> dict[str, Any]:
    found: dict[str, Any] = client.get(f"/jobs/{with_trials(records)}").json()
    return found


def _trial(
    session: Session, job_id: int, number: int, settings: dict[str, Any], outcome: str | None, curve: list[float]
) -> None:
    study = session.get_one(Study, job_id)
    config = resolve(FineTune(arch="resnet18", epochs=2, batch_size=4)).model_dump(mode="json")
    run = Run(kind="train", dataset_id=study.dataset_id, config=config, study_id=job_id, trial=number)
    session.add(run)
    session.flush()
    state = {"done": State.SUCCEEDED, "pruned": State.CANCELLED}.get(outcome or "", State.QUEUED)
    job = create_job(session, kind="train", run_id=run.id, max_attempts=3, state=state)
    value = curve[-1] if curve else None
    trial = StudyTrial(
        study_id=job_id, number=number, run_id=run.id, settings=settings, outcome=outcome, curve=curve, value=value
    )
    session.add(trial)
    session.flush()
    for epoch, error in enumerate(curve):
        figures: dict[str, Any] = {"train_loss": 1.0, "valid_loss": 1.0, "seconds": 1.0, "images_per_second": 10.0}
        record_epoch(session, run.id, phase=0, epoch=epoch, error_rate=error, **figures)
    if outcome == "pruned":
        note_pruned(session, job, trial, 1)


def test_a_search_is_queued_and_says_what_it_was_asked(client: TestClient, records: Records) -> None:
    job = queued(client, records, name="rates")
    assert (job["kind"], job["state"], job["run"]) == ("search", "queued", None)
    study = job["study"]
    assert (study["name"], study["asked"]["trials"], study["asked"]["pruner"]) == ("rates", 4, "median")
    assert study["asked"]["space"] == {"base_lr": {**SPACE["base_lr"], "step": None}, "size": [96, 128]}
    assert study["asked"]["register_best"] is True
    assert (study["best"], study["counts"]["done"], study["seconds_left"]) == (None, 0, 300)
    assert client.get(f"/jobs/{job['id']}").json() == job
    assert client.get("/jobs?kind=search").json()["items"] == [job]
    assert client.get(f"/jobs/{job['id']}/trials").json()["items"] == []


def test_a_dry_run_says_what_one_trial_is(client: TestClient, records: Records) -> None:
    records.dataset()
    answer = client.post("/jobs?dry_run=true", json=SEARCH)
    assert answer.status_code == 200
    assert answer.json()["config"]["arch"] == "resnet18"
    assert answer.json()["forecast_reason"]
    assert client.get("/jobs").json()["items"] == []


def test_how_far_it_is_and_its_trials_are_told(client: TestClient, records: Records) -> None:
    job = searched(client, records)
    counts = {name: count for name, count in job["study"]["counts"].items() if count}
    assert counts == {"done": 1, "pruned": 1, "running": 1}
    best = job["study"]["best"]
    assert (best["trial"], best["value"], best["settings"]) == (1, 0.25, {"base_lr": 2e-3, "size": 96})
    trials = client.get(f"/jobs/{job['id']}/trials").json()
    assert trials["objective"] == "error_rate"
    assert [(one["outcome"], one["state"], one["best"]) for one in trials["items"]] == [
        ("done", "succeeded", True),
        ("pruned", "cancelled", False),
        (None, "queued", False),
    ]
    runs = client.get(f"/runs?study={job['id']}").json()["items"]
    assert [run["study"] for run in runs] == [{"job": job["id"], "trial": trial} for trial in (3, 2, 1)]
    ended = client.get(f"/jobs?run={runs[1]['id']}").json()["items"][0]
    assert ended["pruned"] == {"study": job["id"], "trial": 2, "epoch": 1}


def test_the_trials_are_a_table_too(client: TestClient, records: Records) -> None:
    job = searched(client, records)
    answer = client.get(f"/jobs/{job['id']}/trials", headers={"Accept": "text/csv"})
    assert answer.headers["content-type"].startswith("text/csv")
    header, first = answer.text.splitlines()[:2]
    row = dict(zip(header.split(","), first.split(","), strict=True))
    assert (row["trial"], row["run"], row["settings.base_lr"], row["settings.size"]) == ("1", "1", "0.002", "96")
    assert (row["outcome"], row["value"], row["best"]) == ("done", "0.25", "True")


@pytest.mark.parametrize("name", ["trials", "setting"])
def test_its_figures_are_drawn_both_ways(client: TestClient, records: Records, name: str) -> None:
    job = searched(client, records)
    path = f"/jobs/{job['id']}/figures/{name}"
    for query in ("", "?setting=size", "?setting=base_lr"):
        drawn = client.get(path + query)
        assert drawn.status_code == 200, drawn.text
        assert "trial 1" in drawn.json()["layout"]["meta"]["alt"]
        assert client.get(f"{path}.png{query}").content.startswith(b"\x89PNG")


def test_what_is_not_there_is_told(client: TestClient, records: Records) -> None:
    job = queued(client, records)
    train = client.post("/jobs", json={"kind": "train", "dataset": "pets", "config": SEARCH["config"]}).json()
    early = client.get(f"/jobs/{job['id']}/figures/trials")
    assert (early.status_code, early.json()["code"]) == (409, "not_ready")
    for path in ("trials", "figures/trials"):
        wrong = client.get(f"/jobs/{train['id']}/{path}")
        assert (wrong.status_code, wrong.json()["code"]) == (409, "wrong_kind")
        assert client.get(f"/jobs/999/{path}").status_code == 404
    assert client.get(f"/jobs/{job['id']}/figures/loss").status_code == 404
    other = client.get(f"/jobs/{job['id']}/figures/setting?setting=arch")
    assert (other.status_code, other.json()["field"]) == (400, "query.setting")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"space": {}}, "body.space"),
        ({"space": None}, "body.space"),
        ({"space": {"size": 128}}, "body.space.size"),
        ({"space": {"size": [128]}}, "body.space.size"),
        ({"space": {"size": {"low": 1}}}, "body.space.size.high"),
        ({"space": {"base_lr": {"low": 1e-2, "high": 1e-4}}}, "body.space.base_lr.low"),
        ({"space": {"base_lr": {"low": True, "high": 1}}}, "body.space.base_lr.low"),
        ({"space": {"nothing": [1, 2]}}, "body.space.nothing"),
        ({"space": {"seed": [1, 2]}}, "body.space.seed"),
        ({"space": {"size": [128, "large"]}}, "body.space.size"),
        ({"space": {"arch": ["resnet18", "resnet999"]}}, "body.space.arch"),
        ({"space": {"batch_size": [4, 64]}}, "body.space.batch_size"),
        ({"space": {"batch_size": {"low": 4, "high": 64}}}, "body.space.batch_size"),
        ({"trials": 201}, "body.trials"),
        ({"minutes": 0}, "body.minutes"),
        ({"pruner": "asha"}, "body.pruner"),
        ({"objective": "accuracy"}, "body.objective"),
        ({"limits": {"answer_ms": -1}}, "body.limits.answer_ms"),
        ({"config": {"epochs": 0}}, "body.config.epochs"),
        ({"nothing": 1}, "body.nothing"),
        ({"dataset": "cats"}, "body.dataset"),
    ],
)
def test_what_cannot_be_searched_is_told_with_its_field_and_a_way_out(
    client: TestClient, records: Records, changes: dict[str, Any], field: str
) -> None:
    records.dataset()
    answer = client.post("/jobs", json={**SEARCH, **changes})
    problem = answer.json()
    assert 400 <= answer.status_code < 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["field"] == field
    assert problem["hint"]
    assert client.get("/jobs").json()["items"] == []


def test_a_search_is_cancelled_and_resumed_and_keeps_its_dataset(client: TestClient, records: Records) -> None:
    job = queued(client, records)
    busy = client.delete("/datasets/pets")
    assert (busy.status_code, busy.json()["code"]) == (409, "dataset_in_use")
    assert client.post(f"/jobs/{job['id']}/cancel").json()["state"] == "cancelled"
    again = client.post(f"/jobs/{job['id']}/resume").json()
    assert (again["state"], again["study"]["asked"]["trials"]) == ("queued", 4)


def test_a_trials_run_may_go_and_the_trial_stays(
    client: TestClient, records: Records, sessions: sessionmaker[Session]
) -> None:
    job = searched(client, records)
    assert client.delete("/runs/1").status_code in {200, 204}
    first = client.get(f"/jobs/{job['id']}/trials").json()["items"][0]
    assert (first["run"], first["state"], first["value"], first["best"]) == (None, None, 0.25, False)
    with sessions.begin() as session:
        assert session.get_one(Job, job["id"]).state == "running"
        assert len(trials_of(session, job["id"])) == 3
