"""``pedigree predict`` for a dataset or a folder: a job, watched to its end, and its answers saved here."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from cli import watch
from tests.cli.service import Answer
from tests.cli.test_commands import ask
from tests.cli.test_predict import MODEL, sure

Capture = pytest.CaptureFixture[str]
Patch = pytest.MonkeyPatch

FILES = {"predictions.csv": "path,breed\n", "predictions.jsonl": "{}\n"}


def tag(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def job(state: str = "succeeded", **answers: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    files = [{"name": name, "sha256": tag(text), "bytes": len(text)} for name, text in FILES.items()]
    told = {"version": 4, "photos": 3, "broken": 1, "files": files, **answers}
    about = {"id": 5, "kind": "predict", "run": None, "state": state, "attempt": 1, "progress": None, "error": None}
    return {**about, "waiting": None, "forecast": None, "answers": told}


def service(asked: str) -> dict[str, list[Answer]]:
    kind = "application/octet-stream"
    return {
        asked: [Answer(job("queued"), 202)],
        "GET /jobs/5": [Answer(job())],
        "GET /jobs/5/events": [
            Answer('event: state\nid: 1\ndata: {"state": "succeeded", "attempt": 1}\n\n', kind="text/event-stream")
        ],
        **{
            f"GET /jobs/5/answers/{name}": [Answer(text, kind=kind, headers={"ETag": f'"{tag(text)}"'})]
            for name, text in FILES.items()
        },
    }


def test_a_dataset_is_answered_for_by_a_job_whose_files_are_saved(
    capsys: Capture, monkeypatch: Patch, tmp_path: Path
) -> None:
    words = ("predict", "--dataset", "pets", "--model", "4", "--out", str(tmp_path / "here"))
    code, out, err, stub = ask(capsys, monkeypatch, service("POST /jobs"), *words)
    assert (code, err) == (1, ""), "as for files, where one could not be used"
    assert {path.name: path.read_text() for path in (tmp_path / "here").iterdir()} == {
        f"job-5-{name}": text for name, text in FILES.items()
    }
    assert "3 photos by version 4; 1 could not be used, see their rows" in out
    assert b'"model":"4"' in stub.asked[0][2].replace(b" ", b"")


def test_answers_that_nobody_waited_for_are_saved_later(capsys: Capture, monkeypatch: Patch, tmp_path: Path) -> None:
    answers = service("POST /jobs")
    code, out, err, _ = ask(capsys, monkeypatch, answers, "jobs", "watch", "5")
    assert (code, err) == (0, "")
    assert out.splitlines()[-1] == "`pedigree jobs answers 5` saves its answers"
    code, out, err, _ = ask(capsys, monkeypatch, answers, "jobs", "answers", "5", "--out", str(tmp_path / "here"))
    assert (code, err) == (0, "")
    assert "3 photos by version 4; 1 could not be used, see their rows" in out
    assert {path.name: path.read_text() for path in (tmp_path / "here").iterdir()} == {
        f"job-5-{name}": text for name, text in FILES.items()
    }


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (
            {**job("running"), "answers": None},
            "Job 5 has no answers yet: it is running. `pedigree jobs watch 5` follows it to its end.",
        ),
        ({**job("failed"), "answers": None}, "Job 5 has no answers: it has failed."),
        (
            {**job(), "kind": "train", "answers": None},
            "Job 5 is of kind train; only those of kind predict have answers. `pedigree jobs list --kind predict`",
        ),
    ],
)
def test_a_job_without_answers_says_why(capsys: Capture, monkeypatch: Patch, found: dict[str, Any], said: str) -> None:
    code, _, err, _ = ask(capsys, monkeypatch, {"GET /jobs/5": [Answer(found)]}, "jobs", "answers", "5")
    assert code == 1
    assert err.startswith(f"pedigree: {said}")


def test_a_folder_that_is_left_says_how_its_answers_come(capsys: Capture, monkeypatch: Patch) -> None:
    def left(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(watch, "follow", left)
    code, _, err, _ = ask(capsys, monkeypatch, service("POST /jobs"), "predict", "--dataset", "pets")
    assert code == 130
    assert "`pedigree jobs watch 5` follows it again, `pedigree jobs answers 5` saves its answers at its end," in err


@pytest.mark.parametrize("source", ["dataset", "folder"])
def test_json_is_lines_from_the_first_event_to_the_job(
    capsys: Capture, monkeypatch: Patch, tmp_path: Path, source: str
) -> None:
    asked, words = ("POST /jobs", ("--dataset", "pets")) if source == "dataset" else ("POST /jobs/archives", None)
    given = words or (str(tmp_path / "photos"),)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_bytes(b"a photo")
    code, out, err, _ = ask(
        capsys, monkeypatch, service(asked), "predict", *given, "--out", str(tmp_path / "here"), "--json"
    )
    assert (code, err) == (1, "")
    event, last = map(json.loads, out.splitlines())
    assert (event["job"], event["event"]) == (5, "state")
    assert last == job()
    assert len([*(tmp_path / "here").iterdir()]) == 2


def test_a_folder_is_sent_and_answered_for(capsys: Capture, monkeypatch: Patch, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(b"a photo")
    words = ("predict", str(folder), "--out", str(tmp_path / "here"))
    code, _, err, stub = ask(capsys, monkeypatch, service("POST /jobs/archives"), *words)
    assert code == 1, err
    assert b"a photo" in stub.asked[0][2]
    assert b"production" in stub.asked[0][2]
    assert len([*(tmp_path / "here").iterdir()]) == 2


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((), "There is nothing to look at."),
        (("--dataset", "pets", "--tta"), "--tta is for single pictures."),
        (("--dataset", "pets", "FOLDER"), "A folder or a dataset is predicted alone."),
        (("FOLDER", "--explain", "why.png"), "--explain is for single pictures."),
        (("FILE", "--out", "here"), "--out is for the answers of a folder or a dataset."),
        (("FILE", "FILE", "--explain", "why.png"), "There are 2 photos, and one is explained."),
    ],
)
def test_what_does_not_go_together_is_said(
    words: tuple[str, ...], sentence: str, capsys: Capture, monkeypatch: Patch, tmp_path: Path
) -> None:
    (tmp_path / "a.jpg").write_bytes(b"a photo")
    paths = {"FOLDER": str(tmp_path), "FILE": str(tmp_path / "a.jpg")}
    code, _, err, stub = ask(capsys, monkeypatch, {}, "predict", *(paths.get(word, word) for word in words))
    assert (code, sentence in err) == (1, True)
    assert stub.asked == []


def test_why_is_asked_of_the_version_that_answered_and_saved(
    capsys: Capture, monkeypatch: Patch, tmp_path: Path
) -> None:
    photo, out = tmp_path / "a.jpg", tmp_path / "why.png"
    photo.write_bytes(b"a photo")
    answers = {
        "POST /predict?model=production": [Answer({"model": MODEL, "predictions": [sure("a.jpg")]})],
        "POST /predict/explain?model=4&breed=Birman": [Answer("a heat map", kind="image/png")],
    }
    words = ("predict", str(photo), "--explain", str(out), "--json")
    code, said, err, stub = ask(capsys, monkeypatch, answers, *words)
    assert (code, err) == (0, f"{out}: 0 KiB\n")
    assert json.loads(said)["predictions"][0]["breed"] == "Birman"
    assert out.read_text() == "a heat map"
    assert stub.asked[-1][2] == b"a photo"
