"""A model saved on this machine: whole, the right one, and never in another's place."""

from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tests.cli.service import Answer
from tests.cli.test_commands import ask

Capture = pytest.CaptureFixture[str]
Patch = pytest.MonkeyPatch

FILES = {"model.json": '{"arch": "resnet18"}', "model.safetensors": "weights" * 1000}


def listed(*names: str, **more: Any) -> Answer:  # noqa: ANN401 - JSON
    """A run that lists the files of these names."""
    contents = {**FILES, "predictions.jsonl": "{}"}
    files = [
        {"name": name, "sha256": sha256(contents[name].encode()).hexdigest(), "bytes": len(contents[name])}
        for name in names
    ]
    return Answer({"id": 7, "kind": "train", "state": "succeeded", "artifacts": files, **more})


def answers(**files: Answer) -> dict[str, list[Answer]]:
    """A service that holds the run's files, some of them as given."""
    found = {name: Answer(content, kind="application/octet-stream") for name, content in FILES.items()} | files
    return {
        "GET /runs/7": [listed("model.json", "model.safetensors", "predictions.jsonl")],
        **{f"GET /runs/7/artifacts/{name}": [answer] for name, answer in found.items()},
    }


def test_a_model_is_saved_in_a_folder_with_the_runs_number(capsys: Capture, monkeypatch: Patch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err, _ = ask(capsys, monkeypatch, answers(), "runs", "download", "7")
    assert (code, err) == (0, "")
    assert {path.name: path.read_text() for path in Path("run-7").iterdir()} == FILES
    digest = sha256(FILES["model.json"].encode()).hexdigest()
    assert out.splitlines()[0] == f"run-7/model.json: 20 bytes, sha256 {digest[:12]}… as on record"


def test_a_model_that_is_there_already_is_not_asked_for(capsys: Capture, monkeypatch: Patch, tmp_path: Path) -> None:
    into = tmp_path / "a" / "model"
    assert ask(capsys, monkeypatch, answers(), "runs", "download", "7", str(into))[0] == 0
    (into / "model.json").unlink()
    code, out, _, service = ask(capsys, monkeypatch, answers(), "runs", "download", "7", str(into))
    assert (code, "model.safetensors: was there already" in out) == (0, True)
    assert [asked for asked, _, _ in service.asked] == ["GET /runs/7", "GET /runs/7/artifacts/model.json"]


def test_other_content_is_kept_and_nothing_is_saved_beside_it(
    capsys: Capture, monkeypatch: Patch, tmp_path: Path
) -> None:
    mine = tmp_path / "model.safetensors"
    mine.write_text("mine")
    code, out, err, service = ask(capsys, monkeypatch, answers(), "runs", "download", "7", str(tmp_path))
    assert (code, out) == (1, "")
    kept = "is there with other content than that of run 7, and is kept. Name another folder, or move it away."
    assert err == f"pedigree: {mine} {kept}\n"
    assert [path.name for path in tmp_path.iterdir()] == ["model.safetensors"]
    assert mine.read_text() == "mine"
    assert len(service.asked) == 1


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (Answer("w" * 7000, kind="application/octet-stream"), "What came as model.safetensors has sha256"),
        (Answer(FILES["model.safetensors"], breaks=True), "broke"),
        (Answer({"detail": "it is gone", "code": "artifact_missing"}, 500), "it is gone."),
    ],
)
def test_what_is_not_the_model_never_has_its_name(
    answer: Answer, sentence: str, capsys: Capture, monkeypatch: Patch, tmp_path: Path
) -> None:
    given = answers(**{"model.safetensors": answer})
    code, _, err, _ = ask(capsys, monkeypatch, given, "runs", "download", "7", str(tmp_path / "here"))
    assert (code, len(err.splitlines())) == (1, 1)
    assert sentence in err
    assert [path.name for path in (tmp_path / "here").iterdir()] == ["model.json"]


def test_a_run_without_a_model_says_what_it_is(capsys: Capture, monkeypatch: Patch, tmp_path: Path) -> None:
    given = {"GET /runs/7": [listed(kind="lr_find", state="succeeded")]}
    code, _, err, _ = ask(capsys, monkeypatch, given, "runs", "download", "7", str(tmp_path / "here"))
    assert code == 1
    assert err.startswith("pedigree: Run 7 has no model: it is of kind lr_find and succeeded. Name a run of kind train")
    assert not (tmp_path / "here").exists()


def test_a_folder_that_cannot_be_made_is_one_line(capsys: Capture, monkeypatch: Patch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    code, _, err, _ = ask(capsys, monkeypatch, answers(), "runs", "download", "7", str(tmp_path / "file"))
    assert (code, err) == (1, f"pedigree: {tmp_path / 'file'} cannot be read or written: File exists.\n")
