"""Interpret jobs, and what can be read of an interpretation on another dataset than the run's own."""

import json
from pathlib import Path
from typing import Any

import pytest

from store.db.models import Dataset, Run
from store.db.reading import get_job
from store.db.records import record_interpretation
from store.states import State
from tests.api.records import VOCAB, Records
from tests.api.web import TestClient

OTHERS = [[0, 0, 0], [0, 1, 1], [0, 0, 1]]


def ask(client: TestClient, run: Run, **config: object) -> Any:  # noqa: ANN401 - a response
    return client.post("/jobs", json={"kind": "interpret", "run": run.id, "config": config})


def interpreted(records: Records, run: Run, dataset: Dataset, *, tta: bool = False) -> None:
    """What an interpret job on another dataset leaves: three pictures, one of them trained on."""
    with records.sessions.begin() as session:
        rows = [
            {"item": 0, "path": "Birman_1.jpg", "actual": "Birman", "predicted": "Birman", "loss": 0.2},
            {"item": 1, "path": "Birman_2.jpg", "actual": "Birman", "predicted": "pug", "loss": 2.5},
            {"item": 2, "path": "pug_1.jpg", "actual": "pug", "predicted": "pug", "loss": 0.1},
        ]
        scores = {"probability_predicted": 0.8, "probability_actual": 0.1}
        items = [{**row, **scores, "trained_on": row["item"] == 1} for row in rows]
        record_interpretation(
            session,
            run.id,
            dataset_id=dataset.id,
            job_id=1,
            vocab=list(VOCAB),
            matrix=OTHERS,
            items=items,
            valid_loss=0.9,
            error_rate=1 / 3,
            tta=tta,
        )
    lines = [json.dumps({"item": item, "probabilities": [0.1, 0.1, 0.8]}) for item in range(3)]
    records.artifact(run, f"predictions-{dataset.id}.jsonl", "\n".join(lines).encode())


def payload(records: Records, answer: Any) -> dict[str, Any]:  # noqa: ANN401 - a response
    assert answer.status_code == 202, answer.text
    with records.sessions.begin() as session:
        return get_job(session, answer.json()["id"]).payload


def test_a_job_keeps_the_revision_that_the_name_had_when_it_was_asked_for(client: TestClient, records: Records) -> None:
    run, then = records.finished(), records.dataset("others", vocab=["Birman", "pug"])
    found = payload(records, ask(client, run, dataset="others", tta=True))
    assert found == {"config": {"tta": True, "dataset": "others"}, "dataset_id": then.id}


def test_without_a_dataset_it_is_the_runs_own_revision(client: TestClient, records: Records) -> None:
    run = records.finished()
    assert payload(records, ask(client, run)) == {
        "config": {"tta": False, "dataset": None},
        "dataset_id": run.dataset_id,
    }
    assert payload(records, ask(client, run, dataset="pets"))["dataset_id"] == run.dataset_id


def test_a_dataset_with_breeds_that_the_run_did_not_learn_is_refused_by_name(
    client: TestClient, records: Records
) -> None:
    run = records.finished()
    records.dataset("dogs", vocab=["Beagle", "Samoyed", "pug"])
    answer = ask(client, run, dataset="dogs")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")
    assert (answer.json()["field"], answer.json()["value"]) == ("body.config.dataset", "'dogs'")
    assert answer.json()["detail"] == f"it has breeds that run {run.id} did not learn: 'Beagle', 'Samoyed'"
    assert "3 of run" in answer.json()["hint"]
    records.dataset("many", vocab=[f"breed {n}" for n in range(9)])
    assert ask(client, run, dataset="many").json()["detail"].endswith("'breed 4' and 4 more")
    assert client.get("/jobs?kind=interpret").json()["items"] == []


def test_an_unknown_dataset_or_word_is_refused(client: TestClient, records: Records) -> None:
    run = records.finished()
    assert ask(client, run, dataset="nowhere").json()["code"] == "not_found"
    for wrong in ({"dataset": "../etc"}, {"tta": "perhaps"}, {"min_val": 2}):
        assert ask(client, run, **wrong).status_code == 422


def test_each_answer_says_what_it_is_about(client: TestClient, records: Records, tmp_path: Path) -> None:
    run, photos = records.finished(), records.dataset_with_photos(tmp_path / "photos")
    interpreted(records, run, photos, tta=True)
    own = client.get(f"/runs/{run.id}/confusion").json()
    assert (own["dataset"]["name"], own["side"], own["tta"], own["trained_on"]) == ("pets", "validation", False, 0)
    assert (own["loss"], own["scores"], own["note"]) == ("cross_entropy", "sum_to_one", None)

    found = client.get(f"/runs/{run.id}/confusion?dataset=photos").json()
    assert (found["dataset"]["name"], found["side"], found["tta"]) == ("photos", "all", True)
    assert found["dataset"]["revision"] == photos.revision
    assert (found["matrix"], found["n"], found["trained_on"]) == (OTHERS, 3, 1)
    assert found["per_class"][1]["recall"] == 0.5
    assert found["per_class"][0]["recall"] is None

    worst = client.get(f"/runs/{run.id}/top-losses?k=1&dataset=photos")
    assert worst.json()[0]["trained_on"] is True
    predictions = client.get(f"/runs/{run.id}/predictions?dataset=photos")
    assert len(predictions.text.splitlines()) == 3
    for answer in (worst, predictions):
        about = {name.removeprefix("pedigree-"): value for name, value in answer.headers.items() if "pedigree" in name}
        assert about == {
            "dataset": "photos",
            "revision": photos.revision,
            "drawn": "false",
            "side": "all",
            "tta": "true",
            "loss": "cross_entropy",
            "scores": "sum_to_one",
        }
    own_headers = client.get(f"/runs/{run.id}/predictions").headers
    assert (own_headers["pedigree-dataset"], own_headers["pedigree-side"]) == ("pets", "validation")


def test_top_losses_lead_to_the_pictures_of_their_own_dataset(
    client: TestClient, records: Records, tmp_path: Path
) -> None:
    run, photos = records.finished(), records.dataset_with_photos(tmp_path / "photos")
    interpreted(records, run, photos)
    (worst,) = client.get(f"/runs/{run.id}/top-losses?k=1&dataset=photos").json()
    assert worst["image"] == f"/runs/{run.id}/items/1/image?dataset=photos"
    picture = client.get(worst["image"])
    assert picture.content == (tmp_path / "photos" / "Birman_2.jpg").read_bytes()
    assert "immutable" not in picture.headers["cache-control"]


def test_independent_scores_say_so_wherever_they_are_read(client: TestClient, records: Records) -> None:
    run = records.finished(loss="binary_cross_entropy")
    found = client.get(f"/runs/{run.id}/confusion").json()
    assert (found["loss"], found["scores"]) == ("binary_cross_entropy", "independent")
    assert "do not sum to 1" in found["note"]
    for what in ("top-losses", "predictions"):
        assert client.get(f"/runs/{run.id}/{what}").headers["pedigree-scores"] == "independent"


def test_a_run_of_before_there_was_a_choice_of_losses_is_read_as_one_of_cross_entropy(
    client: TestClient, records: Records
) -> None:
    run = records.finished()
    with records.sessions.begin() as session:
        stored = session.get_one(Run, run.id)
        stored.config = {name: value for name, value in stored.config.items() if name != "loss"}
    assert client.get(f"/runs/{run.id}/confusion").json()["loss"] == "cross_entropy"


@pytest.mark.parametrize("what", ["confusion", "top-losses", "predictions", "items/0/image"])
def test_a_dataset_that_the_run_was_not_interpreted_on_says_what_to_do(
    client: TestClient, records: Records, what: str
) -> None:
    run = records.finished()
    records.dataset("others", vocab=["Birman", "pug"])
    path = f"/runs/{run.id}/{what}?dataset=others"
    answer = client.get(path)
    assert (answer.status_code, answer.json()["code"]) == (409, "not_ready")
    body = {"kind": "interpret", "run": run.id, "config": {"dataset": "others"}}
    assert answer.json()["request"] == {"method": "POST", "path": "/jobs", "body": body}
    job = ask(client, run, dataset="others").json()["id"]
    assert client.get(path).json()["hint"] == f"Wait for job {job}."
    with records.sessions.begin() as session:
        records.move(get_job(session, job), State.RUNNING, State.FAILED)
    assert f"job {job} has failed" in client.get(path).json()["detail"]
    unknown = client.get(f"/runs/{run.id}/{what}?dataset=nowhere")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "not_found")


def test_the_newest_interpreted_revision_of_a_name_is_read(client: TestClient, records: Records) -> None:
    run = records.finished()
    old = records.dataset("others", vocab=["Birman", "pug"])
    interpreted(records, run, old)
    with records.sessions.begin() as session:
        new = Dataset(
            name="others", revision="newer", drawn=True, label_rule={}, vocab=old.vocab, items=3, summary={"items": 3}
        )
        session.add(new)
    # It is there, but nobody has asked for it yet.
    assert client.get(f"/runs/{run.id}/confusion?dataset=others").json()["dataset"]["revision"] == old.revision
    interpreted(records, run, new)
    found = client.get(f"/runs/{run.id}/confusion?dataset=others").json()
    assert (found["dataset"]["revision"], found["drawn"]) == ("newer", True)


def test_a_run_says_which_interpretations_of_it_can_be_read(client: TestClient, records: Records) -> None:
    run = records.finished(error_rate=0.25)
    assert client.get(f"/runs/{run.id}").json()["interpretations"] == [
        {"dataset": "pets", "side": "validation", "tta": False, "error_rate": 0.25, "job": 1}
    ]
    interpreted(records, run, records.dataset("others", vocab=["Birman", "pug"]), tta=True)
    newer = Dataset(
        name="others", revision="newer", drawn=False, label_rule={}, vocab=["pug"], items=3, summary={"items": 3}
    )
    with records.sessions.begin() as session:
        session.add(newer)
    interpreted(records, run, newer)
    # Of two revisions of a name, the one that the name leads to.
    listed = client.get(f"/runs/{run.id}").json()["interpretations"]
    assert [(one["dataset"], one["side"], one["tta"]) for one in listed] == [
        ("pets", "validation", False),
        ("others", "all", False),
    ]


def test_a_runs_interpretations_are_found_by_it_and_say_what_they_were_asked_to_do(
    client: TestClient, records: Records
) -> None:
    run = records.finished()
    records.dataset("others", vocab=["Birman", "pug"])
    asked = ask(client, run, dataset="others", tta=True).json()
    assert asked["config"] == {"tta": True, "dataset": "others"}
    records.run(run.dataset)
    (found,) = client.get(f"/jobs?run={run.id}&kind=interpret").json()["items"]
    assert (found["id"], found["config"]) == (asked["id"], asked["config"])
    own = client.get(f"/jobs?run={run.id}&kind=train").json()["items"]
    assert [(job["run"], job["config"]) for job in own] == [(run.id, None)]
    assert client.get("/jobs?run=0").status_code == 422


def test_what_a_failed_run_lacks_is_not_waited_for(client: TestClient, records: Records) -> None:
    run, job = records.run(records.dataset())
    records.move(job, State.RUNNING, State.FAILED)
    again = "Queue a new job: resuming would end the same way. Lower the learning rate."
    answers = [
        ask(client, run),
        client.get(f"/runs/{run.id}/confusion"),
        client.post("/models", json={"run": run.id}),
        client.post("/jobs", json={"kind": "train", "from_run": run.id}),
    ]
    assert [answer.status_code for answer in answers] == [409] * 4
    assert {answer.json()["hint"] for answer in answers} == {again}


@pytest.mark.parametrize("code", ["worker_lost", None])
def test_what_an_interrupted_run_lacks_comes_with_a_resume(
    client: TestClient, records: Records, code: str | None
) -> None:
    run, job = records.run(records.dataset())
    records.move(job, State.RUNNING)
    state = State.FAILED if code else State.CANCELLED
    with records.sessions.begin() as session:
        error = {"code": code, "detail": "it stopped answering", "hint": None} if code else None
        found = get_job(session, job.id)
        found.state, found.error = state, error
    for answer in (ask(client, run), client.get(f"/runs/{run.id}/confusion")):
        assert answer.json()["request"] == {"method": "POST", "path": f"/jobs/{job.id}/resume"}
