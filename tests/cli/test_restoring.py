"""`pedigree backup` and `restore` where a database is named from outside: what people read, and what is refused."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session, sessionmaker

from store.artifacts import ArtifactStore
from store.db.reading import get_job
from store.settings import Settings
from tests.backup.stacks import another_place, fill, keys_of, sessions_of
from tests.cli.test_commands import pedigree

Capture = pytest.CaptureFixture[str]
Patch = pytest.MonkeyPatch


@pytest.fixture
def filled(
    settings: Settings, sessions: sessionmaker[Session], artifacts: ArtifactStore, monkeypatch: Patch
) -> dict[str, bytes]:
    """The place that the settings name, with something in it."""
    monkeypatch.setenv("DATABASE_URL", settings.database_url)
    monkeypatch.setenv("ARTIFACTS_URL", settings.artifacts_url)
    return fill(sessions, artifacts)


@pytest.fixture
def elsewhere(settings: Settings, engine: Engine) -> Iterator[Settings]:
    with another_place(settings, engine) as place:
        yield place


def test_a_backup_is_looked_at_and_restored_into_another_database_beside_files_of_the_data_folder(
    filled: dict[str, bytes], elsewhere: Settings, tmp_path: Path, capsys: Capture, monkeypatch: Patch
) -> None:
    kept, data = tmp_path / "kept", tmp_path / "data"
    kept.mkdir()
    code, out, err = pedigree(capsys, monkeypatch, "backup", str(kept))
    assert (code, err) == (0, "")
    (file,) = kept.glob("pedigree-*.backup.tar")
    assert out.startswith(f"{file}: ")
    assert f" rows and {len(filled)} files (" in out

    before = file.read_bytes()
    code, out, err = pedigree(capsys, monkeypatch, "restore", str(kept), "--check")
    assert (code, err, out.startswith(f"{file}: whole, ")) == (0, "", True)
    assert file.read_bytes() == before

    monkeypatch.setenv("DATABASE_URL", elsewhere.database_url)
    monkeypatch.delenv("ARTIFACTS_URL")
    code, out, err = pedigree(capsys, monkeypatch, "restore", str(kept), "--data", str(data))
    assert (code, err) == (0, "")
    assert "3 jobs wait; they go on with `pedigree up --data" in out
    assert keys_of(ArtifactStore((data / "artifacts").as_uri())) == filled.keys()
    with sessions_of(elsewhere) as there, there.begin() as session:
        assert [get_job(session, number).state for number in (1, 2, 3)] == ["queued"] * 3

    code, out, err = pedigree(capsys, monkeypatch, "restore", str(kept), "--data", str(data))
    assert (code, out, len(err.splitlines())) == (1, "", 1), "what is there is not written over"


def test_a_file_that_the_record_names_and_nobody_has_stops_a_backup_until_it_is_allowed(
    filled: dict[str, bytes], artifacts: ArtifactStore, tmp_path: Path, capsys: Capture, monkeypatch: Patch
) -> None:
    lost = next(key for key, content in filled.items() if content == b"weights")
    artifacts.delete(lost)
    code, out, err = pedigree(capsys, monkeypatch, "backup", str(tmp_path / "it.tar"))
    assert (code, out, lost in err, len(err.splitlines())) == (1, "", True, 1)
    assert list(tmp_path.glob("*.tar")) == []
    code, _, err = pedigree(capsys, monkeypatch, "backup", str(tmp_path / "it.tar"), "--allow-missing")
    assert (code, err) == (0, f"! it lacks 1 file: {lost}\n")


def test_a_folder_without_a_backup_is_said_to_have_none(tmp_path: Path, capsys: Capture, monkeypatch: Patch) -> None:
    code, _, err = pedigree(capsys, monkeypatch, "restore", str(tmp_path))
    assert (code, err) == (1, f"pedigree: {tmp_path} has no pedigree-*.backup.tar in it. Name the file itself.\n")
