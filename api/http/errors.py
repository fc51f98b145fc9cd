"""The one place where an error becomes an answer: application/problem+json, never a traceback."""

import json
import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import cast

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DataError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException

from api.http.field_errors import BodyRefused, cut, faults_of, shown
from api.http.methods import methods_of
from api.http.room import database_disk_full, some_disk_full
from api.http.unreadable import unread_body, unread_json
from api.schemas.dependents import DependentsOut
from api.schemas.problem import PROBLEM_TYPE, FieldProblem, HelpfulRequest, Problem
from ml.decode.images import FORMAT_NAMES
from ml.errors import LearningError
from store.db.dependents import Undeletable
from store.errors import AppError
from store.request_ids import request_id
from store.room import says_disk_full

logger = logging.getLogger(__name__)

MAX_FIELD_PROBLEMS = 20

LEARNING_STATUS: dict[str, int] = {
    "out_of_memory": 503,
    "not_an_image": 415,
    "too_many_bytes": 413,
    "truncated": 422,
    "too_many_pixels": 422,
    "too_small": 422,
    "unsupported_pixels": 422,
    "picture_too_costly": 422,
    "unknown_arch": 422,
    "batch_too_large": 422,
    "disk_full": 507,
    "sweep_too_short": 422,
    "export_refused": 422,
}
"""The learning errors that a request, a full disk or scarce memory can cause; any other is the service's own fault."""

LEARNING_FIELDS: dict[str, str] = {
    "unknown_arch": "body.config.arch",
    "batch_too_large": "body.config.batch_size",
    "sweep_too_short": "body.config.lr_sweep.steps",
}
"""The field of a request for a job whose value made a learning error."""

LEARNING_HINTS: dict[str, str] = {
    "not_an_image": f"Send a picture as {FORMAT_NAMES}.",
    "truncated": "Send the file again; if the file itself is broken, save it again.",
    "too_small": "Send a larger picture.",
    "too_many_pixels": "Scale it down.",
    "picture_too_costly": "Save it as a plain JPEG or PNG, or scale it down.",
}
"""What a caller can do where the error itself does not say."""

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


class RefusedInside(HTTPException):
    """An error raised while FastAPI reads a body, where it turns any exception but this kind into a 400."""

    def __init__(self, error: AppError) -> None:
        super().__init__(error.status, error.detail)
        self.error = error


def problem_response(problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    """A problem as a response. ASCII only, so that whatever a caller sent can be said back."""
    body = json.dumps(problem.model_copy(update={"request_id": request_id()}).model_dump(exclude_none=True))
    return Response(body, problem.status, headers=dict(headers or {}), media_type=PROBLEM_TYPE)


def told_of(error: BaseException) -> Problem:
    """What is told of an error where it is part of an answer; what nobody expected goes to the log."""
    if isinstance(error, AppError):
        return _app_problem(error)
    if isinstance(error, LearningError):
        return _learning_problem(error)
    logger.error("a part of an answer failed", exc_info=error)
    return _unexpected_problem()


def app_error_response(error: AppError) -> Response:
    """An error of the record or of the API itself."""
    return problem_response(_app_problem(error), error.headers)


def _app_problem(error: AppError) -> Problem:
    request = error.request
    return Problem(
        title=error.title,
        status=error.status,
        detail=error.detail,
        code=error.code,
        hint=error.hint,
        request=None if request is None else HelpfulRequest.model_validate(request),
        field=error.field,
        value=None if error.value is None else shown(error.value),
        dependents=DependentsOut.of(error.dependents) if isinstance(error, Undeletable) else None,
    )


def install_error_handlers(app: FastAPI) -> None:
    """Answer every kind of failure through this module."""
    app.add_exception_handler(AppError, _on_app_error)
    app.add_exception_handler(LearningError, _on_learning_error)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(DBAPIError, _on_database_error)
    app.add_exception_handler(DataError, _on_data_error)
    app.add_exception_handler(PoolTimeout, _on_database_error)
    app.add_exception_handler(OSError, _on_os_error)
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
    return problem_response(_learning_problem(found))


def _learning_problem(error: LearningError) -> Problem:
    return Problem(
        title=error.code.replace("_", " ").capitalize(),
        status=LEARNING_STATUS.get(error.code, 500),
        detail=error.detail,
        code=error.code,
        hint=hint_of(error),
        field=LEARNING_FIELDS.get(error.code),
    )


def hint_of(error: LearningError) -> str | None:
    """The one thing to change, or None where nothing helps."""
    return error.hint or LEARNING_HINTS.get(error.code)


async def _on_validation_error(request: Request, error: Exception) -> Response:
    found = cast("RequestValidationError", error)
    unread = unread_json(found)
    if unread is not None:
        return app_error_response(unread)
    faults = faults_of(found.errors(), _asked_kind(request, found), MAX_FIELD_PROBLEMS)
    first, *_ = fields = [
        FieldProblem(field=one.field, detail=one.detail, hint=one.hint, value=one.value) for one in faults.told
    ]
    return problem_response(
        Problem(
            title="Invalid request",
            status=422,
            detail=first.detail,
            code="invalid_request",
            hint=first.hint,
            field=first.field,
            value=first.value,
            errors=fields,
            more_errors=faults.more or None,
        )
    )


def _asked_kind(request: Request, error: RequestValidationError) -> object:
    """The type that the route wants its body to be, or None."""
    if isinstance(error, BodyRefused):
        return error.kind
    wanted = getattr(request.scope.get("route"), "body_field", None)
    return wanted.field_info.annotation if wanted is not None else None


async def _on_http_exception(request: Request, error: Exception) -> Response:
    found = cast("HTTPException", error)
    told = found.error if isinstance(found, RefusedInside) else unread_body(found)
    if told is not None:
        return app_error_response(told)
    headers = dict(found.headers or {})
    if found.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = methods_of(request.scope, request.app.state.routes)
        if request.method == "OPTIONS":
            return Response(status_code=HTTPStatus.NO_CONTENT, headers=headers)
    code = HTTP_CODES.get(found.status_code, "http_error")
    title = HTTPStatus(found.status_code).phrase
    detail = str(found.detail)
    if detail == title:
        detail = f"{request.method} {cut(request.url.path, 200)}: {title.lower()}"
    return problem_response(Problem(title=title, status=found.status_code, detail=detail, code=code), headers)


async def _on_database_error(request: Request, error: Exception) -> Response:
    """A database out of reach, or with a full disk, is a state of the service; any other of its errors is a defect."""
    if says_disk_full(error):
        return await _on_app_error(request, database_disk_full())
    lost = isinstance(error, (OperationalError, InterfaceError, PoolTimeout))
    if not lost and not (isinstance(error, DBAPIError) and error.connection_invalidated):
        return await _on_unexpected(request, error)
    logger.warning("%s %s: the database does not answer: %s", request.method, request.url.path, error)
    problem = Problem(
        title="Service unavailable",
        status=503,
        detail="the database does not answer",
        code="unavailable",
        hint="Try again when every part is ready.",
        request=HelpfulRequest(method="GET", path="/readyz"),
    )
    return problem_response(problem, {"Retry-After": "2"})


async def _on_data_error(request: Request, error: Exception) -> Response:
    """Postgres refused a value, such as the number in a forged cursor: the request asks for something impossible."""
    logger.warning("%s %s: %s", request.method, request.url.path, cast("DataError", error).orig)
    detail = "a value of the request is outside of what the record can hold"
    return problem_response(Problem(title="Invalid request", status=400, detail=detail, code="invalid_request"))


async def _on_os_error(request: Request, error: Exception) -> Response:
    """A full disk is a state of the service; any other error of the system is a defect.

    A handler of its own, as that of every exception answers outside of the middleware: without the headers that each
    answer carries, and counted as a 500.
    """
    if not says_disk_full(error):
        raise error
    return await _on_app_error(request, some_disk_full())


async def _on_unexpected(request: Request, error: Exception) -> Response:
    logger.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return problem_response(_unexpected_problem())


def _unexpected_problem() -> Problem:
    return Problem(
        title="Internal error",
        status=500,
        detail="the service failed unexpectedly",
        code="internal_error",
        hint="Look into its log for the cause.",
    )
