"""What is printed for people: sentences broken between words on a terminal, whole in a pipe; signs of life."""

import io
import sys

import click
import pytest

from cli import stack
from cli.data_folder import DataFolder
from cli.lazy import Group
from cli.main import COMMANDS, pedigree
from cli.processes import wait_until
from cli.saying import broken, tell
from cli.stack import Stack
from cli.transfer import Transfer
from tests.cli import test_commands
from tests.cli.service import Answer
from tests.cli.terminal import terminal, usual

Capture = pytest.CaptureFixture[str]
Patch = pytest.MonkeyPatch
LONG = "The demo was broken off, and its service is stopped; `pedigree up --data /srv/my-pets` goes on with it."


@pytest.mark.parametrize("width", [20, 40, 60, 80, 200])
def test_a_sentence_is_broken_between_words_and_a_command_that_fits_is_whole(width: int) -> None:
    lines = broken(LONG, width).split("\n")
    assert " ".join(lines) == LONG
    assert max(map(len, lines)) <= max(width, len("/srv/my-pets`"))
    assert width < 40 or any("`pedigree up --data /srv/my-pets`" in line for line in lines)


def test_lines_stay_lines_and_a_pipe_gets_them_whole(capsys: Capture) -> None:
    assert broken("\n» one\ntwo", 80) == "\n» one\ntwo"
    tell(LONG)
    assert capsys.readouterr().out == f"{LONG}\n"


def test_an_error_on_a_narrow_terminal_is_broken_between_words() -> None:
    with terminal("jobs", "list", "--url", "http://127.0.0.1:1", environment=usual(), width=40) as shown:
        assert shown.ended() == 1
        assert " ".join(shown.lines) == (
            "pedigree: Nothing answers at http://127.0.0.1:1. Start the service with `pedigree up`."
        )


def test_a_terminal_without_a_letter_gets_a_question_mark_for_it(capsys: Capture, monkeypatch: Patch) -> None:
    shown = io.BytesIO()
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(shown, encoding="iso-8859-1", write_through=True))
    gone = Answer({"code": "not_found", "detail": "there is no dataset 'chätte-犬'"}, 404)
    code, *_ = test_commands.ask(capsys, monkeypatch, {"GET /datasets/dogs": [gone]}, "datasets", "show", "dogs")
    assert (code, shown.getvalue().decode("iso-8859-1")) == (1, "pedigree: there is no dataset 'chätte-?'.\n")


@pytest.mark.parametrize(
    ("size", "width", "line"),
    [
        (300, 39, "the service looks at it"),
        (300, 79, "sending 1 of 1 KiB; the service looks at it"),
        (64 << 20, 79, "sending 64 of 64 MiB; the service looks at it"),
        (64 << 20, 39, "the service looks at it"),
    ],
)
def test_an_upload_that_is_looked_at_says_so_at_every_width(size: int, width: int, line: str) -> None:
    sending = Transfer("sending", "the service looks at it")
    sending(size, size)
    assert sending._line(width) == line


@pytest.mark.parametrize("name", COMMANDS)
def test_a_list_of_commands_says_whole_sentences(name: str) -> None:
    command = pedigree.get_command(click.Context(pedigree), name)
    if isinstance(command, click.Group):
        assert isinstance(command, Group)
        listed = command.get_help(click.Context(command, info_name=name, terminal_width=80)).partition("Commands:")[2]
        assert "..." not in listed


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("train",), "Name a dataset with --dataset, or a run to start from with --from-run."),
        (("jobs", "lr-find"), "Name a dataset, or a run to start from with --from-run."),
        (("predict",), "There is nothing to look at. Name pictures, a folder, or a dataset with --dataset."),
        (("predict", "--csv", "-"), "There is nothing to look at. Name pictures or a folder."),
    ],
)
def test_words_that_are_missing_are_told_before_a_service_that_is(
    capsys: Capture, monkeypatch: Patch, words: tuple[str, ...], said: str
) -> None:
    monkeypatch.delenv("PEDIGREE_URL", raising=False)
    monkeypatch.setenv("PEDIGREE_DATA", "/nowhere")
    assert test_commands.pedigree(capsys, monkeypatch, *words) == (1, "", f"pedigree: {said}\n")


def test_a_step_that_takes_long_is_told_of_before_it_ends(monkeypatch: Patch) -> None:
    monkeypatch.setattr(stack, "LINE_AFTER_SECONDS", 0.0)
    said: list[str] = []
    with Stack(DataFolder.at(None), said.append)._step("api"):
        assert wait_until(lambda: said == ["api is being started"], 20)
    assert said[1].startswith("✓ api (")


def test_on_a_terminal_a_step_has_a_live_line() -> None:
    slow = (
        "import cli.up, cli.patience; from cli.stack import Stack; from cli.data_folder import DataFolder;"
        "from threading import Event; cli.patience.PATIENCE_SECONDS = 0.0\n"
        "with Stack(DataFolder.at(None), print)._step('api'): Event().wait(1.5)\n"
    )
    with terminal("--version", environment=usual(), patch=f"exec({slow!r})") as shown:
        assert shown.ended() == 0
        assert any(line.startswith("api is being started  1 s") for line in shown.live)
        assert "being started" not in shown.text
