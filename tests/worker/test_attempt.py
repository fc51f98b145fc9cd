"""What an attempt does when a disk is full, a store is away or a copy is damaged."""

import os
from pathlib import Path

import pytest
from obstore.store import LocalStore
from sqlalchemy.orm import Session

from ml.cache_names import bundle_copy
from ml.data.bundle import write_bundle
from ml.data.cache import open_cache
from ml.data.manifest import Manifest
from ml.decode.images import Limits
from ml.decode.placement import place
from ml.errors import ArchiveRejected, DatasetUnusable, DiskFull, ProcessLost, Stopped
from store.db.datasets import add_dataset
from store.db.models import Run
from store.db.reading import events_after, get_job
from store.errors import NoRoom
from store.keys import bundle_key, checkpoint_key, manifest_key
from store.states import State
from tests.ml.pictures import dataset
from tests.store.rows import claimed, make_job, make_run
from tests.worker.attempts import Stack
from tests.worker.pictures import archive, queue_import
from worker import child, importing
from worker.attempt import Attempt
from worker.checkpoints import CheckpointStore
from worker.lifecycle import EXIT_PROCESS_KILLED, EXIT_PROCESS_LOST, was_killed


@pytest.fixture
def job_id(stack: Stack) -> int:
    """A claimed train job in its first attempt."""
    with stack.sessions.begin() as session:
        return claimed(session, make_job(session, run_id=make_run(session).id, kind="train").id).id


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that takes nothing and deletes nothing."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(LocalStore, "put", refuse)
    monkeypatch.setattr(LocalStore, "delete", refuse)


def logs(stack: Stack, job_id: int) -> list[str]:
    with stack.sessions.begin() as session:
        return [event.data["message"] for event in events_after(session, job_id, 0) if event.event == "log"]


@pytest.mark.parametrize(
    "error",
    [
        OSError(28, "No space left on device"),
        OSError(122, "Disk quota exceeded"),
        DiskFull("model.safetensors could not be written", hint="Free space."),
        NoRoom("the artifact store has no room", hint="Free space."),
    ],
)
def test_a_full_disk_fails_a_job_with_its_code_wherever_it_was_met(
    stack: Stack, job_id: int, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def work(_: Attempt) -> None:
        raise error

    monkeypatch.setattr(child, "work_of", lambda _: work)
    assert child._run(stack.attempt(job_id)) == 0
    with stack.sessions.begin() as session:
        job = get_job(session, job_id)
        assert job.state == State.FAILED
        assert job.error is not None
        assert job.error["code"] == "disk_full"
        assert "Free space" in job.error["hint"]


@pytest.mark.parametrize(
    ("killed", "status", "starved"), [(False, EXIT_PROCESS_LOST, False), (True, EXIT_PROCESS_KILLED, True)]
)
def test_the_end_of_a_process_that_it_trained_in_leaves_a_job_to_be_run_again(
    stack: Stack, job_id: int, monkeypatch: pytest.MonkeyPatch, killed: bool, status: int, starved: bool
) -> None:
    def work(_: Attempt) -> None:
        raise ProcessLost("process 2 of the 2 that train together ended", killed=killed)

    monkeypatch.setattr(child, "work_of", lambda _: work)
    assert child._run(stack.attempt(job_id)) == status
    assert logs(stack, job_id) == ["process 2 of the 2 that train together ended"]
    assert stack.job(job_id).state == State.RUNNING
    assert was_killed(status) is starved


@pytest.mark.usefixtures("away")
def test_a_checkpoint_that_could_not_be_kept_is_told_and_the_training_goes_on(
    stack: Stack, job_id: int, tmp_path: Path
) -> None:
    written = tmp_path / "checkpoint.safetensors"
    written.write_bytes(b"state")
    keeper = CheckpointStore(stack.attempt(job_id))
    keeper.keep(written, 3)
    assert list(keeper.kept()) == []
    assert not written.exists()
    (said,) = logs(stack, job_id)
    assert said.startswith("a checkpoint was not kept, the training goes on: the artifact store")


def test_a_store_that_is_away_after_the_verdict_changes_nothing_about_it(
    stack: Stack, job_id: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    written = tmp_path / "checkpoint.safetensors"
    written.write_bytes(b"state")

    def work(attempt: Attempt) -> None:
        keeper = CheckpointStore(attempt)
        keeper.keep(written, 3)
        attempt.write(attempt.succeed)
        request.getfixturevalue("away")
        keeper.forget()

    monkeypatch.setattr(child, "work_of", lambda _: work)
    monkeypatch.setattr(child, "_fail", lambda *said: pytest.fail(str(said)))
    assert child._run(stack.attempt(job_id)) == 0
    assert stack.artifacts.exists(checkpoint_key(1, 1, 3)), "left for the repair process"


@pytest.mark.thorough
def test_an_upload_goes_with_a_useless_archive_and_stays_where_a_resume_can_use_it(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    for error, stays in ((DiskFull("full"), True), (OSError(5, "broken disk"), True), (ArchiveRejected("no"), False)):
        job_id, upload = queue_import(stack.sessions, stack.artifacts, archive())
        with stack.sessions.begin() as session:
            claimed(session, job_id)

        def fail(*_: object, reason: Exception = error, **__: object) -> None:
            raise reason

        monkeypatch.setattr(importing, "extract_archive", fail)
        with pytest.raises(type(error)):
            importing.import_dataset(stack.attempt(job_id))
        assert stack.artifacts.exists(upload) == stays


class Fetched:
    """A dataset in a store that is no folder of this machine, so that its bundle is fetched."""

    def __init__(self, stack: Stack, job_id: int, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.manifest, self.source = dataset(folder / "pets")
        write_bundle(folder / "pets", self.manifest, folder / "images.tar")
        self.bytes = (folder / "images.tar").read_bytes()
        self.key = bundle_key(self.manifest.revision)
        stack.artifacts.put_bytes(self.key, self.bytes)
        stack.artifacts.put_bytes(manifest_key(self.manifest.revision), self.manifest.model_dump_json().encode())
        monkeypatch.setattr(stack.artifacts, "open_local", lambda _: None)
        self.copy = stack.settings.cache / "datasets" / self.manifest.revision / "images.tar"
        with stack.sessions.begin() as session:
            session.get_one(Run, 1).dataset_id = _dataset_row(session, self.manifest)
        self.attempt = stack.attempt(job_id)

    def is_read(self) -> bool:
        _, bundle = self.attempt.dataset()
        return all(bundle.read(i) == self.source.read(i) for i in range(len(self.manifest.items)))


@pytest.fixture
def fetched(stack: Stack, job_id: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fetched:
    return Fetched(stack, job_id, tmp_path, monkeypatch)


def test_nothing_is_fetched_for_a_job_that_reads_no_picture(fetched: Fetched) -> None:
    manifest, _ = fetched.attempt.dataset()
    assert manifest.revision == fetched.manifest.revision
    assert not fetched.copy.exists()


@pytest.mark.parametrize("damage", ["cut", "changed"])
def test_a_damaged_copy_is_fetched_once_more(fetched: Fetched, damage: str) -> None:
    assert fetched.is_read()
    whole = fetched.bytes
    fetched.copy.write_bytes(whole[:3000] if damage == "cut" else whole[:600] + b"????" + whole[604:])
    assert fetched.is_read()
    assert fetched.copy.read_bytes() == whole


@pytest.mark.parametrize("damage", ["cut", "changed"])
def test_where_the_stored_bundle_is_damaged_no_copy_of_it_stays(fetched: Fetched, stack: Stack, damage: str) -> None:
    whole = fetched.bytes
    stack.artifacts.put_bytes(fetched.key, whole[:3000] if damage == "cut" else whole[:600] + b"????" + whole[604:])
    with pytest.raises(DatasetUnusable):
        fetched.is_read()
    assert not fetched.copy.exists()
    stack.artifacts.put_bytes(fetched.key, whole)
    assert fetched.is_read(), "imported again, it is whole again"


def test_a_fetch_makes_room_for_itself(fetched: Fetched, stack: Stack) -> None:
    older = stack.settings.cache / "datasets" / ("ab12" * 16) / "images.tar"
    older.parent.mkdir(parents=True)
    older.write_bytes(b"x")
    small = stack.settings.model_copy(update={"cache_bytes": len(fetched.bytes)})
    stack.settings = small
    fetched.attempt = stack.attempt(fetched.attempt.job.id)
    assert fetched.is_read()
    assert not older.exists()
    assert fetched.copy.exists()


def test_a_build_fetches_what_it_reads_before_it_makes_room(
    fetched: Fetched, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = stack.settings.cache
    older = bundle_copy(cache, "ab12" * 16)
    older.parent.mkdir(parents=True)
    older.write_bytes(b"x" * 10)
    os.utime(older, (1, 1))
    fetched.copy.parent.mkdir(parents=True)
    fetched.copy.write_bytes(fetched.bytes)
    os.utime(fetched.copy, (0, 0))
    manifest, bundle = fetched.attempt.dataset()
    pixels = sum(place(item.width, item.height, 24).bytes for item in manifest.items)
    monkeypatch.setattr(
        stack.artifacts, "fetch", lambda _key, into, **_: into if into.exists() else pytest.fail("gone")
    )
    limit = pixels + len(fetched.bytes) + 5
    open_cache(manifest, bundle, presize=24, root=cache, limits=Limits(), on_progress=None, cache_bytes=limit)
    assert (older.exists(), fetched.copy.exists()) == (False, True)


def test_a_fetch_that_is_told_to_stop_leaves_nothing_and_a_store_goes_on(
    fetched: Fetched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetched.attempt.reporter, "should_stop", lambda: True)
    with pytest.raises(Stopped):
        fetched.is_read()
    assert list(fetched.copy.parent.iterdir()) == []
    ((name, *_),) = fetched.attempt.store_files({"images.tar": tmp_path / "images.tar"})
    assert name == "images.tar"


def _dataset_row(session: Session, manifest: Manifest) -> int:
    return add_dataset(
        session,
        name="fetched",
        revision=manifest.revision,
        drawn=False,
        label_rule={},
        vocab=list(manifest.vocab),
        items=len(manifest.items),
        summary={},
    ).id
