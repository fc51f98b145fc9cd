"""``pedigree predict … --csv``: rows as the answers come."""

import csv
from pathlib import Path
from typing import Any

import pytest

from cli.csv_answers import COLUMNS, write_csv
from cli.errors import CommandError, Interrupted
from cli.models import FILES_AT_ONCE
from tests.cli.service import Answer
from tests.cli.test_commands import ask
from tests.cli.test_predict import MODEL, sure

Capture = pytest.CaptureFixture[str]
Patch = pytest.MonkeyPatch
BROKEN = {"filename": "b.jpg", "error": {"code": "unreadable_image", "detail": "no picture"}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    (folder / "more").mkdir(parents=True)
    for name in ("b.jpg", "a.jpg", "more/c.jpg", ".hidden"):
        (folder / name).write_bytes(b"a photo")
    return folder


def answered(*entries: dict[str, Any]) -> Answer:
    return Answer({"model": MODEL, "tta": False, "predictions": list(entries)})


def test_a_folder_becomes_rows_in_the_order_of_its_names(
    capsys: Capture, monkeypatch: Patch, folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "answers.csv"
    answers = {"POST /predict?model=production": [answered(sure("a.jpg"), BROKEN, sure("c.jpg"))]}
    code, said, err, _ = ask(capsys, monkeypatch, answers, "predict", str(folder), "--csv", str(out))
    assert (code, said) == (1, "")
    assert "1 of 3 files could not be used; see their rows." in err
    rows = list(csv.DictReader(out.read_text().splitlines()))
    assert [Path(row["path"]).name for row in rows] == ["a.jpg", "b.jpg", "c.jpg"]
    assert [row["error"] for row in rows] == ["", "no picture", ""]
    assert rows[0]["breed"] == sure("a.jpg")["breed"]
    assert tuple(rows[0]) == COLUMNS


def test_no_more_than_a_request_is_held_and_all_are_answered_by_one_version(
    capsys: Capture, monkeypatch: Patch, tmp_path: Path
) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    count = FILES_AT_ONCE * 2
    for number in range(count):
        (folder / f"{number:03d}.jpg").write_bytes(b"a photo")
    part = answered(*[sure("x.jpg")] * FILES_AT_ONCE)
    answers = {"POST /predict?model=production": [part], f"POST /predict?model={MODEL['version']}": [part]}
    code, said, err, stub = ask(capsys, monkeypatch, answers, "predict", str(folder), "--csv", "-")
    assert code == 0, err
    assert len(said.splitlines()) == count + 1
    assert [asked for asked, _, _ in stub.asked] == [*answers]


def test_a_lone_picture_that_is_none_has_its_row(capsys: Capture, monkeypatch: Patch, folder: Path) -> None:
    refused = Answer({"detail": "no picture", "code": "unreadable_image", "hint": "Send one."}, 422)
    answers = {"POST /predict?model=production": [refused]}
    code, said, _, _ = ask(capsys, monkeypatch, answers, "predict", str(folder / "a.jpg"), "--csv", "-")
    assert code == 1
    assert said.splitlines()[1].endswith(",no picture.")


def test_a_service_that_is_too_busy_is_not_the_pictures_fault(
    capsys: Capture, monkeypatch: Patch, folder: Path
) -> None:
    answers = {"POST /predict?model=production": [Answer({"detail": "too many", "code": "too_busy"}, 429)]}
    code, said, err, _ = ask(capsys, monkeypatch, answers, "predict", str(folder / "a.jpg"), "--csv", "-")
    assert (code, len(said.splitlines())) == (1, 1)
    assert "too many" in err


def test_what_was_answered_before_it_is_broken_off_is_there(tmp_path: Path) -> None:
    def ask_twice(part: tuple[Path, ...], model: str) -> dict[str, Any]:
        if model != "production":
            raise KeyboardInterrupt
        return {"model": {"version": 4}, "predictions": [sure("a.jpg")] * len(part)}

    out = tmp_path / "out.csv"
    with pytest.raises(Interrupted, match="has the answers for 1 photo"):
        write_csv([(Path("a.jpg"),), (Path("b.jpg"),)], ask_twice, "production", out)
    assert len(out.read_text().splitlines()) == 2


@pytest.mark.parametrize("words", [("--dataset", "pets"), ("--out", "here"), ("--explain", "why.png"), ("--json",)])
def test_what_does_not_go_with_it_is_said(
    capsys: Capture, monkeypatch: Patch, folder: Path, words: tuple[str, ...]
) -> None:
    code, _, err, _ = ask(capsys, monkeypatch, {}, "predict", str(folder), "--csv", "-", *words)
    assert code == 1
    assert f"{words[0]} and --csv exclude each other." in err


def test_a_folder_that_cannot_be_written_to_is_said(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot be written"):
        write_csv([], lambda *_: {}, "production", tmp_path / "nowhere" / "out.csv")
