"""Bodies that could not even be read: what is wrong with them, from the exceptions of whoever tried."""

from collections.abc import Iterator

from fastapi.exceptions import RequestValidationError
from python_multipart.exceptions import FormParserError
from starlette.exceptions import HTTPException

from api.http.room import some_disk_full
from store.errors import AppError, UnsupportedMedia
from store.room import says_disk_full

_AS_JSON = "Send JSON, with the header Content-Type: application/json."
_AS_FORM = "Send each picture as a part `file` of a form, as `curl -F file=@picture.jpg` does."


class BodyUnreadable(AppError):
    """The body is broken, so that nothing in it can be looked at."""

    status = 400
    code = "bad_request"
    title = "Bad request"


class PictureMissing(AppError):
    """A form without the file that it is for."""

    status = 422
    code = "invalid_request"
    title = "Invalid request"


def unsaid_json() -> UnsupportedMedia:
    """The error for a body that should be JSON and does not say so."""
    return UnsupportedMedia("the body does not say that it is JSON", _AS_JSON)


def unread_json(error: RequestValidationError) -> AppError | None:
    """Why a body never came to be looked at as JSON; None where it did."""
    if isinstance(error.body, bytes):
        # Only what does not say that it is JSON is handed on as it came.
        return unsaid_json()
    for one in error.errors():
        if one["type"] == "json_invalid":
            reason = str(one.get("ctx", {}).get("error", one["msg"]))
            return unread_json_text(one["loc"][1] if len(one["loc"]) > 1 else None, reason)
    return None


def unread_json_text(position: int | None, reason: str) -> BodyUnreadable:
    """What is wrong with a text that is no JSON, and at which character."""
    where = "" if position is None else f" at character {position}"
    return BodyUnreadable(f"the body is not JSON{where}: {reason}", "Fix the JSON there and send it again.")


def unread_body(error: HTTPException) -> AppError | None:
    """What the framework's "error parsing the body" and its like came from; None where it was no such thing."""
    for cause in _causes(error):
        if says_disk_full(cause):
            return some_disk_full()
        if (unread := _unread(cause)) is not None:
            return unread
    if error.status_code == BodyUnreadable.status and "multipart" in str(error.detail):
        return BodyUnreadable(f"the form cannot be read: {error.detail}", _AS_FORM)
    return None


def _unread(cause: BaseException) -> BodyUnreadable | None:
    if isinstance(cause, RecursionError):
        return BodyUnreadable("the body is nested too deeply", "Send an object of a few levels.")
    if isinstance(cause, UnicodeDecodeError):
        return BodyUnreadable("the body's text is not UTF-8", "Encode it as UTF-8.")
    if isinstance(cause, FormParserError):
        return unread_form(cause)
    if isinstance(cause, ValueError) and "integer string conversion" in str(cause):
        return BodyUnreadable("a number in the body has too many digits", "Give a number of fewer digits.")
    return None


def unread_form(error: FormParserError) -> BodyUnreadable:
    """What is wrong with a multipart form."""
    if "header size" in str(error):
        return BodyUnreadable(
            "a part's head, which holds the file's name, is too long", "Give the file a shorter name."
        )
    return BodyUnreadable(f"the form cannot be read: {error}", "Let a client library build the form, or curl -F.")


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause = error.__cause__ or error.__context__
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__
