"""``pedigree review`` against the real API."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from store.artifacts import ArtifactStore
from store.db.jobs import create_job
from store.db.label_review_table import LabelReview
from store.settings import Settings
from store.states import State
from tests.api.datasets.doubtful import WRONG, photos, predicted_run
from tests.api.records import Records
from tests.cli.live_api import LiveApi, live_api
from tests.cli.test_commands import pedigree

Capture = pytest.CaptureFixture[str]
Patch = pytest.MonkeyPatch


@pytest.fixture
def records(sessions: sessionmaker[Session], artifacts: ArtifactStore, tmp_path: Path) -> Records:
    records = Records(sessions, artifacts)
    predicted_run(records, photos(records, tmp_path / "pets"))
    return records


@pytest.fixture
def live(settings: Settings, records: Records, monkeypatch: Patch) -> Iterator[LiveApi]:
    assert isinstance(records, Records)
    with live_api(settings) as api:
        monkeypatch.setenv("PEDIGREE_URL", api.url)
        yield api


def run(capsys: Capture, monkeypatch: Patch, *words: str, code: int = 0) -> str:
    ended, out, err = pedigree(capsys, monkeypatch, *words)
    assert ended == code, err
    return out + err


@pytest.mark.usefixtures("live")
def test_the_list_is_edited_and_applied(capsys: Capture, monkeypatch: Patch, records: Records, tmp_path: Path) -> None:
    shown = run(capsys, monkeypatch, "review", "pets")
    assert "by run 1 on 24 validation photos; about 6 labels look wrong; 6 in the list" in shown
    assert "pug_20.jpg" in shown.splitlines()[2]
    assert len(json.loads(run(capsys, monkeypatch, "review", "list", "pets", "--json"))["items"]) == len(WRONG)
    rows = list(csv.DictReader(io.StringIO(run(capsys, monkeypatch, "review", "pets", "--csv"))))
    assert [row["item"] for row in rows][:2] == ["20", "17"]
    for row, action in zip(rows, ("relabel", "keep", "drop", "relabel", "", ""), strict=True):
        row["action"] = action
    rows[3]["new_label"] = "pug"
    changes = tmp_path / "changes.csv"
    with changes.open("w", newline="") as file:
        table = csv.DictWriter(file, rows[0])
        table.writeheader()
        table.writerows(rows)
    said = run(capsys, monkeypatch, "review", "apply", "pets", str(changes), "--reviewer", "Ada", "--no-wait")
    assert "makes the revision" in said
    with records.sessions.begin() as session:
        found = session.scalars(select(LabelReview).order_by(LabelReview.id)).all()
    assert [(row.path, row.action, row.label, row.reviewer) for row in found] == [
        ("pug_20.jpg", "relabel", "Abyssinian", "Ada"),
        ("pug_17.jpg", "keep", "pug", "Ada"),
        ("Birman_12.jpg", "drop", None, "Ada"),
        ("Birman_09.jpg", "relabel", "pug", "Ada"),
    ]
    again = run(capsys, monkeypatch, "review", "apply", "pets", str(changes), code=1)
    assert "makes the next revision" in again


@pytest.mark.usefixtures("live")
def test_what_is_said_to_be_right_is_remembered_at_once(capsys: Capture, monkeypatch: Patch, tmp_path: Path) -> None:
    changes = tmp_path / "changes.csv"
    changes.write_text("item,action\n20,keep\n")
    revision = json.loads(run(capsys, monkeypatch, "review", "pets", "--json"))["revision"]
    said = run(capsys, monkeypatch, "review", "apply", "pets", str(changes), "--base", revision)
    assert f"1 decision applied; pets is at revision 1 ({revision[:12]})" in said
    assert "pug_20.jpg" not in run(capsys, monkeypatch, "review", "pets")


@pytest.mark.usefixtures("live")
@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "no column action and no column item"),
        ("item,action\n", "no row with an action"),
        ("item,action\n3,\n", "no row with an action"),
        ("item,action\n3,keep\n", "names no revision"),
        ("item,action,revision\n3,keep,a\n4,keep,b\n", "names 2 revisions"),
        ("item,action,revision\n3,remove,a\n", "is no action"),
        ("item,action,revision\n3,relabel,a\n", "no breed to relabel it to"),
        ("item,action,revision\nx,keep,a\n", "neither a position nor an id"),
        ("item,action,revision\n3,keep,a\n", "is at revision"),
        ("item,action\n\x00\xff", "cannot be read"),
    ],
)
def test_a_file_that_cannot_be_applied_is_told_why(
    capsys: Capture, monkeypatch: Patch, tmp_path: Path, text: str, told: str
) -> None:
    changes = tmp_path / "changes.csv"
    changes.write_bytes(text.encode("latin-1"))
    assert told in run(capsys, monkeypatch, "review", "apply", "pets", str(changes), code=1)


@pytest.mark.usefixtures("live")
def test_the_next_to_label_are_listed(capsys: Capture, monkeypatch: Patch, records: Records) -> None:
    rows = [{"path": f"{n}.jpg", "probabilities": {"Birman": n / 10, "pug": 1 - n / 10}} for n in (9, 6, 1)]
    stored = records.artifacts.put_bytes("jobs/1-1/predictions.jsonl", "\n".join(map(json.dumps, rows)).encode())
    file = {"key": stored.key, "sha256": stored.sha256, "bytes": stored.bytes}
    with records.sessions.begin() as session:
        payload = {"answers": {"predictions.jsonl": file}}
        job = create_job(session, kind="predict", payload=payload, max_attempts=1, state=State.SUCCEEDED).id
    shown = run(capsys, monkeypatch, "review", "next", str(job), "--limit", "1")
    assert "6.jpg" in shown
    assert "1 of 3 photos, by probabilities" in shown


def test_help_tells_how_a_list_is_edited(capsys: Capture, monkeypatch: Patch) -> None:
    assert "changes.csv" in run(capsys, monkeypatch, "review", "--help")
