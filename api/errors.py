"""The one place where an error becomes an answer: application/problem+json, never a traceback."""

import json
import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, cast

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DataError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException

from api.schemas.problem import PROBLEM_TYPE, FieldProblem, Problem
from ml.errors import LearningError
from store.errors import AppError

logger = logging.getLogger(__name__)

MAX_VALUE_CHARS = 80
MAX_FIELD_PROBLEMS = 20

LEARNING_STATUS: dict[str, int] = {
    "not_an_image": 415,
    "too_many_bytes": 413,
    "truncated": 422,
    "too_many_pixels": 422,
    "too_small": 422,
    "unknown_arch": 422,
}
"""The learning errors that a request can cause; any other is the service's own fault."""

HTTP_CODES: dict[int, str] = {
    400: "bad_request",
    404: "not_found",
    405: "method_not_allowed",
    413: "payload_too_large",
    415: "unsupported_media_type",
}


class CrossOrigin(AppError):
    """A page of another site tried to change something through the visitor's browser."""

    status = 403
    code = "cross_origin"
    title = "Cross-origin request"


class HostRefused(AppError):
    """The Host header names none of the service's own names."""

    status = 400
    code = "host_refused"
    title = "Unknown host"


def problem_response(problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    """A problem as a response. ASCII only, so that whatever a caller sent can be said back."""
    body = json.dumps(problem.model_dump(exclude_none=True))
    return Response(body, problem.status, headers=dict(headers or {}), media_type=PROBLEM_TYPE)


def app_error_response(error: AppError) -> Response:
    """An error of the record or of the API itself."""
    problem = Problem(title=error.title, status=error.status, detail=error.detail, code=error.code, hint=error.hint)
    return problem_response(problem, error.headers)


def install_error_handlers(app: FastAPI) -> None:
    """Answer every kind of failure through this module."""
    app.add_exception_handler(AppError, _on_app_error)
    app.add_exception_handler(LearningError, _on_learning_error)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(DBAPIError, _on_database_error)
    app.add_exception_handler(DataError, _on_data_error)
    app.add_exception_handler(PoolTimeout, _on_database_error)
    app.add_exception_handler(Exception, _on_unexpected)


async def _on_app_error(request: Request, error: Exception) -> Response:
    found = cast("AppError", error)
    if found.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        logger.warning("%s %s: %s (%s)", request.method, request.url.path, found.detail, found.code)
    return app_error_response(found)


async def _on_learning_error(request: Request, error: Exception) -> Response:
    found = cast("LearningError", error)
    status = LEARNING_STATUS.get(found.code, 500)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        logger.error("%s %s: %s (%s)", request.method, request.url.path, found.detail, found.code)
    title = found.code.replace("_", " ").capitalize()
    return problem_response(Problem(title=title, status=status, detail=found.detail, code=found.code, hint=found.hint))


async def _on_validation_error(request: Request, error: Exception) -> Response:
    del request
    fields = [field_problem(one) for one in cast("RequestValidationError", error).errors()[:MAX_FIELD_PROBLEMS]]
    detail = f"{fields[0].field}: {fields[0].message}" if fields else "the request has the wrong shape"
    return problem_response(
        Problem(title="Invalid request", status=422, detail=detail, code="invalid_request", errors=fields)
    )


def field_problem(error: Mapping[str, Any]) -> FieldProblem:
    """One of pydantic's errors as a field, a sentence and the value in short (none where the field is missing)."""
    location: Sequence[str | int] = error["loc"]
    value = None if error["type"] in {"missing", "json_invalid"} else _short(error.get("input"))
    field = ".".join(str(part) for part in location) or "request"
    message = str(error["msg"]).removeprefix("Value error, ")
    return FieldProblem(field=_cut(field, 200), message=_cut(message, 400), value=value)


def _short(value: object) -> str:
    """A value as a caller would recognise it; large ones are named by kind, so that nothing is copied whole."""
    if isinstance(value, (dict, list, tuple)):
        return f"{'object' if isinstance(value, dict) else 'list'} of {len(value)}"
    if isinstance(value, (str, bytes)):
        return _cut(ascii(value[: MAX_VALUE_CHARS + 1]), MAX_VALUE_CHARS)
    if isinstance(value, int) and value.bit_length() > 4 * MAX_VALUE_CHARS:
        return f"a number of {value.bit_length()} bits"
    return _cut(ascii(value), MAX_VALUE_CHARS)


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"


async def _on_http_exception(request: Request, error: Exception) -> Response:
    found = cast("HTTPException", error)
    code = HTTP_CODES.get(found.status_code, "http_error")
    title = HTTPStatus(found.status_code).phrase
    detail = str(found.detail)
    if detail == title:
        detail = f"{request.method} {_cut(request.url.path, 200)}: {title.lower()}"
    return problem_response(Problem(title=title, status=found.status_code, detail=detail, code=code), found.headers)


async def _on_database_error(request: Request, error: Exception) -> Response:
    """A database out of reach is a state of the service; any other database error is a defect."""
    lost = isinstance(error, (OperationalError, InterfaceError, PoolTimeout))
    if not lost and not (isinstance(error, DBAPIError) and error.connection_invalidated):
        return await _on_unexpected(request, error)
    logger.warning("%s %s: the database does not answer: %s", request.method, request.url.path, error)
    problem = Problem(
        title="Service unavailable",
        status=503,
        detail="the database does not answer",
        code="unavailable",
        hint="Try again; GET /readyz tells what is not ready.",
    )
    return problem_response(problem, {"Retry-After": "2"})


async def _on_data_error(request: Request, error: Exception) -> Response:
    """Postgres refused a value, such as the number in a forged cursor: the request asks for something impossible."""
    logger.warning("%s %s: %s", request.method, request.url.path, cast("DataError", error).orig)
    detail = "a value of the request is outside of what the record can hold"
    return problem_response(Problem(title="Invalid request", status=400, detail=detail, code="invalid_request"))


async def _on_unexpected(request: Request, error: Exception) -> Response:
    logger.error("%s %s failed", request.method, request.url.path, exc_info=error)
    problem = Problem(
        title="Internal error",
        status=500,
        detail="the service failed in a way that it did not foresee; its log has the cause",
        code="internal_error",
    )
    return problem_response(problem)
