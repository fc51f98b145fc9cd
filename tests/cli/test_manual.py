"""Every command: JSON where it reads, help with examples that are commands, no wider than a terminal."""

import shlex
from collections.abc import Iterator

import click
import pytest

from cli.main import pedigree
from cli.manual import EXAMPLES

WITHOUT_JSON = {
    "datasets batch": "writes a picture",
    "datasets presizing": "writes a picture",
    "demo": "is read by people",
    "up": "runs until it is stopped",
}
FOLLOWING = {
    "models add-breeds",
    "datasets add",
    "predict",
    "datasets learn-from-feedback",
    "jobs train",
    "jobs watch",
    "review apply",
    "runs interpret",
    "search",
    "train",
}
"""With --json they print a line of JSON for each event."""


def commands(group: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    """Each that does something, by its words."""
    if not isinstance(group, click.Group):
        yield " ".join(path), group
        return
    context = click.Context(group)
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        assert found is not None
        yield from commands(found, (*path, name))


COMMANDS = dict(commands(pedigree))


def test_every_command_prints_json_but_those_that_have_none_to_print() -> None:
    with_json = {name for name, command in COMMANDS.items() if any(one.name == "as_json" for one in command.params)}
    assert COMMANDS.keys() - with_json == WITHOUT_JSON.keys()


def test_what_follows_prints_lines() -> None:
    helps = {name: one.help or "" for name in COMMANDS for one in options(name) if one.name == "as_json"}
    assert {name for name, text in helps.items() if "one event a line" in text} == FOLLOWING & COMMANDS.keys()


def options(name: str) -> list[click.Option]:
    return [one for one in COMMANDS[name].params if isinstance(one, click.Option)]


def test_every_command_has_examples() -> None:
    assert COMMANDS.keys() <= EXAMPLES.keys()


@pytest.mark.parametrize("name", COMMANDS)
def test_every_example_is_a_command(name: str) -> None:
    for example in EXAMPLES[name]:
        words = shlex.split(example)
        assert words[: len(name.split()) + 1] == ["pedigree", *name.split()]
        command = COMMANDS[name]
        given = words[len(name.split()) + 1 :]
        parser = command.make_parser(click.Context(command))
        _, left, _ = parser.parse_args(args=list(given))
        assert left == []


@pytest.mark.parametrize("name", COMMANDS)
def test_help_says_what_how_and_with_which_end_on_eighty_columns(name: str) -> None:
    command = COMMANDS[name]
    context = click.Context(command, info_name=f"pedigree {name}", terminal_width=80, max_content_width=80)
    lines = command.get_help(context).splitlines()
    assert [line for line in lines if len(line) > 80 and "pedigree" not in line] == []
    text = "\n".join(lines)
    assert "Examples:" in text
    assert "Exit codes:" in text
    assert command.help


def test_what_the_service_knows_is_completed_wherever_it_is_asked_for() -> None:
    known = {"run", "job", "prediction", "arch", "from_run", "dataset"}
    bare = {
        f"{name} {one.name}"
        for name, command in COMMANDS.items()
        for one in command.params
        if one.name in known and one._custom_shell_complete is None
    }
    assert bare <= {"review list run"}
