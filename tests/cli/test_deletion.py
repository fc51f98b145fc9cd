"""``pedigree runs delete`` and ``datasets delete`` tell first, ask, and delete, against the real API."""

import io
import json
import sys
from collections.abc import Iterator

import pytest
from sqlalchemy.orm import Session, sessionmaker

from store.artifacts import ArtifactStore
from store.db.jobs import create_job
from store.db.models import Run
from store.settings import Settings
from store.states import State
from tests.api.records import Records
from tests.cli.live_api import live_api
from tests.cli.test_commands import pedigree

Capture = pytest.CaptureFixture[str]
Patch = pytest.MonkeyPatch


@pytest.fixture
def records(
    settings: Settings, sessions: sessionmaker[Session], artifacts: ArtifactStore, monkeypatch: Patch
) -> Iterator[Records]:
    with live_api(settings) as api:
        monkeypatch.setenv("PEDIGREE_URL", api.url)
        yield Records(sessions, artifacts)


def test_what_hangs_on_a_run_is_told_before_it_goes(records: Records, capsys: Capture, monkeypatch: Patch) -> None:
    run = records.served()

    def delete(*words: str) -> tuple[int, str, str]:
        return pedigree(capsys, monkeypatch, "runs", "delete", str(run.id), *words)

    code, out, err = delete()
    assert (code, "3 files" in out, "--yes" in err) == (1, True, True)
    pedigree(capsys, monkeypatch, "models", "register", str(run.id), "--alias", "production")
    code, out, err = delete("--yes", "--cascade")
    assert (code, "version 1, which answers for production" in out) == (1, True)
    assert "Point the alias at another version first" in err
    pedigree(capsys, monkeypatch, "models", "register", str(records.served(content=b"x").id), "--alias", "production")
    code, out, err = delete("--yes")
    assert (code, "version 1: goes with it" in out, "--cascade" in err) == (1, True, True)
    code, out, err = delete("--yes", "--cascade")
    assert (code, out.splitlines()[-1], err) == (0, f"run {run.id} is deleted", "")
    code, out, err = delete("--yes")
    assert (code, f"There is no run {run.id}" in err or f"there is no run {run.id}" in err) == (1, True)


def test_a_run_at_work_names_the_job_and_the_command_to_cancel_it(
    records: Records, capsys: Capture, monkeypatch: Patch
) -> None:
    run, job = records.run(records.dataset())
    records.move(job, State.RUNNING)
    code, out, err = pedigree(capsys, monkeypatch, "runs", "delete", str(run.id), "--yes")
    assert (code, f"train job {job.id} is running" in out) == (1, True)
    assert f"`pedigree jobs cancel {job.id}`" in err


def test_for_scripts_it_is_json(records: Records, capsys: Capture, monkeypatch: Patch) -> None:
    run = records.served()
    code, out, err = pedigree(capsys, monkeypatch, "runs", "delete", str(run.id), "--yes", "--json")
    assert (code, err) == (0, "")
    told = json.loads(out)
    assert (told["run"], told["deleted"]["files"]) == (run.id, 3)


class Typed(io.StringIO):
    """What somebody types at a terminal."""

    def isatty(self) -> bool:
        return True


def test_who_is_there_is_asked_and_only_yes_deletes(records: Records, capsys: Capture, monkeypatch: Patch) -> None:
    run = records.finished()
    words = ("runs", "delete", str(run.id))
    monkeypatch.setattr(sys, "stdin", Typed("\nn\ny\n"))
    for _ in range(2):
        code, out, err = pedigree(capsys, monkeypatch, *words)
        assert (code, err) == (1, f"pedigree: Run {run.id} stays.\n")
        assert f"Delete run {run.id}? Its files are gone for good. [y/N]" in out
    code, out, _ = pedigree(capsys, monkeypatch, *words)
    assert (code, out.splitlines()[-1].endswith(f"run {run.id} is deleted")) == (0, True)


def test_what_stays_is_told_too(records: Records, capsys: Capture, monkeypatch: Patch) -> None:
    run = records.served()
    child, job = records.run(run.dataset)
    records.move(job, State.RUNNING, State.SUCCEEDED)
    with records.sessions.begin() as session:
        session.get_one(Run, child.id).parent_id = run.id
        about = {"version": 1, "run_id": run.id, "dataset_id": run.dataset_id}
        predict = create_job(session, kind="predict", payload=about, max_attempts=3)
        session.flush()
        predict.state = State.SUCCEEDED
    _, out, _ = pedigree(capsys, monkeypatch, "runs", "delete", str(run.id))
    assert f"1 run started from it: {child.id} (they stay)" in out
    assert "1 predict job (the answers stay)" in out


def test_a_dataset_is_asked_about_and_goes_with_its_photos(
    records: Records, capsys: Capture, monkeypatch: Patch
) -> None:
    records.dataset()
    words = ("datasets", "delete", "pets")
    code, out, err = pedigree(capsys, monkeypatch, *words)
    assert (code, out.startswith("dataset pets: "), "--yes" in err) == (1, True, True)
    monkeypatch.setattr(sys, "stdin", Typed("n\n"))
    code, out, err = pedigree(capsys, monkeypatch, *words)
    assert (code, err) == (1, "pedigree: Dataset pets stays.\n")
    assert "Delete dataset pets? Its photos are gone for good. [y/N]" in out
    code, out, err = pedigree(capsys, monkeypatch, *words, "--yes")
    assert (code, out.splitlines()[-1], err) == (0, "dataset pets is deleted", "")
    code, _, err = pedigree(capsys, monkeypatch, *words, "--yes")
    assert (code, "pets" in err) == (1, True)


def test_a_dataset_that_runs_hang_on_stays_and_says_how_to_list_them(
    records: Records, capsys: Capture, monkeypatch: Patch
) -> None:
    run = records.finished()
    code, _, err = pedigree(capsys, monkeypatch, "datasets", "delete", run.dataset.name, "--yes")
    assert (code, err.startswith("pedigree: 1 run hangs on dataset pets. ")) == (1, True)
    assert "`pedigree runs list --dataset pets`" in err
    pedigree(capsys, monkeypatch, "runs", "delete", str(run.id), "--yes")
    code, out, err = pedigree(capsys, monkeypatch, "datasets", "delete", run.dataset.name, "--yes", "--json")
    assert (code, json.loads(out), err) == (
        0,
        {"dataset": "pets", "deleted": {"items": 21, "revision_number": 1}},
        "",
    )
