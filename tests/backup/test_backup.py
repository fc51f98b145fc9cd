import json
import os
import shutil
import stat
from collections.abc import Iterator
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session, sessionmaker

from backup import writing
from backup.container import Writer, content, entries
from backup.description import BackupInvalid
from backup.restoring import check_backup, restore_backup
from backup.writing import BackupRefused, WrittenBackup, write_backup
from migrations.engine import downgrade, upgrade
from migrations.schema import known_revisions
from store.artifacts import ArtifactStore
from store.db.jobs import create_job
from store.db.models import Dataset, Run
from store.db.reading import get_job
from store.deletions import delete_unheld
from store.errors import NoRoom
from store.keys import DATASETS, bundle_key, manifest_key
from store.settings import Settings
from store.states import State
from tests.backup.stacks import REVISION, another_place, fill, keys_of, quiet, sessions_of
from tests.store.rows import claimed, make_job, make_run
from tests.store.s3 import make_bucket, s3_server, variables_of


@pytest.fixture
def filled(sessions: sessionmaker[Session], artifacts: ArtifactStore) -> dict[str, bytes]:
    return fill(sessions, artifacts)


@pytest.fixture
def elsewhere(settings: Settings, engine: Engine) -> Iterator[Settings]:
    with another_place(settings, engine) as place:
        yield place


def made(settings: Settings, path: Path, *, allow_missing: bool = False) -> WrittenBackup:
    return write_backup(settings, path, quiet, allow_missing=allow_missing)


def test_what_is_restored_is_what_was_there(
    settings: Settings, filled: dict[str, bytes], sessions: sessionmaker[Session], elsewhere: Settings, tmp_path: Path
) -> None:
    file = tmp_path / "a.tar"
    written = made(settings, file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert (written.bytes, written.lost) == (file.stat().st_size, [])
    assert written.contents.missing == ["runs/2/checkpoint-1-10.safetensors"]  # it went before, as they do
    assert [part.name for part in tmp_path.glob(".*")] == []

    done = restore_backup(elsewhere, file, quiet)
    store = ArtifactStore(elsewhere.artifacts_url)
    assert {key: store.get_bytes(key) for key in keys_of(store)} == filled
    with sessions_of(elsewhere) as restored, restored.begin() as there, sessions.begin() as here:
        for model in (Dataset, Run):
            columns = [column.name for column in model.__table__.columns]
            rows = [
                [[getattr(row, name) for name in columns] for row in session.query(model).order_by(model.id)]
                for session in (here, there)
            ]
            assert rows[0] == rows[1] != []
        running, waiting = get_job(there, 2), get_job(there, 3)
        # the attempt that ended with the old place does not count: it was the only one that the job had
        assert (running.state, running.attempt, running.max_attempts) == (State.QUEUED, 1, 2)
        assert (waiting.state, waiting.published_at) == (State.QUEUED, None)
        assert (done.jobs.were_running, done.jobs.were_queued) == (1, 2)
        assert create_job(there, kind="import", max_attempts=3).id == 4  # no number is given twice


def test_numbers_of_what_was_deleted_are_not_given_again(
    settings: Settings, sessions: sessionmaker[Session], elsewhere: Settings, tmp_path: Path
) -> None:
    with sessions.begin() as session:
        assert [make_job(session).id for _ in range(3)] == [1, 2, 3]
        session.execute(text("DELETE FROM job_events WHERE job_id = 3; DELETE FROM jobs WHERE id = 3"))
    made(settings, tmp_path / "a.tar")
    restore_backup(elsewhere, tmp_path / "a.tar", quiet)
    with sessions_of(elsewhere) as restored, restored.begin() as session:
        assert make_job(session).id == 4


def test_a_backup_comes_back_in_a_bucket(
    settings: Settings,
    filled: dict[str, bytes],
    elsewhere: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made(settings, tmp_path / "a.tar")
    with s3_server() as endpoint:
        for name, value in variables_of(endpoint).items():
            monkeypatch.setenv(name, value)
        bucket = elsewhere.model_copy(update={"artifacts_url": f"s3://{make_bucket(endpoint)}/some/prefix"})
        restore_backup(bucket, tmp_path / "a.tar", quiet)
        again = write_backup(bucket, tmp_path / "b.tar", quiet, allow_missing=False)
    assert {part.key: part.sha256 for part in again.contents.files} == {
        key: sha256(data).hexdigest() for key, data in filled.items()
    }


def test_what_is_deleted_meanwhile_is_in_it_and_goes_afterwards(
    settings: Settings,
    filled: dict[str, bytes],
    sessions: sessionmaker[Session],
    artifacts: ArtifactStore,
    tmp_path: Path,
) -> None:
    key = bundle_key(REVISION)

    def delete(stage: str, done: int, total: int) -> None:
        quiet(stage, done, total)
        if stage == "files" and done == 0:
            return
        assert not delete_unheld(artifacts, sessions, [key])

    written = write_backup(settings, tmp_path / "a.tar", delete, allow_missing=False)
    assert key in {part.key for part in written.contents.files}
    assert artifacts.exists(key)
    assert delete_unheld(artifacts, sessions, [key])
    assert filled.keys() - keys_of(artifacts) == {key}


def test_two_at_once_are_refused(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "HOLD_SECONDS", 0.1)

    def another(stage: str, *_: int) -> None:
        assert stage
        with pytest.raises(BackupRefused, match="another backup"):
            made(settings, tmp_path / "b.tar")

    write_backup(settings, tmp_path / "a.tar", another, allow_missing=False)
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".tar"] == ["a.tar"]


def test_a_store_that_lacks_files_is_told_of(
    settings: Settings, filled: dict[str, bytes], artifacts: ArtifactStore, elsewhere: Settings, tmp_path: Path
) -> None:
    model = "runs/1/1-1/model.safetensors"
    artifacts.put_bytes(model, b"other weights")
    artifacts.delete(manifest_key(REVISION))
    with pytest.raises(BackupRefused, match=r"lacks datasets/.*manifest.json and 1 more"):
        made(settings, tmp_path / "a.tar")
    assert list(tmp_path.glob("*a.tar*")) == []
    written = made(settings, tmp_path / "a.tar", allow_missing=True)
    assert written.lost == [manifest_key(REVISION), model]
    restore_backup(elsewhere, tmp_path / "a.tar", quiet)
    gone = {manifest_key(REVISION), model}
    assert keys_of(ArtifactStore(elsewhere.artifacts_url)) == filled.keys() - gone


def test_a_full_disk_is_told_and_leaves_nothing(
    settings: Settings, filled: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert filled
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1 << 20))
    with pytest.raises(NoRoom, match="has no room for the backup, which takes 0 MiB: 1 MiB are free"):
        made(settings, tmp_path / "a.tar")
    assert list(tmp_path.glob("*a.tar*")) == []


def test_a_disk_that_fills_meanwhile_is_told_and_leaves_nothing(
    settings: Settings, filled: dict[str, bytes], tmp_path: Path
) -> None:
    assert filled

    def full(stage: str, *_: int) -> None:
        if stage == "files":
            raise OSError(28, os.strerror(28))

    with pytest.raises(NoRoom, match="has no room for the backup"):
        write_backup(settings, tmp_path / "a.tar", full, allow_missing=False)
    assert list(tmp_path.glob("*a.tar*")) == []


def test_a_database_of_another_version_is_refused(elsewhere: Settings, tmp_path: Path) -> None:
    with pytest.raises(BackupRefused, match="the database has no schema"):
        made(elsewhere, tmp_path / "a.tar")
    upgrade(elsewhere.database_url, "0015")
    with pytest.raises(BackupRefused, match="the database has the schema 0015"):
        made(elsewhere, tmp_path / "a.tar")


def test_only_an_empty_place_is_restored_into(
    settings: Settings, filled: dict[str, bytes], elsewhere: Settings, tmp_path: Path
) -> None:
    made(settings, tmp_path / "a.tar")
    with pytest.raises(BackupRefused, match="the database is not empty"):
        restore_backup(settings, tmp_path / "a.tar", quiet)
    crowded = elsewhere.model_copy(update={"artifacts_url": settings.artifacts_url})
    with pytest.raises(BackupRefused, match="the artifact store is not empty"):
        restore_backup(crowded, tmp_path / "a.tar", quiet)
    assert keys_of(ArtifactStore(settings.artifacts_url)) == filled.keys()
    upgrade(elsewhere.database_url)  # as a service that was started before has left it
    restore_backup(elsewhere, tmp_path / "a.tar", quiet)


Parts = dict[str, bytes]


def parts_of(file: Path) -> Parts:
    with file.open("rb") as opened:
        listed = list(entries(opened, file.stat().st_size))
        return {entry.name: b"".join(content(opened, entry)) for entry in listed}


def write_parts(file: Path, parts: Parts, **contents: Any) -> None:  # noqa: ANN401 - JSON
    """Write a backup anew whose list and sums are right, with other things in its list."""
    told = json.loads(parts["contents.json"])
    for listed, prefix, key in (("tables", "tables/", "name"), ("files", "files/", "key")):
        for one in told[listed]:
            data = parts.get(prefix + one[key], b"")
            one |= {"bytes": len(data), "sha256": sha256(data).hexdigest()}
    parts = {**parts, "contents.json": json.dumps(told | contents).encode()}
    parts["check"] = sha256(parts["contents.json"]).hexdigest().encode()
    out = BytesIO()
    writer = Writer(out)
    for name, data in parts.items():
        writer.add(name, iter([data]))
    writer.close()
    file.write_bytes(out.getvalue())


@pytest.fixture
def backup(settings: Settings, filled: dict[str, bytes], tmp_path: Path) -> Path:
    assert filled
    made(settings, tmp_path / "a.tar")
    return tmp_path / "a.tar"


def is_refused(elsewhere: Settings, file: Path, why: str) -> None:
    """With a sentence, and nothing is left of it."""
    with pytest.raises(BackupInvalid, match=why):
        restore_backup(elsewhere, file, quiet)
    assert keys_of(ArtifactStore(elsewhere.artifacts_url)) == set()
    with sessions_of(elsewhere) as sessions, sessions.begin() as session:
        assert session.scalar(text("SELECT count(*) FROM pg_tables WHERE tablename = 'jobs'")) == 0


def test_a_damaged_backup_is_refused_before_anything_is_done(backup: Path, elsewhere: Settings) -> None:
    whole = backup.read_bytes()
    assert check_backup(backup, quiet).head.revision == known_revisions()[0]
    for cut in (0, 100, 512, len(whole) // 2, len(whole) - 512, len(whole) - 1):
        backup.write_bytes(whole[:cut])
        is_refused(elsewhere, backup, r"no backup|ends in the middle|no list of contents|does not end")
    for place in range(0, len(whole), 401):
        backup.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(BackupInvalid):
            check_backup(backup, quiet)
    backup.write_bytes(b"\x1f\x8b" + whole)
    is_refused(elsewhere, backup, "no backup of Pedigree")


def test_a_backup_of_a_newer_version_is_refused_by_name(backup: Path, elsewhere: Settings) -> None:
    parts = parts_of(backup)
    head = json.loads(parts["head.json"])
    newer = {**head, "revision": "9999", "pedigree": "7.2.0"}
    write_parts(backup, parts | {"head.json": json.dumps(newer).encode()})
    is_refused(elsewhere, backup, "made by Pedigree 7.2.0, whose schema 9999 this version does not know")
    write_parts(backup, parts | {"head.json": json.dumps({**head, "format": 2, "new": 1}).encode()})
    is_refused(elsewhere, backup, "is of format 2, and this version reads 1")


@pytest.mark.thorough
def test_what_no_backup_holds_is_refused_and_nothing_is_left(backup: Path, elsewhere: Settings) -> None:
    parts = parts_of(backup)
    contents = json.loads(parts["contents.json"])
    tables, files = contents["tables"], contents["files"]
    key = files[0]["key"]

    def named(new: str) -> tuple[Parts, list[dict[str, Any]]]:
        renamed = {name.replace(f"files/{key}", f"files/{new}"): data for name, data in parts.items()}
        return renamed, [{**one, "key": new} if one["key"] == key else one for one in files]

    for outside in (
        "../../etc/passwd",
        "/etc/passwd",
        "runs/1/1-1/..",
        "runs/1/../../x",
        "runs/1/1-1/a\nb",
        "mine.txt",
    ):
        changed, listed = named(outside)
        write_parts(backup, changed, files=listed)
        is_refused(elsewhere, backup, "where Pedigree keeps none")
    changed, listed = named(f"{DATASETS}{'b' * 64}/images.tar")
    write_parts(backup, changed, files=listed)
    is_refused(elsewhere, backup, "rows and files do not belong together")
    for size in (0, 10**15):
        write_parts(backup, parts, files=[{**files[0], "bytes": size}, *files[1:]])
        is_refused(elsewhere, backup, "damaged at files/")
    write_parts(backup, parts, tables=[{**tables[0], "rows": 10**9}, *tables[1:]])
    is_refused(elsewhere, backup, "rows, and the backup's list says")
    unknown = {**tables[0], "name": "pg_authid"}
    renamed = {name.replace(f"tables/{tables[0]['name']}", "tables/pg_authid"): data for name, data in parts.items()}
    write_parts(backup, renamed, tables=[unknown, *tables[1:]], sequences=contents["sequences"] | {"of_mine": 1})
    is_refused(elsewhere, backup, "does not fit the schema that it names: .*pg_authid, of_mine")
    strange = parts | {"tables/runs": parts["tables/runs"] + b"not\ta\trow\n"}
    write_parts(backup, strange)
    is_refused(elsewhere, backup, "rows of runs do not fit")
    write_parts(backup, parts | {"tables/more": b""})
    is_refused(elsewhere, backup, "no list of contents|does not hold what its list of contents says")
    write_parts(backup, parts, surprise=1)
    is_refused(elsewhere, backup, "list of contents cannot be read")


def test_a_store_that_breaks_off_leaves_nothing_behind(
    backup: Path, elsewhere: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    put, count = ArtifactStore.put_parts, 0

    def breaks(self: ArtifactStore, key: str, parts: Iterator[bytes], size: int) -> object:
        nonlocal count
        count += 1
        if count == 3:
            raise NoRoom("full")
        return put(self, key, parts, size)

    monkeypatch.setattr(ArtifactStore, "put_parts", breaks)
    with pytest.raises(NoRoom):
        restore_backup(elsewhere, backup, quiet)
    assert keys_of(ArtifactStore(elsewhere.artifacts_url)) == set()
    monkeypatch.undo()
    restore_backup(elsewhere, backup, quiet)


def test_a_backup_of_an_earlier_schema_goes_forward(backup: Path, elsewhere: Settings) -> None:
    with sessions_of(elsewhere) as sessions:
        restore_backup(elsewhere, backup, quiet)
        downgrade(elsewhere.database_url, "0015")
        with sessions.begin() as session:
            assert session.scalar(text("SELECT count(*) FROM runs")) == 2
    old = write_old(elsewhere, backup)
    downgrade(elsewhere.database_url, "base")
    shutil.rmtree(str(ArtifactStore(elsewhere.artifacts_url).folder))
    restore_backup(elsewhere, old, quiet)
    with sessions_of(elsewhere) as sessions, sessions.begin() as session:
        assert [run.study_id for run in session.query(Run)] == [None, None]


def write_old(settings: Settings, backup: Path) -> Path:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(writing, "known_revisions", lambda: ["0015"])
        old = backup.with_name("old.tar")
        write_backup(settings, old, quiet, allow_missing=True)
    return old


def test_a_job_that_was_to_be_cancelled_is_cancelled(
    settings: Settings, sessions: sessionmaker[Session], elsewhere: Settings, tmp_path: Path
) -> None:
    with sessions.begin() as session:
        job = make_job(session, run_id=make_run(session).id, kind="lr_find")
        claimed(session, job.id)
        job.state = State.CANCELLING
    made(settings, tmp_path / "a.tar", allow_missing=True)
    done = restore_backup(elsewhere, tmp_path / "a.tar", quiet)
    with sessions_of(elsewhere) as restored, restored.begin() as session:
        assert get_job(session, 1).state == State.CANCELLED
    assert (done.jobs.were_running, done.jobs.were_queued) == (0, 0)
