"""The process that looks for weights, without a host to fetch them from."""

from pathlib import Path

import pytest

from cli import weights_process
from cli.weights_process import Report, weights_of
from ml.fetch import weights
from ml.fetch.weights import OnProgress, WeightsFile

FOUND = WeightsFile(Path("net.pth"), "0" * 64, "torchvision")


@pytest.mark.parametrize("verb", ["find", "fetch"])
def test_a_download_tells_how_far_it_is_whoever_asks_for_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, verb: str
) -> None:
    def downloads(_arch: str, _folder: Path, on_progress: OnProgress | None = None) -> WeightsFile:
        assert on_progress is not None
        on_progress(3, 9)
        return FOUND

    monkeypatch.setattr(weights, f"{verb}_weights", downloads)
    monkeypatch.setattr(weights_process, "REPORT_SECONDS", 0.0)
    assert weights_of(verb, "net", tmp_path) == {"path": "net.pth", "sha256": "0" * 64, "source": "torchvision"}
    assert capsys.readouterr().out == '{"done": 3, "total": 9}\n'


def test_a_report_says_nothing_of_what_is_over_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    Report()(9, 9)
    assert capsys.readouterr().out == ""
