"""What a backup and `pedigree doctor` take for a file that the record names: one that is left out is lost."""

from sqlalchemy.orm import Session, sessionmaker

from store.artifacts import ArtifactStore
from store.db.jobs import create_job
from store.db.kept_tables import KeptPhoto
from store.db.models import Run
from store.db.named_files import NamedFile, named_files
from store.db.records import record_artifact
from store.kept_photos import KeptPhotos
from store.keys import bundle_key, manifest_key, photo_key
from store.states import State
from tests.store.rows import make_run
from tests.store.test_kept_photos import RED, hash_of, wanted

Sessions = sessionmaker[Session]
FILE = {"key": "jobs/1-1/predictions.csv", "sha256": "ab" * 32, "bytes": 70}
PART = {"key": "jobs/1-1/part-0.jsonl", "sha256": "cd" * 32}


def named(sessions: Sessions) -> dict[str, NamedFile]:
    with sessions.begin() as session:
        return {one.key: one for one in named_files(session)}


def test_files_of_datasets_runs_and_checkpoints_are_named(sessions: Sessions) -> None:
    with sessions.begin() as session:
        run = make_run(session)
        record_artifact(session, run.id, "model.safetensors", key="runs/1/1-1/m", sha256="ef" * 32, size=9)
        session.get_one(Run, run.id).checkpoints = [{"key": "runs/1/checkpoint"}]
        revision = run.dataset.revision
    assert named(sessions) == {
        "runs/1/1-1/m": NamedFile("runs/1/1-1/m", "ef" * 32, 9),
        "runs/1/checkpoint": NamedFile("runs/1/checkpoint", is_needed=False),
        manifest_key(revision): NamedFile(manifest_key(revision)),
        bundle_key(revision): NamedFile(bundle_key(revision)),
    }


def test_a_kept_photo_is_named_once_it_is_stored(sessions: Sessions, artifacts: ArtifactStore) -> None:
    wanted(sessions, RED)
    assert KeptPhotos(sessions, artifacts, 1000).keep({hash_of(RED): RED})
    key = photo_key(hash_of(RED))
    with sessions.begin() as session:
        session.add(KeptPhoto(sha256="12" * 32, bytes=5))  # being written
    assert named(sessions) == {key: NamedFile(key, hash_of(RED), len(RED))}


def test_answers_of_a_predict_job_are_named_and_its_parts_while_it_may_go_on(sessions: Sessions) -> None:
    for state, parts in ((State.QUEUED, [PART["key"]]), (State.SUCCEEDED, [])):
        with sessions.begin() as session:
            payload = {"answers": {"predictions.csv": FILE}, "parts": [PART]}
            job = create_job(session, kind="predict", payload=payload, max_attempts=3, state=state)
        assert list(named(sessions)) == [*parts, FILE["key"]]
        assert named(sessions)[str(FILE["key"])] == NamedFile(**FILE)  # type: ignore[arg-type]  # a key, a sum, a size
        with sessions.begin() as session:
            session.delete(session.merge(job))
