"""Deleting a run: what hangs on it, what goes, what stays, and what happens when it is broken off."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import func, select, update

from store.artifacts import ArtifactStore
from store.db.deletion import delete_run, with_files
from store.db.jobs import create_job
from store.db.models import Artifact, DeletedRun, Job, Run
from store.db.records import record_artifact
from store.deleted_files import delete_remaining_files
from store.errors import ServiceUnavailable
from store.keys import checkpoint_key, output_key
from store.states import State
from tests.api.records import Records, jpeg
from tests.api.web import TestClient


def own_job(records: Records, run: Run) -> int:
    with records.sessions.begin() as session:
        return session.scalars(select(Job.id).where(Job.run_id == run.id, Job.kind == run.kind)).one()


def keys(artifacts: ArtifactStore) -> list[str]:
    return sorted(one.key for one in artifacts.keys_below("runs/"))


def told(found: Any) -> Any:  # noqa: ANN401 - JSON
    """Without what is null."""
    if isinstance(found, dict):
        return {name: told(part) for name, part in found.items() if part is not None}
    return [told(part) for part in found] if isinstance(found, list) else found


def refused(client: TestClient, run: Run, **params: Any) -> dict[str, Any]:  # noqa: ANN401 - query values
    answer = client.delete(f"/runs/{run.id}", params=params)
    assert answer.status_code == 409, answer.text
    found: dict[str, Any] = answer.json()
    # A problem leaves out what there is not.
    assert found["dependents"] == told(client.get(f"/runs/{run.id}/dependents").json())
    return found


def with_everything(records: Records) -> Run:
    """A finished run with files that the record names, and others that an attempt left."""
    run = records.served()
    job = own_job(records, run)
    stored = records.artifacts.put_bytes(output_key(run.id, job, 1, "model.bin"), b"named")
    with records.sessions.begin() as session:
        record_artifact(session, run.id, "model.bin", key=stored.key, sha256=stored.sha256, size=stored.bytes)
        session.execute(
            update(Run).where(Run.id == run.id).values(checkpoints=[{"key": checkpoint_key(run.id, 1, 5), "step": 5}])
        )
    for key in (checkpoint_key(run.id, 1, 5), checkpoint_key(run.id, 1, 3), output_key(run.id, job, 2, "left.bin")):
        records.artifacts.put_bytes(key, b"unnamed")
    return run


def test_a_run_goes_with_its_record_and_its_files_and_the_same_again_is_fine(
    client: TestClient, records: Records, artifacts: ArtifactStore
) -> None:
    other = records.served()
    run = with_everything(records)
    foreign = output_key(run.id, 999_999, 1, "model.bin")
    artifacts.put_bytes(foreign, b"another database's")
    before = client.get(f"/runs/{run.id}/dependents").json()
    assert (before["deletable"], before["files"]) == ("yes", 4)
    assert client.delete(f"/runs/{run.id}").status_code == 204
    assert keys(artifacts) == sorted([foreign, *(f"runs/{other.id}/{name}" for name in kept_names())])
    assert client.get(f"/runs/{run.id}").status_code == 404
    assert client.get("/jobs", params={"run": run.id}).json()["items"] == []
    assert [one["id"] for one in client.get("/runs").json()["items"]] == [other.id]
    assert client.delete(f"/runs/{run.id}").status_code == 204
    assert client.delete("/runs/4711").json()["code"] == "not_found"
    with records.sessions.begin() as session:
        assert session.get_one(DeletedRun, run.id).files == []


def kept_names() -> tuple[str, ...]:
    return ("model.json", "model.safetensors", "predictions.jsonl")


def test_what_is_at_work_is_cancelled_first(client: TestClient, records: Records) -> None:
    run, job = records.run(records.dataset())
    for state, hint in (
        (None, "Wait until it has ended, or cancel it first."),
        (State.RUNNING, "Wait until it has ended, or cancel it first."),
        (State.CANCELLING, "Wait until it is cancelled."),
    ):
        if state is not None:
            records.move(job, state)
        problem = refused(client, run, cascade=True)
        assert (problem["code"], problem["hint"]) == ("run_busy", hint)
        assert [one["id"] for one in problem["dependents"]["busy"]] == [job.id]
    records.move(job, State.CANCELLED)
    assert client.delete(f"/runs/{run.id}").status_code == 204


def test_what_answers_for_an_alias_stays_until_the_alias_has_moved(client: TestClient, records: Records) -> None:
    first, second = records.served(), records.served(content=b"others")
    for run in (first, second):
        assert client.post("/models", json={"run": run.id, "alias": "production"}).status_code == 201
    assert refused(client, second, cascade=True)["code"] == "run_serving"
    canary = {"version": 2, "canary": {"version": 1, "share": 0.1}}
    assert client.put("/models/aliases/production", json=canary).status_code == 200
    problem = refused(client, first, cascade=True)
    assert (problem["code"], problem["dependents"]["aliases"]) == ("run_serving", ["production"])
    assert "'production'" in problem["detail"]
    assert client.delete("/models/aliases/production/canary").status_code == 204
    assert refused(client, first)["code"] == "run_needed"
    assert client.delete(f"/runs/{first.id}", params={"cascade": True}).status_code == 204
    # There is nothing to roll back to any more, and the history still tells what answered.
    alias = client.get("/models/aliases/production").json()
    assert alias["version"] == 2
    assert client.post("/models/aliases/production/rollback").json()["code"] == "nothing_before"
    moves = client.get("/models/aliases/production/moves").json()["items"]
    assert [move["version"] for move in moves] == [2, 1]
    # Nor is the number given again.
    assert client.delete("/models/aliases/production").status_code == 204
    assert client.delete(f"/runs/{second.id}", params={"cascade": True}).status_code == 204
    third = records.served()
    assert client.post("/models", json={"run": third.id}).json()["version"] == 3


def test_rolling_back_leads_past_what_was_deleted(client: TestClient, records: Records) -> None:
    runs = [records.served(content=f"weights {number}".encode()) for number in range(3)]
    for run in runs:
        assert client.post("/models", json={"run": run.id, "alias": "production"}).status_code == 201
    assert client.delete(f"/runs/{runs[1].id}", params={"cascade": True}).status_code == 204
    assert client.post("/models/aliases/production/rollback").json()["version"] == 1


@pytest.mark.thorough
def test_all_that_hangs_on_it_is_told_and_needs_a_word(client: TestClient, records: Records) -> None:
    pets = records.dataset()
    run = records.served(pets)
    version = client.post("/models", json={"run": run.id}).json()["version"]
    answered = client.post("/jobs", json={"kind": "predict", "model": str(version), "dataset": "pets"}).json()["id"]
    child = client.post("/jobs", json={"kind": "train", "from_run": run.id}).json()
    problem = refused(client, run, cascade=True)
    assert {one["id"] for one in problem["dependents"]["busy"]} == {answered, child["id"]}
    for job in (answered, child["id"]):
        assert client.post(f"/jobs/{job}/cancel").status_code == 202
    problem = refused(client, run)
    found = problem["dependents"]
    assert (problem["code"], found["deletable"], found["version"]) == ("run_needed", "with_cascade", version)
    assert found["children"] == [{"id": child["run"], "state": "cancelled"}]
    assert (found["child_count"], found["predict_jobs"], found["predict_job_count"]) == (1, [answered], 1)
    assert client.delete(f"/runs/{run.id}", params={"cascade": True}).status_code == 204
    assert client.get(f"/jobs/{answered}").status_code == 200
    assert client.get(f"/models/{version}").status_code == 404


def test_children_stay_and_are_still_judged_by_what_they_came_from(client: TestClient, records: Records) -> None:
    pets = records.dataset()
    first = records.served(pets, split_seed=3)
    second = client.post("/jobs", json={"kind": "train", "from_run": first.id}).json()
    with records.sessions.begin() as session:
        run, job = session.get_one(Run, second["run"]), session.get_one(Job, second["id"])
    records.move(job, State.RUNNING)
    records.finish(run, job)
    records.model(run)
    assert client.delete(f"/runs/{first.id}", params={"cascade": True}).status_code == 204
    child = client.get(f"/runs/{run.id}").json()
    assert child["parent"] == first.id
    assert [(one["id"], one["deleted"]) for one in child["lineage"]] == [(first.id, True)]
    assert client.post("/models", json={"run": run.id}).status_code == 201
    # What the deleted run trained on must not validate now.
    split = {"kind": "train", "from_run": run.id, "config": {"recipe": "fine_tune", "split_seed": 4}}
    assert client.post("/jobs", json=split).json()["code"] == "split_differs"
    grandchild = client.post("/jobs", json={"kind": "train", "from_run": run.id}).json()
    assert client.get(f"/runs/{grandchild['run']}").json()["lineage"][0]["deleted"]
    assert client.post("/jobs", json={"kind": "train", "from_run": first.id}).json()["code"] == "not_found"


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """An artifact store that deletes two files and then fails, as a process does that is killed there."""
    left = [2]
    whole = ArtifactStore.delete

    def delete(self: ArtifactStore, key: str) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise ServiceUnavailable("the artifact store failed")
        whole(self, key)

    monkeypatch.setattr(ArtifactStore, "delete", delete)
    yield monkeypatch
    monkeypatch.undo()


def test_what_was_broken_off_between_rows_and_files_is_finished_later(
    client: TestClient, records: Records, artifacts: ArtifactStore, broken: pytest.MonkeyPatch
) -> None:
    run = with_everything(records)
    lay = len(keys(artifacts))
    assert client.delete(f"/runs/{run.id}").status_code == 204
    assert client.get(f"/runs/{run.id}").status_code == 404
    assert len(keys(artifacts)) == lay - 2
    # A store that fails keeps nothing else of a round of repair from being done.
    delete_remaining_files(artifacts, records.sessions)
    with records.sessions.begin() as session:
        assert with_files(session) == [run.id]
    broken.undo()
    delete_remaining_files(artifacts, records.sessions)
    assert keys(artifacts) == []
    with records.sessions.begin() as session:
        assert with_files(session) == []


def test_an_error_between_the_rows_undoes_them_all(
    client: TestClient, records: Records, artifacts: ArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = records.served()
    assert client.post("/models", json={"run": run.id}).status_code == 201

    def fail(*_: object) -> None:
        raise OSError("killed")

    monkeypatch.setattr("api.routes.run_deletion.delete_run", lambda *given, **how: fail(delete_run(*given, **how)))
    assert client.delete(f"/runs/{run.id}", params={"cascade": True}).status_code == 500
    monkeypatch.undo()
    assert client.get(f"/runs/{run.id}").json()["state"] == "succeeded"
    assert len(keys(artifacts)) == 3
    assert client.delete(f"/runs/{run.id}", params={"cascade": True}).status_code == 204


def together(*acts: Any) -> list[Any]:  # noqa: ANN401 - functions
    """Do all at once, each in a thread of its own."""
    start = Barrier(len(acts))

    def after_the_start(act: Any) -> Any:  # noqa: ANN401 - a function
        start.wait()
        return act()

    with ThreadPoolExecutor(len(acts)) as threads:
        return list(threads.map(after_the_start, acts))


def test_deletes_at_once_are_one(client: TestClient, records: Records, artifacts: ArtifactStore) -> None:
    run = with_everything(records)
    answers = together(*[lambda: client.delete(f"/runs/{run.id}").status_code] * 6)
    assert answers == [204] * 6
    assert keys(artifacts) == []


@pytest.mark.thorough
def test_a_delete_beside_a_registration_leaves_both_or_neither(client: TestClient, records: Records) -> None:
    pets = records.dataset()
    for number in range(8):
        run = records.served(pets, content=f"weights {number}".encode())
        deleted, registered = together(
            lambda run=run: client.delete(f"/runs/{run.id}"),
            lambda run=run: client.post("/models", json={"run": run.id, "alias": "staging"}),
        )
        assert (deleted.status_code, registered.status_code // 100) in {(204, 4), (409, 2)}, (
            deleted.text,
            registered.text,
        )
        is_there = client.get(f"/runs/{run.id}").status_code == 200
        assert is_there == (deleted.status_code == 409)


@pytest.mark.thorough
def test_a_delete_beside_new_work_leaves_both_or_neither(client: TestClient, records: Records) -> None:
    pets = records.dataset()
    for _ in range(5):
        run = records.served(pets)
        version = client.post("/models", json={"run": run.id}).json()["version"]
        deleted, *queued = together(
            lambda run=run: client.delete(f"/runs/{run.id}", params={"cascade": True}),
            lambda run=run: client.post("/jobs", json={"kind": "interpret", "run": run.id}),
            lambda run=run: client.post("/jobs", json={"kind": "train", "from_run": run.id}),
            lambda version=version: client.post(
                "/jobs", json={"kind": "predict", "model": str(version), "dataset": "pets"}
            ),
        )
        statuses = {answer.status_code for answer in queued}
        assert statuses <= {202, 404}, [answer.text for answer in queued]
        assert deleted.status_code == (204 if statuses == {404} else 409), deleted.text


def test_a_version_that_is_loaded_is_not_asked_any_more(client: TestClient, records: Records) -> None:
    run = records.served()
    version = client.post("/models", json={"run": run.id}).json()["version"]
    photo = {"file": ("it.jpg", jpeg(), "image/jpeg")}
    assert client.post("/predict", params={"model": version}, files=photo).status_code == 200
    asked, deleted = together(
        lambda: client.post("/predict", params={"model": version}, files=photo).status_code,
        lambda: client.delete(f"/runs/{run.id}", params={"cascade": True}).status_code,
    )
    assert (asked in {200, 404}, deleted) == (True, 204)
    assert client.post("/predict", params={"model": version}, files=photo).json()["code"] == "not_found"


def test_a_search_and_a_failed_run_go_too(client: TestClient, records: Records) -> None:
    pets = records.dataset()
    for kind in ("lr_find", "train"):
        run, job = records.run(pets, kind=kind)
        records.move(job, State.RUNNING, State.FAILED)
        with records.sessions.begin() as session:
            create_job(session, kind="interpret", run_id=run.id, max_attempts=1, state=State.FAILED)
        assert client.delete(f"/runs/{run.id}").status_code == 204
    with records.sessions.begin() as session:
        assert session.scalar(select(func.count()).select_from(Artifact)) == 0
