"""Write ``pedigree.schemas``, the client's types, from the service's own OpenAPI document.

    python client/write_schemas.py

A test holds the file against the document. Only what the client receives is written: what its calls return, and what
lies in that.
"""

import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pedigree.routes import ROUTES

Schema = Mapping[str, Any]

FILE = Path(__file__).parent / "src" / "pedigree" / "schemas.py"
HEAD = '''"""What the service answers, as its OpenAPI document says; written by ``python client/write_schemas.py``."""

from datetime import {dates}
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field


class Answer(BaseModel):
    """Anything the service sends; fields that a newer service has besides are kept."""

    model_config = ConfigDict(extra="allow", protected_namespaces=(), populate_by_name=True)

'''
SIMPLE = {"integer": "int", "number": "float", "boolean": "bool", "string": "str", "null": "None"}
FORMATS = {"date-time": "datetime", "date": "date", "uuid": "UUID"}
PROBLEM = "Problem"
"""The shape of every error."""


def class_name(name: str) -> str:
    """A schema's name as a class: ``api__schemas__datasets__PairOut`` is ``DatasetsPairOut``."""
    *_, last = parts = name.split("__")
    module = parts[-2].capitalize() if len(parts) > 1 else ""
    return module + last.replace("_", "")


def type_of(schema: Schema) -> str:
    """A schema as an annotation.

    Raises:
        TypeError: it is of a kind that the document did not have when this was written.
    """
    if "$ref" in schema:
        return class_name(schema["$ref"].rpartition("/")[2])
    if several := schema.get("anyOf") or schema.get("oneOf"):
        return " | ".join(type_of(one) for one in several)
    if "const" in schema:
        return f"Literal[{schema['const']!r}]"
    if "enum" in schema:
        return f"Literal[{', '.join(map(repr, schema['enum']))}]"
    return _plain_type(schema)


def _plain_type(schema: Schema) -> str:
    match schema:
        case {"type": "array", "prefixItems": parts}:
            return f"tuple[{', '.join(type_of(part) for part in parts)}]"
        case {"type": "array", "items": inside}:
            return f"list[{type_of(inside)}]"
        case {"type": "object"}:
            inside = schema.get("additionalProperties")
            return f"dict[str, {type_of(inside) if isinstance(inside, Mapping) else 'Any'}]"
        case {"type": "string", "format": form}:
            return FORMATS.get(form, "str")
        case {"type": kind} if kind in SIMPLE:
            return SIMPLE[kind]
        case _ if not schema.keys() - {"title", "description", "default", "examples"}:
            return "Any"
    raise TypeError(f"no type is known for {dict(schema)}")


def named_in(schema: object) -> Iterator[str]:
    """The schemas that a part of the document refers to."""
    if isinstance(schema, Mapping):
        if "$ref" in schema:
            yield schema["$ref"].rpartition("/")[2]
        schema = list(schema.values())
    if isinstance(schema, list):
        for part in schema:
            yield from named_in(part)


def reached(schemas: Schema, first: Iterable[str]) -> set[str]:
    """Some schemas and all that lies in them."""
    found: set[str] = set()
    ahead = list(first)
    while ahead:
        name = ahead.pop()
        if name not in found:
            found.add(name)
            ahead += named_in(schemas[name])
    return found


def answers_of(document: Schema) -> set[str]:
    """The schemas that the client's calls are answered with, and that of errors."""
    found = {PROBLEM}
    for call in ROUTES:
        for status, answer in document["paths"][call.path][call.method.lower()]["responses"].items():
            if status.startswith("2"):
                found |= set(named_in(answer.get("content", {}).get("application/json", {})))
    return found


def in_order(schemas: Schema, names: set[str]) -> list[str]:
    """So that each stands after what lies in it; else by name."""
    ordered: list[str] = []

    def add(name: str) -> None:
        for inside in sorted(set(named_in(schemas[name]))):
            add(inside)
        if name not in ordered:
            ordered.append(name)

    for name in sorted(names):
        add(name)
    return ordered


def field_of(name: str, schema: Schema, *, required: bool) -> str:
    """One line of a class; a default that is no plain value is None, as the service sends it anyway."""
    annotation = type_of(schema)
    if not name.isidentifier() or name == "from":
        return f'    {name}_: {annotation} = Field(alias="{name}")'
    if required:
        return f"    {name}: {annotation}"
    default = schema.get("default")
    if isinstance(default, str | int | float) and not schema.get("anyOf"):
        return f"    {name}: {annotation} = {default!r}"
    nullable = annotation if annotation.endswith("None") else f"{annotation} | None"
    return f"    {name}: {nullable} = None"


def class_of(name: str, schema: Schema) -> str:
    """A class, or for a list of words a name for them."""
    if "properties" not in schema:
        return f"{class_name(name)} = {type_of(schema)}\n"
    about = " ".join(str(schema.get("description", f"A part of what is answered: {name}.")).split("\n\n")[0].split())
    about = about.replace("``", "`")
    required = set(schema.get("required", ()))
    fields = [field_of(field, part, required=field in required) for field, part in schema["properties"].items()]
    return "\n".join([f"class {class_name(name)}(Answer):", f'    """{about}"""', "", *fields, ""])


def written(document: Schema) -> str:
    """The whole file."""
    schemas = document["components"]["schemas"]
    names = in_order(schemas, reached(schemas, answers_of(document)))
    classes = "\n\n".join(class_of(name, schemas[name]) for name in names)
    dates = [name for name in ("date", "datetime") if re.search(rf": .*\b{name}\b", classes)]
    text = HEAD.replace("{dates}", ", ".join(dates)) + classes
    command = [sys.executable, "-m", "ruff", "format", "--stdin-filename", str(FILE), "-"]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout  # noqa: S603  # ruff


def document_of_service() -> Schema:
    """The document of the service as it stands here; nothing is started."""
    from api.app import create_app  # noqa: PLC0415  # slow, and not needed where a document is given
    from store.settings import Settings  # noqa: PLC0415

    nowhere = {"database_url": "postgresql://nobody@localhost/none", "redis_url": "redis://localhost"}
    settings = {**nowhere, "artifacts_url": "file:///nonexistent", "cache": "/nonexistent"}
    return create_app(Settings.model_validate(settings)).openapi()


if __name__ == "__main__":
    FILE.write_text(written(document_of_service()), encoding="utf-8")
