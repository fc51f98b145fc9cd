"""What people read has common words: sentences of the service, of its contract and of the command."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from api.app import create_app
from cli.main import pedigree
from store.settings import Settings

REPOSITORY = Path(__file__).parent.parent
ROOMS = ("api", "cli", "ml", "store", "worker")
UNCOMMON = re.compile(r"\b(whoever|for (lack|want) of|mend(s|ed|ing)?|anew|manieth|one shot on them)\b", re.IGNORECASE)
JSON_KEY = re.compile(r"``mend``")
"""A name of the contract."""


def literals(path: Path) -> Iterator[tuple[int, str]]:
    """The texts of a file that are no docstrings; a single word is a name and no sentence."""
    tree = ast.parse(path.read_text())
    notes = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and id(node) not in notes and " " in str(node.value).strip():
            yield node.lineno, str(node.value)


def helps(command: click.Command, name: str) -> Iterator[tuple[str, str]]:
    """The help of a command and of those below it."""
    context = click.Context(command, info_name=name)
    yield name, command.get_help(context)
    for below in command.commands.values() if isinstance(command, click.Group) else ():
        yield from helps(below, f"{name} {below.name}")


@pytest.mark.parametrize("room", ROOMS)
def test_no_sentence_has_an_uncommon_word(room: str) -> None:
    found = [
        f"{path.relative_to(REPOSITORY)}:{line}: {text}"
        for path in sorted((REPOSITORY / room).rglob("*.py"))
        for line, text in literals(path)
        if UNCOMMON.search(text)
    ]
    assert found == []


def test_nor_has_the_help_of_a_command() -> None:
    assert [name for name, text in helps(pedigree, "pedigree") if UNCOMMON.search(text)] == []


def test_nor_has_the_contract(settings: Settings) -> None:
    contract = create_app(settings).openapi()

    def described(part: object) -> Iterator[str]:
        if isinstance(part, dict):
            yield from (text for name in ("description", "summary") if isinstance(text := part.get(name), str))
        for below in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
            yield from described(below)

    assert [text for text in described(contract) if UNCOMMON.search(JSON_KEY.sub("", text))] == []


def test_json_says_what_it_is_for() -> None:
    said = [text for _, text in helps(pedigree, "pedigree") if "--json" in text and "own JSON" in text]
    assert said == []
