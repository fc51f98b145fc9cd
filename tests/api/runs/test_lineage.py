"""from_run: what is inherited, what is refused, and what the record tells of it."""

from typing import Any

import pytest
from sqlalchemy import update

from api.runs.lineage import end_of_parent
from store.db.datasets import add_dataset
from store.db.models import Dataset, Job, Run
from store.db.reading import get_job
from store.db.records import record_rate
from store.states import State
from tests.api.records import VOCAB, Records
from tests.api.web import TestClient


def post(client: TestClient, **request: Any) -> Any:  # noqa: ANN401 - JSON
    return client.post("/jobs", json={"kind": "train", **request})


def made(client: TestClient, **request: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """The run of a job that is accepted."""
    answer = post(client, **request)
    assert answer.status_code == 202, answer.text
    found: dict[str, Any] = client.get(f"/runs/{answer.json()['run']}").json()
    return found


def finish(records: Records, run: dict[str, Any]) -> None:
    with records.sessions.begin() as session:
        session.execute(update(Run).where(Run.id == run["id"]).values(error_rate=0.125))
        job = get_job(session, run["job"])
    records.move(job, State.RUNNING, State.SUCCEEDED)


def grown(records: Records, name: str = "pets") -> Dataset:
    """A later revision of the dataset."""
    with records.sessions.begin() as session:
        return add_dataset(
            session,
            name=name,
            revision="a-later-revision",
            drawn=False,
            label_rule={},
            vocab=VOCAB,
            items=40,
            summary={},
        )


def test_what_a_config_does_not_name_is_inherited(client: TestClient, records: Records) -> None:
    augment = {"max_rotate": 5.0, "flip": False}
    sweep = {"end_lr": 100.0}
    parent = records.finished(batch_size=4, size=160, seed=7, split_seed=3, augment=augment, lr_sweep=sweep)
    config = {"recipe": "one_cycle", "presize": 192, "augment": {"max_warp": 0}, "lr_sweep": {"start_lr": 20}}
    run = made(client, from_run=parent.id, config=config)
    config = run["config"]
    assert run["dataset"]["name"] == "pets"
    assert (config["arch"], config["batch_size"], config["size"], config["split_seed"]) == ("resnet18", 4, 160, 3)
    assert config["presize"] == 192
    assert (config["lr_sweep"]["start_lr"], config["lr_sweep"]["end_lr"]) == (20, 100)
    assert config["seed"] == 8
    assert (config["augment"]["max_rotate"], config["augment"]["flip"], config["augment"]["max_warp"]) == (5, False, 0)
    assert (config["recipe"], len(config["phases"])) == ("one_cycle", 1)


def test_a_search_goes_on_from_a_run_frozen_or_not(client: TestClient, records: Records) -> None:
    parent = records.finished(size=160)
    answer = client.post("/jobs", json={"kind": "lr_find", "from_run": parent.id, "config": {"freeze": False}})
    assert answer.status_code == 202, answer.text
    run = client.get(f"/runs/{answer.json()['run']}").json()
    assert (run["parent"], run["arch"], run["config"]["size"], run["config"]["freeze"]) == (
        parent.id,
        "resnet18",
        160,
        False,
    )
    assert [one["id"] for one in run["lineage"]] == [parent.id]
    assert client.get(f"/runs/{parent.id}").json()["children"] == [run["id"]]


def test_a_chain_of_runs_is_told_from_its_beginning(client: TestClient, records: Records) -> None:
    head = records.finished()
    second = made(client, from_run=head.id, config={"recipe": "one_cycle"}, name="unfrozen")
    finish(records, second)
    third = made(client, from_run=second["id"])
    there = {"deleted": False}
    assert third["lineage"] == [
        {"id": head.id, "name": "a run", "kind": "train", "recipe": "fine_tune", "error_rate": 0.25, **there},
        {"id": second["id"], "name": "unfrozen", "kind": "train", "recipe": "one_cycle", "error_rate": 0.125, **there},
    ]
    assert (third["parent"], third["cautions"], third["children"]) == (second["id"], [], [])
    assert client.get(f"/runs/{head.id}").json()["children"] == [second["id"]]
    assert client.get(f"/runs/{head.id}").json()["lineage"] == []


def refused(client: TestClient, **request: Any) -> tuple[int, str, str, str, str, str]:  # noqa: ANN401 - JSON
    answer = post(client, **request)
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    return (answer.status_code, *(problem[name] for name in ("code", "field", "value", "detail", "hint")))


def test_each_parent_that_cannot_be_gone_on_from_has_its_own_error(client: TestClient, records: Records) -> None:
    dataset = records.dataset()
    failed, failed_job = records.run(dataset)
    records.move(failed_job, State.RUNNING, State.FAILED)
    waiting, waiting_job = records.run(dataset)
    search, _ = records.run(dataset, kind="lr_find")
    parent = records.finished(dataset)

    assert refused(client, from_run=failed.id) == (
        409,
        "parent_without_model",
        "body.from_run",
        str(failed.id),
        f"that run holds no weights to start from: its job {failed_job.id} failed with loss_diverged",
        "Queue a new job: resuming would end the same way. Lower the learning rate.",
    )
    status, code, _, _, detail, _ = refused(client, from_run=waiting.id)
    assert (status, code) == (409, "not_ready")
    assert f"job {waiting_job.id} is queued" in detail
    status, code, _, _, detail, hint = refused(client, from_run=search.id)
    assert (status, code) == (409, "wrong_kind")
    assert "lr_find" in detail
    assert "base_lr" in hint
    own_id_to_be = parent.id + 1
    assert refused(client, from_run=own_id_to_be) == (
        404,
        "not_found",
        "body.from_run",
        str(own_id_to_be),
        "there is no such run to start from",
        "Name one of the runs on record.",
    )
    assert [run["id"] for run in client.get("/runs").json()["items"]] == [parent.id, search.id, waiting.id, failed.id]


def test_what_does_not_fit_the_parent_has_its_own_error(client: TestClient, records: Records) -> None:
    parent = records.finished(records.dataset())
    records.dataset("others", vocab=["Bengal", "pug"])
    assert refused(client, from_run=parent.id, dataset="others") == (
        400,
        "vocabulary_differs",
        "body.from_run",
        str(parent.id),
        f"run {parent.id} learned 3 breeds, not the 2 of 'others', such as 'Abyssinian'",
        "Start from a run of a dataset with the same breeds, or from none.",
    )
    assert refused(client, from_run=parent.id, config={"arch": "resnet34"}) == (
        400,
        "arch_differs",
        "body.config.arch",
        "'resnet34'",
        f"the weights of run {parent.id} are of resnet18",
        "Leave it out, or set it to resnet18.",
    )
    assert refused(client, from_run=parent.id, config={"presize": 200}) == (
        400,
        "invalid_request",
        "body.config.size",
        "224",
        f"with what run {parent.id} hands down, it is larger than presize 200",
        "Name both in config.",
    )
    assert [run["id"] for run in client.get("/runs").json()["items"]] == [parent.id]


@pytest.mark.parametrize(("change", "theirs"), [({"split_seed": 5}, 42), ({"valid_pct": 0.3}, 0.2)])
@pytest.mark.parametrize("kind", ["train", "lr_find"])
def test_a_split_that_would_validate_what_the_parent_learned_is_refused(
    client: TestClient, records: Records, change: dict[str, float], theirs: float, kind: str
) -> None:
    parent = records.finished()
    (name,) = change
    answer = client.post("/jobs", json={"kind": kind, "from_run": parent.id, "config": change})
    assert (answer.status_code, answer.json()["code"]) == (400, "split_differs")
    assert (answer.json()["field"], answer.json()["value"]) == (f"body.config.{name}", str(change[name]))
    assert answer.json()["detail"].startswith(f"it is not run {parent.id}'s {theirs}")
    assert answer.json()["hint"] == f"Leave it out, or set it to {theirs}."


def test_a_split_is_held_against_the_whole_line(client: TestClient, records: Records) -> None:
    first = records.finished()
    grown(records)
    second = made(client, from_run=first.id, config={"split_seed": 5})
    finish(records, second)
    with records.sessions.begin() as session:
        add_dataset(
            session,
            name="as-before",
            revision=first.dataset.revision,
            drawn=False,
            label_rule={},
            vocab=VOCAB,
            items=21,
            summary={},
        )
    answer = post(client, from_run=second["id"], dataset="as-before")
    assert answer.json()["code"] == "split_differs"
    assert f"run {first.id}" in answer.json()["detail"]


def test_a_run_on_a_later_revision_carries_a_caution(client: TestClient, records: Records) -> None:
    parent = records.finished()
    later = grown(records)
    run = made(client, from_run=parent.id, config={"split_seed": 5})
    assert run["dataset"]["revision"] == later.revision
    (caution,) = run["cautions"]
    assert f"run {parent.id}" in caution
    assert "'pets' at revision 1 (revision-of-" in caution
    finish(records, run)
    grandchild = made(client, from_run=run["id"])
    assert len(grandchild["cautions"]) == 1
    search = client.post("/jobs", json={"kind": "lr_find", "from_run": parent.id}).json()["run"]
    assert client.get(f"/runs/{search}").json()["cautions"] == []


@pytest.mark.parametrize("kind", ["train", "lr_find"])
@pytest.mark.parametrize(
    ("plan", "said"),
    [
        ({}, "did not hold a batch of 8: each was trained in 2 parts"),
        ({"halved_from_step": 0}, "did not hold a batch of 8: each was trained in 2 parts"),
        ({"halved_from_step": 5}, "did not hold a batch of 8: from step 5 of 12 on, each was trained in 2 parts"),
    ],
)
def test_a_run_trained_in_parts_of_a_batch_says_from_where(
    client: TestClient, records: Records, kind: str, plan: dict[str, int], said: str
) -> None:
    run, _ = records.run(records.dataset(), kind=kind, batch_size=8)
    with records.sessions.begin() as session:
        session.execute(update(Run).where(Run.id == run.id).values(plan={"accumulation": 2, "steps": 12, **plan}))
    (caution,) = client.get(f"/runs/{run.id}").json()["cautions"]
    assert said in caution


def test_a_run_that_kept_the_model_of_its_first_phases_is_a_parent_with_a_caution(
    client: TestClient, records: Records
) -> None:
    parent = records.served()
    with records.sessions.begin() as session:
        job = session.query(Job).filter_by(run_id=parent.id).one()
        error = {"code": "no_rate_found", "detail": "the search has no answer", "hint": "Go on with from_run."}
        job.state, job.error = State.FAILED, error
    child = made(client, from_run=parent.id)
    said = (
        "ended before phase 2 of 2, because no rate was found: its model and its figures are those of the phases before"
    )
    assert child["cautions"] == [f"run {parent.id}, whose weights this run goes back to, {said}"]
    found = client.get(f"/runs/{parent.id}").json()
    assert (found["state"], found["cautions"]) == ("failed", [f"this run {said}"])
    assert client.get(f"/runs/{parent.id}/confusion").status_code == 200
    assert client.post("/jobs", json={"kind": "interpret", "run": parent.id}).status_code == 202
    assert client.post("/models", json={"run": parent.id}).status_code == 201
    refused = client.post(f"/jobs/{found['job']}/resume")
    assert (refused.status_code, refused.json()["code"]) == (409, "state_conflict")
    assert refused.json()["hint"] == "Go on with from_run."


def test_with_a_parent_a_default_said_aloud_is_another_request(client: TestClient, records: Records) -> None:
    parent = records.finished(size=160)
    headers = {"Idempotency-Key": "k"}
    body = {"kind": "train", "from_run": parent.id}
    first = client.post("/jobs", json=body, headers=headers)
    again = client.post("/jobs", json={**body, "config": {"recipe": "fine_tune"}}, headers=headers)
    other = client.post("/jobs", json={**body, "config": {"size": 224}}, headers=headers)
    assert (first.status_code, again.status_code, other.status_code) == (202, 200, 409)


BOUND = {"rises_at": 2e-2, "rises_at_spread_decades": 0.25, "rises_at_sweeps": 2, "advice": None}
CONTENT = {
    **BOUND,
    "agreement_of": "valley",
    "agreements": {"minimum": "weak", "steep": "none", "valley": "agree", "slide": "none"},
    "lrs": [1e-7, 1e-3],
    "losses": [4.0, float("nan")],
    "smoothed": [4.0, 3.5],
    "stopped_early": True,
    "suggestions": {"minimum": 1e-3, "steep": None, "valley": 2e-3, "slide": None},
    "reasons": {"steep": "flat", "slide": "stopped too early"},
    "spread_decades": {"minimum": 0.5, "steep": None, "valley": 0.25, "slide": None},
    "agreement_reason": "the valleys lie together",
    "freeze": True,
    "batch_size": 4,
    "sweeps": [{"lrs": [1e-7]}],
}


def searched(records: Records, run_id: int, phase: int, rate: float | None = 2e-3) -> None:
    with records.sessions.begin() as session:
        record_rate(session, run_id, phase=phase, rate=rate, agreement="agree", content=CONTENT)


def test_a_search_is_read_back_whole(client: TestClient, records: Records) -> None:
    run, job = records.run(records.dataset(), kind="lr_find")
    waiting = client.get(f"/runs/{run.id}/lr-find")
    assert (waiting.status_code, waiting.json()["code"]) == (409, "not_ready")
    assert f"job {job.id}" in waiting.json()["detail"]
    searched(records, run.id, 0)
    found = client.get(f"/runs/{run.id}/lr-find").json()
    about = {"run": run.id, "phase": 0, "rate": 2e-3, "agreement": "agree"}
    assert found == {**CONTENT, **about, "losses": [4.0, None]}
    # Of a search from before there was a bound.
    older = {name: value for name, value in CONTENT.items() if name not in {*BOUND, "agreement_of", "agreements"}}
    with records.sessions.begin() as session:
        record_rate(session, run.id, phase=0, rate=2e-3, agreement="agree", content=older)
    found = client.get(f"/runs/{run.id}/lr-find").json()
    assert (found["agreement_of"], found["rises_at"], found["advice"], found["agreements"]) == (
        "valley",
        None,
        None,
        {},
    )
    assert client.get(f"/runs/{run.id}/lr-find?phase=1").json()["code"] == "not_found"


def test_a_training_shows_the_search_before_each_phase_that_had_one(client: TestClient, records: Records) -> None:
    run = made(
        client,
        dataset=records.dataset().name,
        config={
            "arch": "resnet18",
            "batch_size": 4,
            "recipe": "phases",
            "phases": [
                {"freeze": True, "epochs": 1, "lr_max": 1e-3},
                {"freeze": True, "epochs": 1, "lr_max": "auto"},
                {"freeze": False, "epochs": 1, "lr_max": "auto"},
            ],
        },
    )
    searched(records, run["id"], 1)
    assert client.get(f"/runs/{run['id']}/lr-find").json()["phase"] == 1
    assert client.get(f"/runs/{run['id']}/lr-find?phase=2").json()["code"] == "not_ready"
    given = client.get(f"/runs/{run['id']}/lr-find?phase=0").json()
    assert (given["code"], given["status"]) == ("wrong_kind", 409)
    assert given["hint"] == "It searches before its 2nd and 3rd phase."
    assert client.get(f"/runs/{run['id']}/lr-find?phase=3").json()["code"] == "not_found"
    assert client.get(f"/runs/{run['id']}/lr-find?phase=-1").status_code == 422
    assert client.get(f"/runs/{run['id']}").json()["rates"] == [
        {"phase": 1, "rate": 2e-3, "agreement": "agree", "lr_max": [2e-3] * 3, "searched_in": 1}
    ]


def test_a_parent_of_before_there_was_a_choice_of_losses_is_compared_with(client: TestClient, records: Records) -> None:
    parent = records.finished()
    run = made(client, from_run=parent.id)
    old = {name: value for name, value in parent.config.items() if name != "loss"}
    with records.sessions.begin() as session:
        session.execute(update(Run).where(Run.id == parent.id).values(config=old))
        before = end_of_parent(session, session.get_one(Run, run["id"]))
        assert before is not None
        assert before.run_id == parent.id
    assert client.get(f"/runs/{run['id']}").status_code == 200


def test_a_rate_found_once_is_told_for_both_phases_of_fine_tune(client: TestClient, records: Records) -> None:
    run, _ = records.run(records.dataset(), base_lr="auto")
    assert client.get(f"/runs/{run.id}").json()["rates"] == []
    searched(records, run.id, 0, rate=4e-3)
    rates = client.get(f"/runs/{run.id}").json()["rates"]
    assert [(one["phase"], one["searched_in"], one["rate"]) for one in rates] == [(0, 0, 4e-3), (1, 0, 4e-3)]
    assert rates[0]["lr_max"] == pytest.approx([4e-4, 4e-4, 4e-3])
    assert rates[1]["lr_max"] == pytest.approx([2e-5, 2e-4, 2e-3])
    second = client.get(f"/runs/{run.id}/lr-find?phase=1").json()
    assert second["code"] == "wrong_kind"
    assert "an earlier one" in second["detail"]


def test_a_search_without_an_answer_is_told_as_such(client: TestClient, records: Records) -> None:
    run, _ = records.run(records.dataset(), base_lr="auto")
    searched(records, run.id, 0, rate=None)
    assert client.get(f"/runs/{run.id}").json()["rates"][0] == {
        "phase": 0,
        "rate": None,
        "agreement": "agree",
        "lr_max": None,
        "searched_in": 0,
    }


def test_a_training_at_given_rates_has_no_search(client: TestClient, records: Records) -> None:
    run = records.finished()
    answer = client.get(f"/runs/{run.id}/lr-find")
    assert (answer.status_code, answer.json()["code"]) == (409, "wrong_kind")
    assert "auto" in answer.json()["hint"]
    assert client.get("/runs/99/lr-find").status_code == 404
