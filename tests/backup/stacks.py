"""Two places, one that has something and one that has nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

from sqlalchemy import Engine, create_engine, text
from sqlalchemy.orm import Session, sessionmaker

from store.artifacts import ArtifactStore
from store.db.records import record_artifact
from store.keys import bundle_key, checkpoint_key, manifest_key, new_upload_key, output_key
from store.settings import Settings
from tests.store.rows import claimed, make_job, make_run

REVISION = "a" * 64


def quiet(stage: str, done: int, total: int) -> None:
    assert 0 <= done <= total, stage


@contextmanager
def another_place(settings: Settings, engine: Engine) -> Iterator[Settings]:
    """Settings of an empty database and an empty folder."""
    name = f"restored_{uuid4().hex}"
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
        url = engine.url.set(database=name).render_as_string(hide_password=False)
        artifacts = settings.artifacts_url + "-restored"
        try:
            yield settings.model_copy(update={"database_url": url, "artifacts_url": artifacts})
        finally:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))


@contextmanager
def sessions_of(settings: Settings) -> Iterator[sessionmaker[Session]]:
    engine = create_engine(settings.database_url)
    try:
        yield sessionmaker(engine, expire_on_commit=False)
    finally:
        engine.dispose()


def fill(sessions: sessionmaker[Session], artifacts: ArtifactStore) -> dict[str, bytes]:
    """A run that is done, one that is at work, jobs that wait; the files that they name."""
    files: dict[str, bytes] = {}

    def put(key: str) -> str:
        files[key] = f"what {key} is".encode() * 9
        artifacts.put_bytes(key, files[key])
        return key

    with sessions.begin() as session:
        done = make_run(session, dataset="pets", name="tab\tand\nline \\N é")
        done.dataset.revision = REVISION
        put(manifest_key(REVISION))
        put(bundle_key(REVISION))
        own = make_job(session, run_id=done.id, kind="train")
        stored = artifacts.put_bytes(output_key(done.id, own.id, 1, "model.safetensors"), b"weights")
        files[stored.key] = b"weights"
        record_artifact(session, done.id, "model.safetensors", key=stored.key, sha256=stored.sha256, size=stored.bytes)
        at_work = make_run(session, dataset="others")
        at_work.dataset.revision = REVISION
        at_work.checkpoints = [
            {"key": put(checkpoint_key(at_work.id, 1, 20)), "step": 20},
            {"key": checkpoint_key(at_work.id, 1, 10), "step": 10},
        ]
        running = make_job(session, run_id=at_work.id, kind="train", max_attempts=1)
        upload = make_job(session)
        upload.payload = {"name": "more", "source": {"kind": "archive", "key": put(new_upload_key())}}
        claimed(session, running.id)
    return files


def keys_of(artifacts: ArtifactStore) -> set[str]:
    prefixes = ("runs/", "datasets/", "uploads/", "photos/", "jobs/")
    return {one.key for prefix in prefixes for one in artifacts.keys_below(prefix)}
