"""What a shell completes, through click's own machinery."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from click.shell_completion import ShellComplete

from cli.main import pedigree
from ml.architectures import ARCHITECTURES
from tests.cli.service import Answer, Service, serving
from tests.cli.test_runs import RUN

RUNS = [{**RUN, "id": 13}, {**RUN, "id": 12, "name": None}, {**RUN, "id": 2}]
VERSIONS = [
    {"version": 2, "run": 13, "arch": "resnet18", "aliases": ["staging"]},
    {"version": 1, "run": 2, "arch": "resnet18", "aliases": ["best", "production"]},
]
JOBS = [{"id": 21, "kind": "train", "state": "running"}, {"id": 4, "kind": "import", "state": "failed"}]
DATASETS = [{"name": "pets", "items": 9, "breeds": 2}, {"name": "sample", "items": 740, "breeds": 37}]


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    lists = {"runs": RUNS, "models": VERSIONS, "jobs": JOBS, "datasets": DATASETS}
    answers = {f"GET /{name}?limit=200": [Answer({"items": some, "next_cursor": None})] for name, some in lists.items()}
    with serving(answers) as service:
        monkeypatch.setenv("PEDIGREE_URL", service.url)
        # A busy machine would have it wait in vain.
        monkeypatch.setattr("cli.completion.PATIENCE_SECONDS", 30.0)
        yield service


def completed(*words: str) -> list[str]:
    """The completions of the last word."""
    *before, incomplete = words
    found = ShellComplete(pedigree, {}, "pedigree", "_PEDIGREE_COMPLETE").get_completions(list(before), incomplete)
    return [str(item.value) for item in found]


@pytest.mark.usefixtures("service")
@pytest.mark.parametrize(
    ("words", "known"),
    [
        (("runs", "show", ""), ["13", "12", "2"]),
        (("runs", "metrics", "1"), ["13", "12"]),
        (("runs", "confusion", ""), ["13", "12", "2"]),
        (("runs", "top-losses", ""), ["13", "12", "2"]),
        (("runs", "interpret", ""), ["13", "12", "2"]),
        (("runs", "lr-find", ""), ["13", "12", "2"]),
        (("runs", "download", ""), ["13", "12", "2"]),
        (("runs", "interpret", "2", "--dataset", "p"), ["pets"]),
        (("models", "register", "2"), ["2"]),
        (("models", "register", "2", "--alias", ""), ["staging", "best", "production"]),
        (("models", "alias", "b"), ["best"]),
        (("models", "alias", "best", ""), ["2", "1"]),
        (("predict", "--model", ""), ["staging", "best", "production", "2", "1"]),
        (("train", "--dataset", ""), ["pets", "sample"]),
        (("train", "--from-run", "1"), ["13", "12"]),
        (("jobs", "lr-find", "s"), ["sample"]),
        (("jobs", "watch", ""), ["21", "4"]),
        (("jobs", "cancel", "2"), ["21"]),
        (("datasets", "show", ""), ["pets", "sample"]),
        (("datasets", "batch", "p"), ["pets"]),
    ],
)
def test_what_the_service_knows_is_completed(words: tuple[str, ...], known: list[str]) -> None:
    assert completed(*words) == known


@pytest.mark.parametrize(
    "words", [("train", "--arch"), ("runs", "list", "--arch"), ("demo", "--arch"), ("weights", "fetch")]
)
def test_architectures_are_completed_without_a_service(monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]) -> None:
    monkeypatch.setenv("PEDIGREE_URL", "http://127.0.0.1:9")
    assert completed(*words, "") == sorted(ARCHITECTURES)
    assert completed(*words, "swin_v2") == ["swin_v2_b", "swin_v2_s", "swin_v2_t"]


def nobody() -> Iterator[str]:
    yield "http://127.0.0.1:9"


def silent() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def foreign() -> Iterator[str]:
    with serving({"GET /runs?limit=200": [Answer("<html>", kind="text/html")]}) as service:
        yield service.url


def other() -> Iterator[str]:
    with serving({"GET /runs?limit=200": [Answer({"message": "hello"})]}) as service:
        yield service.url


def others() -> Iterator[str]:
    """A list, but of other things than runs."""
    with serving({"GET /runs?limit=200": [Answer({"items": [{"name": "x"}], "next_cursor": None})]}) as service:
        yield service.url


@pytest.mark.parametrize("away", [nobody, silent, foreign, other, others])
def test_where_the_service_cannot_say_nothing_is_completed_and_nothing_said(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], away: Callable[[], Iterator[str]]
) -> None:
    for url in away():
        monkeypatch.setenv("PEDIGREE_URL", url)
        assert completed("runs", "show", "") == []
    assert capfd.readouterr() == ("", "")


def test_a_service_that_is_named_on_the_line_is_asked(monkeypatch: pytest.MonkeyPatch, service: Service) -> None:
    monkeypatch.delenv("PEDIGREE_URL")
    assert completed("runs", "show", "--url", service.url, "") == ["13", "12", "2"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_is_answered_in_its_own_way(service: Service, shell: str) -> None:
    line = "pedigree runs show "
    words: dict[str, Any] = {"COMP_WORDS": line, "COMP_CWORD": "" if shell == "fish" else "3"}
    environment = {**os.environ, **words, "PEDIGREE_URL": service.url, "_PEDIGREE_COMPLETE": f"{shell}_complete"}
    patient = "import cli.completion; cli.completion.PATIENCE_SECONDS = 30.0"
    command = f"import sys; sys.argv[0] = 'pedigree'; {patient}; from cli.main import main; main()"
    ended = subprocess.run([sys.executable, "-c", command], env=environment, capture_output=True, text=True, check=True)
    first = {
        "bash": "plain,13",
        "zsh": "plain\n13\nbaseline, fine_tune of resnet18 on pets, succeeded",
        "fish": "plain,13\tbaseline, fine_tune of resnet18 on pets, succeeded",
    }
    assert ended.stdout.startswith(first[shell])
    assert ended.stderr == ""
