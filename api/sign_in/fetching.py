"""A request to the provider, bounded in time and in what is read of the answer."""

import asyncio
import json
import logging
import ssl
from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

import httpx
from starlette.concurrency import run_in_threadpool

from api.sign_in.refusals import away

SECONDS = 5.0
"""For all of it: the name, the connection, the request and the whole answer."""
MOST_BYTES = 512 * 1024

logger = logging.getLogger(__name__)
# It logs each request's whole address.
logging.getLogger("httpx").setLevel(logging.WARNING)


class ProviderResponse(NamedTuple):
    """What came."""

    status: int
    content: Mapping[str, Any]
    """Empty where it is no JSON object."""


async def fetch(
    address: str,
    form: Mapping[str, str] | None = None,
    basic: tuple[str, str] | None = None,
    *,
    seconds: float = SECONDS,
) -> ProviderResponse:
    """Ask, by POST where there is a form; no redirect is followed, and no proxy that the shell names.

    Raises:
        ProviderAway: no answer, one that is too long, or one that says that the provider is not well.
    """
    try:
        async with asyncio.timeout(seconds):
            return await _fetch(address, form, basic)
    except TimeoutError:
        raise away(f"did not answer within {seconds:.0f} s") from None
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError, OSError) as error:
        logger.warning("the identity provider does not answer: %s", _reason(error))
        raise away("does not answer") from None


async def _fetch(address: str, form: Mapping[str, str] | None, basic: tuple[str, str] | None) -> ProviderResponse:
    # It reads 140 certificates of authorities.
    verify = await run_in_threadpool(_authorities) if address.startswith("https:") else False
    made = httpx.AsyncClient(verify=verify, trust_env=False, follow_redirects=False, timeout=SECONDS)
    headers = {"accept": "application/json", "user-agent": "Pedigree", "accept-encoding": "identity"}
    method = "GET" if form is None else "POST"
    auth = None if basic is None else httpx.BasicAuth(*basic)
    async with made as client, client.stream(method, address, data=form, headers=headers, auth=auth) as answer:
        content = b""
        async for piece in answer.aiter_raw():
            content += piece
            if len(content) > MOST_BYTES:
                raise away(f"sent more than {MOST_BYTES} bytes")
    if answer.status_code >= httpx.codes.INTERNAL_SERVER_ERROR or answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
        raise away(f"answered {answer.status_code}")
    return ProviderResponse(answer.status_code, _object(content))


def _object(content: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


@cache
def _authorities() -> ssl.SSLContext:
    """Whom to believe a certificate; SSL_CERT_FILE or SSL_CERT_DIR names a company's own."""
    return httpx.create_ssl_context()


def _reason(error: BaseException) -> str:
    """The error's kind alone: its words may have an address with more in it."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return "its certificate is not good"
        cause = cause.__cause__ or cause.__context__
    return type(error).__name__
