"""A torchvision that was built for another torch: whatever would learn says so at its start, and ends."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cli.weights import NoWeights, ask_for_weights
from store.settings import Settings
from tests.conftest import REPOSITORY, environment_of
from tests.patience import PATIENCE_SECONDS

SAID = "operator torchvision::nms does not exist"


@pytest.fixture
def other(tmp_path: Path) -> dict[str, str]:
    """An environment whose torchvision says what one does beside a torch that it was not built for."""
    package = tmp_path / "other" / "torchvision"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(f"raise RuntimeError({SAID!r})\n")
    return {"PYTHONPATH": os.pathsep.join(filter(None, (str(package.parent), os.environ.get("PYTHONPATH"))))}


def start(environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *words],
        cwd=REPOSITORY,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )


def is_the_sentence(said: str) -> bool:
    """Both versions, what torchvision said, and what to change; in one line."""
    return said.count("\n") == 1 and "torchvision" in said and f"({SAID})" in said and "requirements.lock" in said


def test_the_learning_command_refuses(other: dict[str, str], tmp_path: Path) -> None:
    done = start(other, "ml", "train", str(tmp_path), "--out", str(tmp_path / "out"))
    assert (done.returncode, done.stdout) == (1, "")
    assert is_the_sentence(done.stderr), done.stderr


@pytest.mark.parametrize("module", ["worker", "api"])
def test_a_service_refuses(other: dict[str, str], settings: Settings, module: str) -> None:
    done = start(environment_of(settings, **other), module)
    assert (done.returncode, done.stdout) == (1, "")
    assert is_the_sentence(done.stderr), done.stderr


def test_the_search_for_weights_refuses(other: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = start(other, "cli.weights_process", "fetch", "resnet18", str(tmp_path), str(tmp_path))
    assert (done.returncode, done.stderr) == (1, "")
    error = json.loads(done.stdout)
    assert (error["code"], SAID in error["detail"]) == ("torch_mismatch", True)
    # The command itself keeps a shell's PYTHONPATH from what it starts; what it is told is the same.
    monkeypatch.setenv("PYTHONPATH", other["PYTHONPATH"])
    with pytest.raises(NoWeights) as told:
        ask_for_weights("fetch", "resnet18", tmp_path)
    assert is_the_sentence(f"{told.value}\n"), told.value
