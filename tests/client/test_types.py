"""The client's types and requests against the service's OpenAPI document."""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from write_schemas import FILE, written

from api.app import create_app
from pedigree import calls, schemas
from pedigree.calls import Call
from pedigree.routes import ROUTES, Route
from store.settings import Settings

CLIENT = Path(__file__).parent.parent.parent / "client"
SOURCES = sorted((CLIENT / "src" / "pedigree").glob("*.py"))
METHODS = {"get": "GET", "items": "GET", "stream": "GET", "post": "POST"}
"""What a call of the command's client sends; of any other the method is its first word."""
MOST_OF_THEM = 40
WHERE_THEY_ARE = {"IPython", "matplotlib", "pandas"}
"""What is used only where it is installed; imported within the function that needs it."""


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    nowhere = {"database_url": "postgresql://nobody@localhost/none", "redis_url": "redis://localhost"}
    return create_app(
        Settings.model_validate(nowhere | {"artifacts_url": "file:///nonexistent", "cache": "/nonexistent"})
    ).openapi()


def test_the_types_are_those_of_the_document(document: dict[str, Any]) -> None:
    said = "the contract has changed: `python client/write_schemas.py` writes the client's types anew"
    assert FILE.read_text(encoding="utf-8") == written(document), said


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_every_request_is_one_of_the_document(document: dict[str, Any], route: Route) -> None:
    operation = document["paths"][route.path][route.method.lower()]
    known = {one["name"] for one in operation.get("parameters", []) if one["in"] == "query"}
    assert set(route.query) <= known


def requests_of_the_command() -> Iterator[tuple[str, str]]:
    """Method and path of each call in ``cli/`` that names its path, a place in it as ``{}``."""
    for source in (CLIENT.parent / "cli").glob("*.py"):
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            sent = METHODS.get(node.func.attr)
            match [*([sent] if sent else []), *map(text_of, node.args)]:
                case [method, path, *_] if path.startswith("/"):
                    yield method, path


def text_of(node: ast.expr) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
    return str(node.value) if isinstance(node, ast.Constant) else ""


def test_every_request_of_the_command_is_one_of_the_document(document: dict[str, Any]) -> None:
    known = {
        (method.upper(), re.sub(r"\{\w+\}", "{}", path))
        for path, operations in document["paths"].items()
        for method in operations
    }
    asked = set(requests_of_the_command())
    assert len(asked) > MOST_OF_THEM
    assert asked - known == set()


CALLS = [
    calls.job(1),
    calls.cancel(1),
    calls.resume(1),
    calls.jobs(),
    calls.queue({}),
    calls.dry_run({}),
    calls.run(1),
    calls.runs(),
    calls.metrics(1, calls.ALL_STEPS),
    calls.confusion(1, 2, None),
    calls.top_losses(1, 9, None),
    calls.rates(1, None),
    calls.datasets(),
    calls.dataset("pets"),
    calls.builtin("sample"),
    calls.summary("pets"),
    calls.models(),
    calls.register(1, None),
    calls.model(1),
    calls.alias("production"),
    calls.point("production", 1),
    calls.roll_back("production"),
    calls.feedback("id", None),
]


@pytest.mark.parametrize("call", CALLS, ids=lambda call: f"{call.route.method} {call.route.path}")
def test_every_answer_is_read_as_what_the_document_says(document: dict[str, Any], call: Call[Any]) -> None:
    answers = document["paths"][call.route.path][call.route.method.lower()]["responses"]
    said = [
        answer["content"]["application/json"]["schema"]
        for status, answer in answers.items()
        if status.startswith("2") and "application/json" in answer.get("content", {})
    ]
    assert named(call.answer) in [name for schema in said for name in names(schema)]
    assert set(call.query) <= set(call.route.query)


def named(kind: Any) -> str:  # noqa: ANN401 - a class, or a list of one
    inside = getattr(kind, "__args__", (kind,))[0]
    return f"{'list of ' if inside is not kind else ''}{inside.__name__}"


def names(schema: dict[str, Any]) -> list[str]:
    """The classes that an answer may be."""
    if "$ref" in schema:
        return [schema["$ref"].rpartition("/")[2].replace("_", "")]
    if schema.get("type") == "array":
        return [f"list of {name}" for name in names(schema["items"])]
    return [name for one in schema.get("anyOf", []) for name in names(one)]


def test_it_needs_nothing_but_httpx_and_pydantic() -> None:
    needed = set()
    for source in SOURCES:
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                needed |= {name.name.partition(".")[0] for name in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                needed.add(node.module.partition(".")[0])
    assert needed - sys.stdlib_module_names - WHERE_THEY_ARE == {"httpx", "pedigree", "pydantic"}


def test_a_field_that_a_newer_service_has_is_kept() -> None:
    said = schemas.PictureError.model_validate({"code": "a", "detail": "b", "severity": "c"})
    assert said.model_extra == {"severity": "c"}
