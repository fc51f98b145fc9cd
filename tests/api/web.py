"""The test client, imported in one place."""

import warnings

import httpx
from starlette.exceptions import StarletteDeprecationWarning

with warnings.catch_warnings():
    # Starlette would rather have httpx2; httpx, which the command uses too, still serves.
    warnings.simplefilter("ignore", StarletteDeprecationWarning)
    from fastapi.testclient import TestClient

__all__ = ["TestClient", "same_headers"]


def same_headers(answer: httpx.Response) -> dict[str, str]:
    """What two answers to the same request have alike: all but the request's own id."""
    return {name: value for name, value in answer.headers.items() if name != "x-request-id"}
