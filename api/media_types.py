"""What a request says that its body is."""

from starlette.datastructures import Headers

JSON = "application/json"
FORM = "multipart/form-data"


def media_type(headers: Headers) -> str:
    """What the body is said to be, lower case and without parameters; empty where nothing is said."""
    return headers.get("content-type", "").partition(";")[0].strip().lower()
