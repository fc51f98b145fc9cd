from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from store.artifacts import ArtifactStore
from store.db.jobs import create_job
from store.db.label_review_table import LabelReview
from store.db.models import Interpretation
from store.keys import bundle_key, manifest_key
from store.states import State
from tests.api.records import Records
from tests.api.web import TestClient


def keys(artifacts: ArtifactStore) -> set[str]:
    return {listed.key for listed in artifacts.keys_below("datasets/")}


def test_a_dataset_goes_with_its_files(
    client: TestClient, records: Records, artifacts: ArtifactStore, tmp_path: Path
) -> None:
    dataset = records.dataset_with_photos(tmp_path / "photos", "mine")
    assert keys(artifacts) == {manifest_key(dataset.revision), bundle_key(dataset.revision)}
    assert client.delete("/datasets/mine").status_code == 204
    assert client.get("/datasets/mine").status_code == 404
    assert client.get("/datasets").json()["items"] == []
    assert keys(artifacts) == set()
    assert client.delete("/datasets/mine").status_code == 404


def test_what_was_decided_about_its_labels_goes_with_it(client: TestClient, records: Records, tmp_path: Path) -> None:
    dataset = records.dataset_with_photos(tmp_path / "photos", "mine")
    kept = {"base_revision": dataset.revision, "changes": [{"item": 0, "action": "keep"}]}
    assert client.post("/datasets/mine/revisions", json=kept).is_success
    with records.sessions.begin() as session:
        assert len(session.scalars(select(LabelReview)).all()) == 1
    assert client.delete("/datasets/mine").status_code == 204
    with records.sessions.begin() as session:
        assert session.scalars(select(LabelReview)).all() == []


def test_files_stay_that_another_dataset_has_too(
    client: TestClient, records: Records, artifacts: ArtifactStore, tmp_path: Path
) -> None:
    dataset = records.dataset_with_photos(tmp_path / "photos", "mine")
    assert records.dataset_of(tmp_path / "photos", "yours").revision == dataset.revision
    assert client.delete("/datasets/mine").status_code == 204
    assert keys(artifacts) == {manifest_key(dataset.revision), bundle_key(dataset.revision)}
    assert client.get("/datasets/yours/items/0/image").status_code == 200


def test_a_dataset_stays_while_runs_hang_on_it(client: TestClient, records: Records) -> None:
    run = records.finished(records.dataset("pets"))
    answer = client.delete("/datasets/pets")
    assert (answer.status_code, answer.json()["code"]) == (409, "dataset_in_use")
    assert answer.json()["detail"] == f"1 run hangs on dataset 'pets': {run.id}"
    assert answer.json()["request"]["path"] == "/runs?dataset=pets"
    assert answer.json()["hint"] == f"Delete run {run.id} first."
    assert client.get("/datasets/pets").json()["runs"] == 1


def test_each_way_in_which_a_run_uses_a_dataset_is_named(client: TestClient, records: Records) -> None:
    pets, others = records.dataset("pets"), records.dataset("others")
    own, reading = (records.finished(dataset) for dataset in (pets, others))
    adding = records.finished(others)
    with records.sessions.begin() as session:
        session.get_one(Interpretation, (reading.id, others.id)).dataset_id = pets.id
        session.merge(adding).config = {**adding.config, "added": [{"revision": pets.revision}]}
    told = client.delete("/datasets/pets").json()
    ways = f"{own.id}, {reading.id} (was interpreted on it), {adding.id} (added its breeds)"
    assert told["detail"] == f"3 runs hang on dataset 'pets': {ways}"
    assert told["hint"] == f"Delete runs {own.id}, {reading.id}, {adding.id} first."
    assert told["request"]["path"] == f"/runs/{own.id}", "the list of the dataset's runs has not all"


def test_a_dataset_stays_while_a_run_started_from_a_deleted_one_on_it(client: TestClient, records: Records) -> None:
    parent = records.finished(records.dataset("pets"))
    child = records.finished(records.dataset("others"))
    with records.sessions.begin() as session:
        session.merge(child).parent_id = parent.id
    assert client.delete(f"/runs/{parent.id}", params={"cascade": True}).status_code == 204
    answer = client.delete("/datasets/pets")
    hanging = f"1 run hangs on dataset 'pets': {child.id} (started from a deleted run on it)"
    assert (answer.status_code, answer.json()["detail"]) == (409, hanging)
    assert client.delete(f"/runs/{child.id}").status_code == 204
    assert client.delete("/datasets/pets").status_code == 204


def test_a_dataset_stays_while_an_import_of_it_is_under_way(
    client: TestClient, records: Records, sessions: sessionmaker[Session]
) -> None:
    records.dataset("pets")
    with sessions.begin() as session:
        job = create_job(session, kind="import", payload={"name": "pets", "source": {}}, max_attempts=3)
    answer = client.delete("/datasets/pets")
    assert (answer.status_code, answer.json()["request"]["path"]) == (409, f"/jobs/{job.id}")
    assert answer.json()["hint"] == f"Wait for the end of job {job.id}, or cancel it."
    records.move(job, State.RUNNING, State.FAILED)
    assert client.delete("/datasets/pets").status_code == 204


def test_files_stay_while_an_import_may_be_about_to_name_them(
    client: TestClient, records: Records, artifacts: ArtifactStore, sessions: sessionmaker[Session], tmp_path: Path
) -> None:
    dataset = records.dataset_with_photos(tmp_path / "photos", "mine")
    with sessions.begin() as session:
        create_job(session, kind="import", payload={"name": "other", "source": {}}, max_attempts=3)
    assert client.delete("/datasets/mine").status_code == 204
    assert manifest_key(dataset.revision) in keys(artifacts)
