import io
import zipfile

import pytest
from celery import Celery
from sqlalchemy.orm import Session, sessionmaker

from store.artifacts import ArtifactStore
from store.db.datasets import current_dataset
from store.db.jobs import create_job, resume
from store.db.reading import events_after
from store.dispatch import dispatch_job
from store.keys import bundle_key, manifest_key
from store.settings import Settings
from store.states import State
from tests.ml.hostile_pictures import scan_bomb, tile_bomb
from tests.worker.pictures import archive, queue_import
from tests.worker.processes import job_in, running

Sessions = sessionmaker[Session]


def test_an_archive_becomes_a_dataset(
    settings: Settings, sessions: Sessions, artifacts: ArtifactStore, celery: Celery
) -> None:
    job_id, upload = queue_import(sessions, artifacts, archive())
    dispatch_job(celery, sessions, job_id)
    with running("worker", settings):
        job = job_in(sessions, job_id, State.SUCCEEDED, State.FAILED)
    assert (job.state, job.error, job.attempt) == (State.SUCCEEDED, None, 1)
    with sessions.begin() as session:
        dataset = current_dataset(session, "pets")
        events = events_after(session, job_id, 0)
    assert dataset is not None
    assert (dataset.items, dataset.vocab, dataset.drawn) == (6, ["Birman", "pug"], False)
    assert artifacts.exists(manifest_key(dataset.revision))
    assert artifacts.exists(bundle_key(dataset.revision))
    assert not artifacts.exists(upload)
    assert [event.data["state"] for event in events if event.event == "state"] == ["queued", "running", "succeeded"]
    assert {event.data["stage"] for event in events if event.event == "progress"} >= {"unpack", "scan", "store"}
    assert not list(settings.cache.glob("work/*/*"))


@pytest.mark.parametrize(
    ("upload", "code"),
    [(b"PK\x03\x04 broken", "archive_rejected"), (archive(breeds=["pug"]), "dataset_unusable")],
)
def test_a_useless_archive_fails_and_leaves_nothing(
    settings: Settings, sessions: Sessions, artifacts: ArtifactStore, celery: Celery, upload: bytes, code: str
) -> None:
    job_id, key = queue_import(sessions, artifacts, upload)
    dispatch_job(celery, sessions, job_id)
    with running("worker", settings):
        job = job_in(sessions, job_id, State.SUCCEEDED, State.FAILED)
        assert job.error is not None
        assert (job.error["code"], job.attempt) == (code, 1)
        with sessions.begin() as session:
            assert current_dataset(session, "pets") is None
            resume(session, job_id)
        assert artifacts.keys_below("datasets/") == []
        assert not artifacts.exists(key)
        dispatch_job(celery, sessions, job_id)
        again = job_in(sessions, job_id, State.FAILED)
    assert again.error is not None
    assert "Upload the archive again" in again.error["hint"]
    assert not list(settings.cache.glob("work/*/*"))


def test_what_nobody_foresaw_fails_with_one_line(settings: Settings, sessions: Sessions, celery: Celery) -> None:
    with sessions.begin() as session:
        job_id = create_job(session, kind="import", payload={"name": "pets"}, max_attempts=3).id
    dispatch_job(celery, sessions, job_id)
    with running("worker", settings) as worker:
        job = job_in(sessions, job_id, State.SUCCEEDED, State.FAILED)
    assert job.error is not None
    assert (job.error["code"], job.error["detail"]) == ("internal_error", "KeyError: 'source'")
    assert "Traceback" in worker.said()


def test_a_picture_that_costs_too_much_is_left_out_with_its_reason(
    settings: Settings, sessions: Sessions, artifacts: ArtifactStore, celery: Celery
) -> None:
    upload = io.BytesIO(archive())
    with zipfile.ZipFile(upload, "a") as pack:
        pack.writestr("photos/pug_90.jpg", scan_bomb(3000, 500))
        pack.writestr("photos/pug_91.jpg", tile_bomb(100, 12_000))
    job_id, _ = queue_import(sessions, artifacts, upload.getvalue())
    dispatch_job(celery, sessions, job_id)
    with running("worker", settings):
        job = job_in(sessions, job_id, State.SUCCEEDED, State.FAILED)
    assert (job.state, job.error) == (State.SUCCEEDED, None)
    with sessions.begin() as session:
        dataset = current_dataset(session, "pets")
        assert dataset is not None
        left_out = dataset.summary["exclusions"]["picture_too_costly"]
    assert [entry["path"] for entry in left_out["examples"]] == ["photos/pug_90.jpg", "photos/pug_91.jpg"]
