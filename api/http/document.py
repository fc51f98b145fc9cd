"""What the OpenAPI document says beside what the routes' signatures say."""

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI

from api.http.scopes import SCOPES, Rule
from api.schemas.datasets import ArchiveUpload
from api.schemas.problem import Problem, problems
from api.schemas.review import Corrections

ANY_BODY = (400, 408, 413, 415)
"""What may be answered wherever a body is sent: it is broken, stops coming, is too large, of another type."""
_OF_FASTAPI = ("HTTPValidationError", "ValidationError")
Document = dict[str, Any]


def describe(app: FastAPI) -> None:
    """Have the app's document completed when it is made."""
    generate = app.openapi

    def openapi() -> Document:
        if app.openapi_schema is None:
            complete(generate())
        return generate()

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's own documented way to extend the document


def complete(document: Document) -> None:
    """Add keys, the routes that ask for none, the schemas that no signature has, and what any body may be answered."""
    document["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    document["security"] = [{"key": []}]
    schemas = document["components"]["schemas"]
    for model in (Problem, ArchiveUpload, Corrections):
        found = model.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas.update(found.pop("$defs", {}))
        schemas[model.__name__] = found
    for unused in _OF_FASTAPI:
        schemas.pop(unused, None)
    refusals = {str(status): told for status, told in problems(*ANY_BODY).items()}
    for method, path, operation in _operations(document):
        if SCOPES.get((method, path)) is Rule.OPEN:
            operation["security"] = []
        if "requestBody" in operation:
            operation["responses"] = operation["responses"] | {
                status: told for status, told in refusals.items() if status not in operation["responses"]
            }


def _operations(document: Document) -> Iterator[tuple[str, str, Document]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation
