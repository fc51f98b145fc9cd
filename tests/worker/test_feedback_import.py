import threading
from pathlib import Path
from uuid import UUID

import pytest
from celery import Celery
from sqlalchemy.orm import Session, sessionmaker

from ml.data.bundle import Bundle
from ml.data.manifest import Manifest
from store.artifacts import ArtifactStore
from store.db.base import Json
from store.db.datasets import current_dataset
from store.db.jobs import claim, create_job
from store.db.kept import forget_prediction, give_feedback
from store.db.models import Dataset
from store.db.reading import events_after, get_job
from store.dispatch import dispatch_job
from store.kept_photos import KeptPhotos
from store.keys import bundle_key, manifest_key, photo_key
from store.settings import Settings
from store.states import State
from tests.api.records import Records, jpeg
from tests.store.test_kept import kept
from tests.store.test_kept_photos import hash_of
from tests.worker.attempts import Stack
from tests.worker.processes import job_in, running
from worker.feedback_import import add_feedback
from worker.revisions import DatasetChanged

Sessions = sessionmaker[Session]
EVERYTHING: Json = {"kind": "feedback", "new_labels": False, "version": None, "since": None}


@pytest.fixture
def pets(sessions: Sessions, artifacts: ArtifactStore, tmp_path: Path) -> Dataset:
    """A dataset of three photos, Birman and pug; the first is red."""
    return Records(sessions, artifacts).dataset_with_photos(tmp_path / "pets", "pets")


@pytest.fixture
def photos(sessions: Sessions, artifacts: ArtifactStore) -> KeptPhotos:
    return KeptPhotos(sessions, artifacts, 1 << 20)


def taught(sessions: Sessions, photos: KeptPhotos, data: bytes, *words: str | None, keep: bool = True) -> UUID:
    """A kept prediction on which each of the words was said in turn."""
    with sessions.begin() as session:
        one = kept(session, sha256=hash_of(data), bytes=len(data), with_photo=keep)
    if keep:
        photos.keep({hash_of(data): data})
    for word in words:
        with sessions.begin() as session:
            give_feedback(session, one, word)
    return one


def queued(sessions: Sessions, **source: object) -> int:
    payload = {"name": "pets", "source": {**EVERYTHING, **source}, "rule": {}}
    with sessions.begin() as session:
        return create_job(session, kind="import", payload=payload, max_attempts=3).id


def run(stack: Stack, **source: object) -> str:
    """Work the import off here; what its log said."""
    job_id = queued(stack.sessions, **source)
    with stack.sessions.begin() as session:
        assert claim(session, job_id, worker="w1", lease_seconds=60)
    add_feedback(stack.attempt(job_id))
    with stack.sessions.begin() as session:
        assert get_job(session, job_id).state == State.SUCCEEDED
        said = [event.data["message"] for event in events_after(session, job_id, 0) if event.event == "log"]
    return " ".join(said)


def current(stack: Stack) -> tuple[Dataset, Manifest]:
    with stack.sessions.begin() as session:
        found = current_dataset(session, "pets")
    assert found is not None
    return found, Manifest.model_validate_json(stack.artifacts.get_bytes(manifest_key(found.revision)))


def test_what_people_said_becomes_the_next_revision(stack: Stack, pets: Dataset, photos: KeptPhotos) -> None:
    sessions = stack.sessions
    new, other, there = jpeg((9, 9, 9)), jpeg((99, 9, 9)), jpeg((200, 0, 0))
    taught(sessions, photos, new, "Birman", "pug")
    taught(sessions, photos, other, "quokka")
    taught(sessions, photos, there, "pug")
    taught(sessions, photos, jpeg((1, 2, 3)), "pug", None)
    taught(sessions, photos, jpeg((4, 5, 6)), "pug", keep=False)
    taught(sessions, photos, b"\xff\xd8\xff no picture at all", "pug")
    taught(sessions, photos, jpeg((7, 8, 9)))
    said = run(stack)
    dataset, manifest = current(stack)
    assert dataset.revision != pets.revision
    assert dataset.items == len(manifest.items) == 4
    (added,) = [item for item in manifest.items if item.path.startswith("feedback/")]
    assert (added.label, added.sha256, added.format) == ("pug", hash_of(new), "JPEG")
    assert "1 photo was added from feedback" in said
    for count, why in (
        (1, "said to be none of the breeds"),
        (1, "whose photo was not kept"),
        (1, "in the dataset already"),
        (1, "of a breed that the dataset does not have"),
        (1, "that cannot be decoded"),
    ):
        assert f"{count} {why}" in said
    assert manifest.notes[-1] in said
    local = stack.artifacts.open_local(bundle_key(dataset.revision))
    assert local is not None
    bundle = Bundle(local, manifest)
    contents = [hash_of(bundle.read(place)) for place in range(4)]
    bundle.close()
    assert contents == [item.sha256 for item in manifest.items]

    assert "0 photos were added from feedback" in run(stack)
    assert current(stack)[0].id == dataset.id
    assert "1 photo was added" in run(stack, new_labels=True)
    assert current(stack)[0].vocab == ["Birman", "pug", "quokka"]


def test_a_part_of_the_feedback_can_be_asked_for(stack: Stack, pets: Dataset, photos: KeptPhotos) -> None:
    taught(stack.sessions, photos, jpeg((9, 9, 9)), "pug")
    assert pets.items == 3
    assert "0 photos were added" in run(stack, version=2)
    assert "0 photos were added" in run(stack, since="2100-01-01T00:00:00Z")
    assert "1 photo was added" in run(stack, version=1, since="2020-01-01T00:00:00Z")


def test_a_photo_that_is_forgotten_meanwhile_is_left_out(
    stack: Stack, pets: Dataset, photos: KeptPhotos, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert pets.items == 3
    one = taught(stack.sessions, photos, jpeg((9, 9, 9)), "pug")
    taught(stack.sessions, photos, jpeg((99, 9, 9)), "pug")
    read = stack.artifacts.get_bytes

    def late_read(key: str) -> bytes:
        if key == photo_key(hash_of(jpeg((9, 9, 9)))):
            with stack.sessions.begin() as session:
                forget_prediction(session, one)
            photos.drop([hash_of(jpeg((9, 9, 9)))])
        return read(key)

    monkeypatch.setattr(stack.artifacts, "get_bytes", late_read)
    assert "1 photo was added from feedback; left out: 1 whose photo was not kept" in run(stack)


def test_a_revision_that_came_meanwhile_is_not_undone(
    stack: Stack, pets: Dataset, photos: KeptPhotos, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    taught(stack.sessions, photos, jpeg((9, 9, 9)), "pug")
    once = threading.Event()
    put = stack.artifacts.put_file

    def slow_put(key: str, path: Path, **options: object) -> object:
        stored = put(key, path, **options)  # type: ignore[arg-type]  # passed on as it came
        if not once.is_set():
            once.set()
            folder = tmp_path / "others"
            folder.mkdir()
            for name, colour in (("Birman_1.jpg", 10), ("pug_1.jpg", 20)):
                (folder / name).write_bytes(jpeg((colour, colour, colour)))
            Records(stack.sessions, stack.artifacts).dataset_of(folder, "pets")
        return stored

    monkeypatch.setattr(stack.artifacts, "put_file", slow_put)
    job_id = queued(stack.sessions)
    with stack.sessions.begin() as session:
        assert claim(session, job_id, worker="w1", lease_seconds=60)
    with pytest.raises(DatasetChanged):
        add_feedback(stack.attempt(job_id))
    assert current(stack)[0].items == 2
    assert pets.items == 3


@pytest.mark.thorough
def test_a_worker_takes_such_a_job(
    settings: Settings, sessions: Sessions, celery: Celery, pets: Dataset, photos: KeptPhotos
) -> None:
    taught(sessions, photos, jpeg((9, 9, 9)), "pug")
    job_id = queued(sessions)
    dispatch_job(celery, sessions, job_id)
    with running("worker --lane light", settings):
        job = job_in(sessions, job_id, State.SUCCEEDED, State.FAILED)
    assert (job.state, job.error) == (State.SUCCEEDED, None)
    with sessions.begin() as session:
        found = current_dataset(session, "pets")
    assert found is not None
    assert (found.items, found.revision == pets.revision) == (4, False)
