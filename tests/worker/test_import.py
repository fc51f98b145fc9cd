import io
import random
import zipfile

import pytest
from celery import Celery
from sqlalchemy.orm import Session, sessionmaker

from store.artifacts import ArtifactStore
from store.db.datasets import current_dataset
from store.db.jobs import create_job, resume
from store.db.reading import events_after
from store.dispatch import dispatch_job
from store.keys import bundle_key, manifest_key, new_upload_key
from store.settings import Settings
from store.states import State
from tests.ml.hostile_pictures import scan_bomb, tile_bomb
from tests.worker.attempts import Stack
from tests.worker.pictures import archive, queue_import
from tests.worker.processes import job_in, running

Sessions = sessionmaker[Session]


def test_an_archive_becomes_a_dataset(
    settings: Settings, sessions: Sessions, artifacts: ArtifactStore, celery: Celery
) -> None:
    job_id, upload = queue_import(sessions, artifacts, archive())
    dispatch_job(celery, sessions, job_id)
    with running("worker --lane light", settings):
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
    [
        (b"PK\x03\x04 broken", "archive_rejected"),
        (archive(folder=".hidden"), "dataset_unusable"),
    ],
)
def test_a_useless_archive_fails_and_leaves_nothing(stack: Stack, upload: bytes, code: str) -> None:
    job_id, key = queue_import(stack.sessions, stack.artifacts, upload)
    job = stack.worked_off(job_id)
    assert job.error is not None
    assert (job.error["code"], job.attempt) == (code, 1)
    with stack.sessions.begin() as session:
        assert current_dataset(session, "pets") is None
        resume(session, job_id)
    assert stack.artifacts.keys_below("datasets/") == []
    assert not stack.artifacts.exists(key)
    again = stack.worked_off(job_id)
    assert again.state == State.FAILED
    assert again.error is not None
    assert "Upload the archive again" in again.error["hint"]


def test_what_nobody_foresaw_fails_with_one_line(stack: Stack, caplog: pytest.LogCaptureFixture) -> None:
    with stack.sessions.begin() as session:
        job_id = create_job(session, kind="import", payload={"name": "pets"}, max_attempts=3).id
    job = stack.worked_off(job_id)
    assert job.error is not None
    assert (job.error["code"], job.error["detail"]) == ("internal_error", "KeyError: 'source'")
    assert "Traceback" in caplog.text


def test_a_list_beside_the_archive_and_an_encoding_reach_the_import_and_what_is_odd_is_logged(
    stack: Stack, sessions: Sessions, artifacts: ArtifactStore
) -> None:
    listed = new_upload_key()
    rows = [f"Birman_{number}.jpg,柴犬,{side}" for number, side in enumerate(("train", "valid", "test"))]
    rows += [f"pug_{number}.jpg,{label}" for number, label in enumerate(("pug", "Pug", "pug"))]
    artifacts.put_bytes(listed, "\n".join([*rows, "gone.jpg,pug"]).encode("cp932"))
    job_id, upload = queue_import(sessions, artifacts, archive(), rule={"kind": "csv"}, labels=listed, encoding="cp932")
    job = stack.worked_off(job_id)
    assert (job.state, job.error) == (State.SUCCEEDED, None)
    with sessions.begin() as session:
        dataset = current_dataset(session, "pets")
        said = " ".join(event.data["message"] for event in events_after(session, job_id, 0) if event.event == "log")
    assert dataset is not None
    assert dataset.vocab == ["Pug", "pug", "柴犬"]
    assert dataset.summary["split"] == {"train": 4, "valid": 1, "test": 1}
    assert dataset.summary["similar_labels"] == [["Pug", "pug"]]
    assert dataset.summary["label_list"]["without_file"] == {"count": 1, "examples": ["gone.jpg"]}
    assert "'Pug' (1), 'pug' (2)" in said
    assert "the given split is kept" in said
    assert not artifacts.exists(upload)
    assert not artifacts.exists(listed)


def test_an_archive_that_unpacks_to_more_than_the_setting_fails(stack: Stack) -> None:
    data = io.BytesIO(archive())
    with zipfile.ZipFile(data, "a") as pack:
        pack.writestr("notes.bin", random.Random(1).randbytes(2 << 20))  # noqa: S311 - no secret
    job_id, _ = queue_import(stack.sessions, stack.artifacts, data.getvalue())
    stack.settings = stack.settings.model_copy(update={"max_unpacked_bytes": 1 << 20})
    job = stack.worked_off(job_id)
    assert job.error is not None
    assert (job.error["code"], "0.000977 GiB" in job.error["detail"]) == ("archive_rejected", True)


def test_a_picture_that_costs_too_much_is_left_out_with_its_reason(stack: Stack) -> None:
    upload = io.BytesIO(archive())
    with zipfile.ZipFile(upload, "a") as pack:
        pack.writestr("photos/pug_90.jpg", scan_bomb(3000, 500))
        pack.writestr("photos/pug_91.jpg", tile_bomb(100, 12_000))
    job_id, _ = queue_import(stack.sessions, stack.artifacts, upload.getvalue())
    job = stack.worked_off(job_id)
    assert (job.state, job.error) == (State.SUCCEEDED, None)
    with stack.sessions.begin() as session:
        dataset = current_dataset(session, "pets")
        assert dataset is not None
        left_out = dataset.summary["exclusions"]["picture_too_costly"]
    assert [entry["path"] for entry in left_out["examples"]] == ["photos/pug_90.jpg", "photos/pug_91.jpg"]
