"""The process that looks for weights, without a host to fetch them from."""

import subprocess
import sys
from pathlib import Path

import pytest

from cli import weights_process
from cli.weights_process import Report, weights_of
from ml.errors import DownloadFailed
from ml.fetch import weights
from ml.fetch.weights import OnProgress, WeightsFile
from tests.cli.test_commands import pedigree

FOUND = WeightsFile(Path("net.pth"), "0" * 64, "torchvision")


@pytest.mark.parametrize("verb", ["find", "fetch"])
def test_a_download_tells_how_far_it_is_whoever_asks_for_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, verb: str
) -> None:
    def downloads(_arch: str, _folder: Path, on_progress: OnProgress | None = None, **_: Path) -> WeightsFile:
        assert on_progress is not None
        on_progress(3, 9)
        return FOUND

    monkeypatch.setattr(weights, f"{verb}_weights", downloads)
    monkeypatch.setattr(weights_process, "REPORT_SECONDS", 0.0)
    assert weights_of(verb, "net", tmp_path, tmp_path) == {
        "path": "net.pth",
        "sha256": "0" * 64,
        "source": "torchvision",
    }
    assert capsys.readouterr().out == '{"done": 3, "total": 9}\n'


def test_a_report_says_nothing_of_what_is_over_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    Report()(9, 9)
    assert capsys.readouterr().out == ""


def test_weights_go_where_the_command_was_given_and_the_hint_is_of_where_trainings_look(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[Path] = []

    def fails(_: str, into: Path, __: OnProgress, *, searched: Path) -> WeightsFile:
        asked.extend((into, searched))
        raise DownloadFailed("no network")

    def here(command: list[str], **_: object) -> subprocess.Popen[str]:
        monkeypatch.setattr(sys, "argv", command[2:])
        weights_process.main()
        said = ["import sys; print(sys.argv[1])", capsys.readouterr().out]
        return started([sys.executable, "-c", *said], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    started = subprocess.Popen
    monkeypatch.setattr(weights, "fetch_weights", fails)
    monkeypatch.setattr(subprocess, "Popen", here)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PEDIGREE_WEIGHTS", str(tmp_path / "searched"))
    assert pedigree(capsys, monkeypatch, "weights", "fetch", "resnet18", "--into", "here")[0] == 1
    assert asked == [tmp_path / "here", tmp_path / "searched"]
