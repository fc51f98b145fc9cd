from pathlib import Path

from sqlalchemy.orm import Session, sessionmaker

from store.artifacts import ArtifactStore
from store.db.models import Job
from store.keys import PHOTOS
from tests.api.conftest import until
from tests.api.kept.conftest import ask
from tests.api.records import Records
from tests.api.web import TestClient


def test_feedback_becomes_an_import_job(
    served: TestClient, records: Records, artifacts: ArtifactStore, sessions: sessionmaker[Session], tmp_path: Path
) -> None:
    records.dataset_with_photos(tmp_path / "photos", "photos")
    nothing = served.post("/datasets/photos/from-feedback", json={})
    assert (nothing.status_code, nothing.json()["code"]) == (409, "state_conflict")
    one = ask(served, keep="photo")["id"]
    until(lambda: len(artifacts.keys_below(PHOTOS)) == 1)
    assert served.post("/datasets/photos/from-feedback", json={}).status_code == 409
    served.post(f"/predictions/{one}/feedback", json={"breed": "pug"})
    queued = served.post("/datasets/photos/from-feedback", json={"since": "2020-01-01T00:00:00Z"})
    assert queued.status_code == 202, queued.text
    job = queued.json()
    assert (job["kind"], job["state"]) == ("import", "queued")
    assert queued.headers["location"] == f"/jobs/{job['id']}"
    with sessions.begin() as session:
        payload = session.get_one(Job, job["id"]).payload
    since = "2020-01-01T00:00:00Z"
    assert payload["source"] == {"kind": "feedback", "new_labels": False, "version": None, "since": since}
    assert served.post("/datasets/photos/from-feedback", json={"version": 2}).status_code == 409


def test_what_cannot_be_is_refused(served: TestClient) -> None:
    assert served.post("/datasets/none/from-feedback", json={}).status_code == 404
    assert served.post("/datasets/pets/from-feedback", json={"labels": []}).status_code == 422
    assert served.post("/datasets/pets/from-feedback", json={"since": "2020-01-01T00:00:00"}).status_code == 422
