"""That photos of an archive become part of a dataset that is there, and nothing else of it changes."""

import io
import zipfile
from pathlib import Path

import pytest
from sqlalchemy.orm import Session, sessionmaker

from ml.data.bundle import Bundle
from ml.data.manifest import Manifest
from store.artifacts import ArtifactStore
from store.db.datasets import current_dataset
from store.db.jobs import claim, create_job
from store.db.models import Dataset
from store.db.reading import get_job
from store.keys import bundle_key, manifest_key, new_upload_key
from store.states import State
from tests.api.records import Records, jpeg
from tests.worker.attempts import Stack
from worker.importing import import_dataset

Sessions = sessionmaker[Session]
NEW = jpeg((1, 2, 3))


@pytest.fixture
def pets(sessions: Sessions, artifacts: ArtifactStore, tmp_path: Path) -> Dataset:
    """A dataset of three photos, Birman and pug; the first is red."""
    return Records(sessions, artifacts).dataset_with_photos(tmp_path / "pets", "pets")


def added(stack: Stack, **photos: bytes) -> Dataset:
    """The dataset after the import of these, labelled by a list."""
    packed, lines = io.BytesIO(), ["filename,label"]
    with zipfile.ZipFile(packed, "w") as file:
        for label, data in photos.items():
            file.writestr(f"new/{label}.jpg", data)
            lines.append(f"new/{label}.jpg,{label}")
        file.writestr("new/none.jpg", jpeg((7, 7, 7)))
    key, labels = new_upload_key(), new_upload_key()
    stack.artifacts.put_bytes(key, packed.getvalue())
    stack.artifacts.put_bytes(labels, "\n".join(lines).encode())
    source = {"kind": "archive", "key": key, "labels": labels, "add": True}
    with stack.sessions.begin() as session:
        payload = {"name": "pets", "source": source, "rule": {"kind": "csv"}}
        job_id = create_job(session, kind="import", payload=payload, max_attempts=3).id
    with stack.sessions.begin() as session:
        assert claim(session, job_id, worker="w1", lease_seconds=60)
    import_dataset(stack.attempt(job_id))
    assert not stack.artifacts.exists(key)
    with stack.sessions.begin() as session:
        assert get_job(session, job_id).state == State.SUCCEEDED
        found = current_dataset(session, "pets")
    assert found is not None
    return found


def test_photos_with_a_label_are_added_and_those_that_it_has_are_not(stack: Stack, pets: Dataset) -> None:
    dataset = added(stack, Sphynx=NEW, pug=jpeg((200, 0, 0)), beagle=jpeg((5, 6, 7)))
    assert (dataset.revision_number, dataset.items, dataset.vocab) == (2, 5, ["Birman", "Sphynx", "beagle", "pug"])
    new = Manifest.model_validate_json(stack.artifacts.get_bytes(manifest_key(dataset.revision)))
    old = Manifest.model_validate_json(stack.artifacts.get_bytes(manifest_key(pets.revision)))
    assert set(old.items) < set(new.items)
    place, item = next((place, item) for place, item in enumerate(new.items) if item.label == "Sphynx")
    assert item.path.endswith("/new/Sphynx.jpg")
    local = stack.artifacts.open_local(bundle_key(dataset.revision))
    assert local is not None
    bundle = Bundle(local, new)
    assert bundle.read(place) == NEW
    bundle.close()


def test_a_dataset_that_has_them_all_stays_as_it_is(stack: Stack, pets: Dataset) -> None:
    same = added(stack, Sphynx=jpeg((200, 0, 0)), pug=jpeg((0, 200, 0)))
    assert (same.id, same.vocab) == (pets.id, ["Birman", "pug"])
