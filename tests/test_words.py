"""What people read has common words: sentences of the service, of its contract, of the command and of the page."""

import ast
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import click
import pytest

from api.app import create_app
from api.http.telemetry import Telemetry
from api.routes.page import document
from cli.main import pedigree
from store.settings import Settings
from tests.parsed import parsed

REPOSITORY = Path(__file__).parent.parent
ROOMS = ("api", "backup", "cli", "ml", "store", "worker")
UNCOMMON = re.compile(
    r"\b(whoever|for (lack|want) of|mend(s|ed|ing)?|anew|manieth|one shot on them|twins?|fingerprints?|bits apart)\b",
    re.IGNORECASE,
)
PICTURE = re.compile(r"(?<![a-z])pictures?(?![a-z])", re.IGNORECASE)
"""Its meanings have words of their own: docs/decisions/0062-image-photo-item.md."""
PAGE = REPOSITORY / "api" / "page"
DOCUMENTS = sorted(
    path.relative_to(REPOSITORY).as_posix()
    for path in (
        *(REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md"),
        *(REPOSITORY / "docs").rglob("*.md"),
        *(REPOSITORY / "docs" / "monitoring").iterdir(),
    )
    if path.name != "found.md"  # it quotes what was found
)
CLIENT = REPOSITORY / "client" / "src" / "pedigree"
READ_OUT = {"alt", "aria-label", "placeholder", "title"}
"""Attributes that people see or hear."""


def is_uncommon(text: str) -> bool:
    return UNCOMMON.search(text) is not None


def literals(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """The texts of a file that are no docstrings; a single word is a name and no sentence."""
    notes = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and id(node) not in notes and " " in str(node.value).strip():
            yield node.lineno, str(node.value)


def script_texts(script: str) -> Iterator[str]:
    """The same of a script: its strings, and its templates without what is put into them, the innermost first."""
    code = re.sub(r"^\s*//.*$", "", script, flags=re.MULTILINE)
    pieces = re.compile(r'"([^"\n]*)"|`([^`$]*)`|\$\{[^{}`"]*\}')
    while found := pieces.search(code):
        text = found[1] or found[2] or ""
        if " " in text.strip():
            yield text
        code = f"{code[: found.start()]} {code[found.end() :]}"
    assert "`" not in code


class Texts(HTMLParser):
    """What people read of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, _: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value or "" for name, value in attrs if name in READ_OUT]

    def handle_data(self, data: str) -> None:
        self.found.append(data)


def helps(command: click.Command, name: str) -> Iterator[tuple[str, str]]:
    """The help of a command and of those below it."""
    context = click.Context(command, info_name=name)
    yield name, command.get_help(context)
    if isinstance(command, click.Group):
        for word in command.list_commands(context):
            below = command.get_command(context, word)
            assert below is not None
            yield from helps(below, f"{name} {word}")


@pytest.mark.parametrize("room", ROOMS)
def test_no_sentence_has_an_uncommon_word(room: str) -> None:
    found = [
        f"{path.relative_to(REPOSITORY)}:{line}: {text}"
        for path, tree in parsed(sorted((REPOSITORY / room).rglob("*.py")))
        for line, text in literals(tree)
        if is_uncommon(text)
    ]
    assert found == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_nor_has_a_document(document: str) -> None:
    lines = (REPOSITORY / document).read_text().splitlines()
    assert [line for line in lines if is_uncommon(line)] == []


def test_nor_has_the_client_whose_docstrings_are_its_manual() -> None:
    parts = [
        (path.name, str(node.value))
        for path in sorted(CLIENT.glob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant)
    ]
    assert len(parts) > 500
    assert [part for part in parts if is_uncommon(part[1])] == []


def test_nor_has_the_help_of_a_command() -> None:
    assert [name for name, text in helps(pedigree, "pedigree") if is_uncommon(text)] == []


@pytest.fixture(scope="module")
def contract(settings_of_session: Settings) -> dict[str, Any]:
    return create_app(settings_of_session).openapi()


def test_nor_has_the_contract(contract: dict[str, Any]) -> None:
    def described(part: object) -> Iterator[str]:
        if isinstance(part, dict):
            yield from (text for name in ("description", "summary") if isinstance(text := part.get(name), str))
        for below in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
            yield from described(below)

    assert [text for text in described(contract) if is_uncommon(text)] == []


def names_in(part: object) -> Iterator[str]:
    """The names of all fields and parameters in a part of the OpenAPI document."""
    if isinstance(part, list):
        for one in part:
            yield from names_in(one)
    elif isinstance(part, dict):
        fields, parameters = part.get("properties"), part.get("parameters")
        if isinstance(fields, dict):
            yield from fields
        if isinstance(parameters, list):
            yield from (str(one["name"]) for one in parameters if isinstance(one, dict) and "name" in one)
        for below in part.values():
            yield from names_in(below)


def test_no_field_is_called_a_picture_and_a_search_alone_is_one_over_settings(contract: dict[str, Any]) -> None:
    names = set(names_in(contract))
    assert names >= {"images_per_second", "photos", "items", "rate_searches", "rate_search_seconds", "limit", "type"}
    assert sorted(name for name in names if PICTURE.search(name)) == []
    assert sorted(name for name in names if name.endswith("_per_second")) == ["images_per_second"]
    assert names & {"searches", "search_seconds"} == set()


def test_nor_is_a_metric() -> None:
    names = [metric.name for metric in Telemetry().registry.collect()]
    assert "pedigree_predict_batch_images" in names
    assert [name for name in names if PICTURE.search(name)] == []


def columns(path: Path) -> Iterator[str]:
    """What stands in the rows that a file of the command writes out, its columns among it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Tuple | ast.List):
            yield from (one.value for one in node.elts if isinstance(one, ast.Constant) and isinstance(one.value, str))


def test_no_column_of_the_command_is_called_a_picture_and_rates_are_of_images() -> None:
    found = [name for path in sorted((REPOSITORY / "cli").glob("*.py")) for name in columns(path)]
    assert {"photos", "images/s", "images/s here"} <= set(found)
    assert [name for name in found if PICTURE.search(name)] == []
    assert [name for name in found if re.search(r"(photos?|items?)/s\b", name)] == []


@pytest.mark.parametrize("path", sorted(PAGE.glob("*/*.js")), ids=lambda path: path.name)
def test_the_page_speaks_of_photos_and_of_pictures_only_where_they_are_drawn(path: Path) -> None:
    script = path.read_text()
    heads = re.findall(r'"([A-Z]\w*)"', script)
    said = [*script_texts(script), *heads, *re.findall(r'counted\([^()]*, "(\w+)"', script)]
    assert [text for text in said if PICTURE.search(text) and not re.search(r"\bdr(awn|ew)\b", text)] == []
    assert [text for text in said if re.search(r"photos?(/s| a second)", text, re.IGNORECASE)] == []


def test_nor_does_its_text_speak_of_pictures() -> None:
    page = Texts()
    page.feed(document(PAGE))
    assert [text for text in page.found if PICTURE.search(text)] == []


def test_json_says_what_it_is_for() -> None:
    said = [text for _, text in helps(pedigree, "pedigree") if "--json" in text and "own JSON" in text]
    assert said == []


def test_a_scripts_texts_are_found_even_one_within_another() -> None:
    script = 'say(`one ${two ? `, three ${four("five six")}` : ""} seven`); // a note\n// a note\nbyId("eight")'
    assert list(script_texts(script)) == ["five six", ", three  ", "one   seven"]


@pytest.mark.parametrize("path", sorted(PAGE.glob("*/*.js")), ids=lambda path: path.name)
def test_nor_has_a_script_of_the_page(path: Path) -> None:
    assert [text for text in script_texts(path.read_text()) if is_uncommon(text)] == []


def test_nor_has_the_page_itself() -> None:
    page = Texts()
    page.feed(document(PAGE))
    assert [text for text in page.found if is_uncommon(text)] == []
    assert "Drop photos here" in page.found
    assert "Table of runs" in page.found
