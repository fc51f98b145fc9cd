"""That a review's job makes a dataset whose labels differ exactly so, and that can be trained on."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session, sessionmaker

from ml.config import FineTune, resolve
from ml.data.bundle import Bundle
from ml.data.manifest import Item, LabelRule, Manifest
from ml.data.scan import scan_folder
from store.artifacts import ArtifactStore
from store.db.datasets import current_dataset
from store.db.jobs import claim, create_job
from store.db.label_reviews import Decision, add_reviews
from store.db.models import Dataset, Run
from store.db.reading import events_after, get_job
from store.kept_photos import KeptPhotos
from store.keys import bundle_key, manifest_key
from store.states import State
from tests.api.records import Records, jpeg
from tests.store.test_kept import kept
from tests.store.test_kept_photos import hash_of
from tests.worker.attempts import Stack
from worker.review_import import apply_review
from worker.revisions import DatasetChanged

Sessions = sessionmaker[Session]
BREEDS = ("Birman", "beagle", "pug")
SENT = jpeg((9, 9, 9))


@pytest.fixture
def pets(sessions: Sessions, artifacts: ArtifactStore, tmp_path: Path) -> Dataset:
    """Twelve photos of three breeds with a given split."""
    folder = tmp_path / "pets"
    for number in range(12):
        place = folder / ("valid" if number % 4 == 3 else "train")
        place.mkdir(parents=True, exist_ok=True)
        breed = BREEDS[number % 3]
        (place / f"{breed}_{number}.jpg").write_bytes(jpeg((20 * number, 255 - 20 * number, 90), (64, 64)))
    dataset = Records(sessions, artifacts).dataset_of(folder, "pets")
    assert scan_folder(folder, LabelRule(), name="pets").sides == {"train": 9, "valid": 3, "test": 0}
    return dataset


def manifest_of(artifacts: ArtifactStore, dataset: Dataset) -> Manifest:
    return Manifest.model_validate_json(artifacts.get_bytes(manifest_key(dataset.revision)))


def current(sessions: Sessions) -> Dataset:
    with sessions.begin() as session:
        found = current_dataset(session, "pets")
    assert found is not None
    return found


def decided(item: Item, action: Any, label: str | None = None) -> Decision:  # noqa: ANN401 - one of the actions
    to = {"keep": item.label, "drop": None}.get(action, label)
    return Decision(action=action, sha256=item.sha256, path=item.path, label_before=item.label, label=to)


def queued(sessions: Sessions, pets: Dataset, *decisions: Decision) -> int:
    payload = {"name": "pets", "source": {"kind": "review", "base_id": pets.id}, "rule": pets.label_rule}
    with sessions.begin() as session:
        job = create_job(session, kind="import", payload=payload, max_attempts=3)
        add_reviews(session, decisions, dataset="pets", job_id=job.id, reviewer="Ada")
        return job.id


def run(stack: Stack, pets: Dataset, *decisions: Decision) -> str:
    """Work the review off here; what its log said."""
    job_id = queued(stack.sessions, pets, *decisions)
    with stack.sessions.begin() as session:
        assert claim(session, job_id, worker="w1", lease_seconds=60)
    apply_review(stack.attempt(job_id))
    with stack.sessions.begin() as session:
        assert get_job(session, job_id).state == State.SUCCEEDED
        return " ".join(event.data["message"] for event in events_after(session, job_id, 0) if event.event == "log")


def test_the_revision_differs_in_exactly_what_was_decided(stack: Stack, pets: Dataset) -> None:
    old = manifest_of(stack.artifacts, pets)
    other, gone, right = old.items[1], old.items[4], old.items[6]
    label = next(breed for breed in BREEDS if breed != other.label)
    with stack.sessions.begin() as session:
        kept(session, sha256=hash_of(SENT), bytes=len(SENT), with_photo=True)
    KeptPhotos(stack.sessions, stack.artifacts, 1 << 20).keep({hash_of(SENT): SENT})
    path = f"feedback/{hash_of(SENT)}.jpg"
    sent = Decision(action="add", sha256=hash_of(SENT), path=path, label_before="pug", label="beagle")
    lost = Decision(action="add", sha256="0" * 64, path="feedback/0.jpg", label_before="pug", label="beagle")
    changes = (decided(other, "relabel", label), decided(gone, "drop"), decided(right, "keep"), sent, lost)
    said = run(stack, pets, *changes)
    dataset = current(stack.sessions)
    new = manifest_of(stack.artifacts, dataset)
    assert dataset.revision == new.revision != pets.revision
    counts = {"relabelled": 1, "dropped": 1, "kept": 1, "added": 1}
    assert dataset.made_from is not None
    assert {**dataset.made_from, "job": None} == {"revision": pets.revision, "job": None, **counts}
    assert said.startswith("labels reviewed: 1 relabelled, 1 dropped, 1 kept, 1 added; 1 sent")
    assert new.notes[-1] == said
    before, after = ({item.path: item for item in one.items} for one in (old, new))
    assert after.keys() - before.keys() == {path}
    assert before.keys() - after.keys() == {gone.path}
    assert (after[path].label, after[path].split) == ("beagle", None)
    differing = [one for one in before.keys() & after.keys() if before[one] != after[one]]
    assert differing == [other.path]
    assert after[other.path] == other.model_copy(update={"label": label})
    local = stack.artifacts.open_local(bundle_key(dataset.revision))
    assert local is not None
    bundle = Bundle(local, new)
    assert [hash_of(bundle.read(place)) for place in range(12)] == [item.sha256 for item in new.items]
    bundle.close()
    # The originals are as they were.
    assert manifest_of(stack.artifacts, pets) == old


def test_where_all_is_right_the_dataset_stays_as_it_is(stack: Stack, pets: Dataset) -> None:
    item = manifest_of(stack.artifacts, pets).items[0]
    assert "1 kept" in run(stack, pets, decided(item, "keep"), decided(item, "relabel", item.label))
    assert current(stack.sessions).id == pets.id


def test_a_revision_that_came_meanwhile_is_not_undone(stack: Stack, pets: Dataset, tmp_path: Path) -> None:
    item = manifest_of(stack.artifacts, pets).items[0]
    job_id = queued(stack.sessions, pets, decided(item, "drop"))
    with stack.sessions.begin() as session:
        assert claim(session, job_id, worker="w1", lease_seconds=60)
    newer = Records(stack.sessions, stack.artifacts).dataset_with_photos(tmp_path / "newer", "pets")
    with pytest.raises(DatasetChanged):
        apply_review(stack.attempt(job_id))
    assert current(stack.sessions).id == newer.id


@pytest.mark.thorough
def test_a_revision_can_be_trained_on(stack: Stack, pets: Dataset) -> None:
    item = manifest_of(stack.artifacts, pets).items[0]
    run(stack, pets, decided(item, "relabel", "pug" if item.label != "pug" else "beagle"))
    revised = current(stack.sessions)
    assert revised.id != pets.id
    small = FineTune(arch="resnet18", pretrained=False, epochs=1, freeze_epochs=0, batch_size=4, presize=64, size=32)
    with stack.sessions.begin() as session:
        new = Run(kind="train", dataset_id=revised.id, config=resolve(small).model_dump(mode="json"))
        session.add(new)
        session.flush()
        training = create_job(session, kind="train", run_id=new.id, max_attempts=1).id
    trained = stack.worked_off(training)
    assert (trained.state, trained.error) == (State.SUCCEEDED, None)
