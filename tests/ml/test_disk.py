"""What happens on a full disk: said in one sentence, with nothing left behind."""

import json
import os
import stat
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError, safe_open

from ml.command import main
from ml.disk import says_disk_full
from ml.errors import DiskFull
from ml.learn import checkpoint
from ml.learn.checkpoint import save_tensors

TENSORS = {"weight": torch.arange(6.0)}


@pytest.mark.parametrize(
    ("error", "is_full"),
    [
        (OSError(28, "No space left on device"), True),
        (OSError(122, "Disk quota exceeded"), True),
        (OSError(13, "Permission denied"), False),
        (SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"), True),
        (SafetensorError("Error while serializing: I/O error: Permission denied (os error 13)"), False),
    ],
)
def test_a_full_disk_is_known_by_number_or_word(error: Exception, is_full: bool) -> None:
    assert says_disk_full(error) == is_full


def test_tensors_that_the_disk_does_not_hold_leave_the_old_ones_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.safetensors"
    save_tensors(TENSORS, path, {"format": "old"})

    def refuse(_: object, scratch: Path, **__: object) -> None:
        scratch.write_bytes(b"half")
        message = "Error while serializing: I/O error: No space left on device (os error 28)"
        raise SafetensorError(message)

    monkeypatch.setattr(checkpoint, "save_file", refuse)
    with pytest.raises(DiskFull, match=r"model\.safetensors"):
        save_tensors(TENSORS, path, {"format": "new"})
    assert list(tmp_path.iterdir()) == [path]
    with safe_open(path, framework="pt") as file:
        assert json.loads(file.metadata()["about"]) == {"format": "old"}


@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_tensors_are_as_readable_as_the_files_beside_them(tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        (tmp_path / "model.json").touch()
        save_tensors(TENSORS, tmp_path / "model.safetensors", {})
    finally:
        os.umask(before)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == {0o666 & ~mask}


def test_the_command_says_it_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ml.command._train", refuse)
    monkeypatch.setattr("ml.command.Signals", lambda: None)
    assert main(["train", str(tmp_path), "--out", str(tmp_path / "out")]) == 1
    said = capsys.readouterr().err
    assert said.startswith("disk_full: the disk is full")
    assert said.count("\n") == 1
