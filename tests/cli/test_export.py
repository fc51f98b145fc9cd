"""A version saved as one archive: waited for, compared with its hash, and never half there."""

from hashlib import sha256
from pathlib import Path

import pytest

from cli import export
from tests.cli.service import Answer
from tests.cli.test_commands import ask

Capture = pytest.CaptureFixture[str]
Patch = pytest.MonkeyPatch

PATH = "GET /models/production/export?format=onnx"
ZIP = "zip" * 1000
TAG = {"ETag": f'"{sha256(ZIP.encode()).hexdigest()}"'}
MAKING = Answer({"state": "making", "stage": "convert", "seconds": 1.0}, 202)
COMMAND = ("models", "export", "production", "--format", "onnx")


def test_it_waits_until_the_archive_is_made_and_saves_it(capsys: Capture, monkeypatch: Patch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(export, "ASK_SECONDS", 0.01)
    answers = {PATH: [MAKING, MAKING, Answer(ZIP, kind="application/zip", headers=TAG)]}
    code, out, _, service = ask(capsys, monkeypatch, answers, *COMMAND)
    assert code == 0
    assert Path("model-production-onnx.zip").read_text() == ZIP
    assert out == f"model-production-onnx.zip: 3000 bytes, sha256 {TAG['ETag'][1:13]}… as the service says\n"
    assert [headers.get("Prefer") or headers.get("prefer") for _, headers, _ in service.asked] == [
        *["respond-async"] * 3,
        None,
    ]


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (Answer(ZIP, headers={"ETag": '"0000"'}), "What came has sha256"),
        (Answer(ZIP, headers=TAG, breaks=True), "broke"),
        (Answer({"detail": "the model is too large", "code": "export_refused"}, 422), "the model is too large."),
    ],
)
def test_what_is_not_the_archive_leaves_what_was_there(
    answer: Answer, sentence: str, capsys: Capture, monkeypatch: Patch, tmp_path: Path
) -> None:
    (tmp_path / "mine.zip").write_text("before")
    code, _, err, _ = ask(capsys, monkeypatch, {PATH: [answer]}, *COMMAND, "--out", str(tmp_path / "mine.zip"))
    assert code == 1
    assert sentence in err
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"mine.zip": "before"}
