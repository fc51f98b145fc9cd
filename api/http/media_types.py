"""What a request says that its body is."""

from starlette.datastructures import Headers

JSON = "application/json"
FORM = "multipart/form-data"
OFFSET = "application/offset+octet-stream"
"""Bytes that go on where an upload stands (TUS)."""


def media_type(headers: Headers) -> str:
    """What the body is said to be, lower case and without parameters; empty where nothing is said."""
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def is_json(kind: str) -> bool:
    """Whether a body of that type is read as JSON, by its own name or by one such as ``application/problem+json``."""
    return kind == JSON or kind.endswith("+json")


def is_picture(kind: str) -> bool:
    """Whether a body of that type may be a picture as it is."""
    return kind.startswith("image/") or kind == "application/octet-stream"
