"""One try of a delivery: a signed POST to a host that is allowed, bounded in time, of whose answer the head is read."""

import asyncio
import json
import logging
import ssl
import time
from collections.abc import Collection
from functools import cache

import httpx

from store.db.webhooks import ClaimedDelivery, Outcome
from store.webhooks import Origin, origin_of, signed_headers

TRY_SECONDS = 10.0
"""For all of it: the name, the connection, the request and the answer's head."""

log = logging.getLogger(__name__)
# It logs each request's whole address, whose path may be secret.
logging.getLogger("httpx").setLevel(logging.WARNING)


async def send(claimed: ClaimedDelivery, allowed: Collection[Origin], *, seconds: float = TRY_SECONDS) -> Outcome:
    """Try once. Nothing but ``allowed`` is called: no redirect, and no proxy that the shell names."""
    if origin_of(claimed.url) not in allowed:
        return Outcome(error="host_not_allowed")
    try:
        verify = _authorities() if claimed.url.startswith("https:") else False
    except OSError as error:
        log.warning("SSL_CERT_FILE or SSL_CERT_DIR cannot be read: %s", error.strerror or error)
        return Outcome(error="tls_failed")
    try:
        async with asyncio.timeout(seconds):
            return await _post(claimed, verify)
    except TimeoutError:
        return Outcome(error="timeout")
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError, OSError) as error:
        return Outcome(error=_reason(error))


async def _post(claimed: ClaimedDelivery, verify: ssl.SSLContext | bool) -> Outcome:
    body = json.dumps(claimed.body, separators=(",", ":")).encode()
    headers = {
        "content-type": "application/json",
        "user-agent": "Pedigree",
        **signed_headers(claimed.secret, claimed.message, int(time.time()), body),
    }
    # Its own limit is for each read, and begins again with every byte; the caller's is for all.
    made = httpx.AsyncClient(verify=verify, trust_env=False, follow_redirects=False, timeout=TRY_SECONDS)
    async with (
        made as client,
        client.stream("POST", claimed.url, content=body, headers=headers) as answer,
    ):
        return Outcome(status=answer.status_code, retry_after=_seconds(answer.headers.get("retry-after", "")))


@cache
def _authorities() -> ssl.SSLContext:
    """Whom to believe a certificate; SSL_CERT_FILE or SSL_CERT_DIR names a company's own."""
    return httpx.create_ssl_context()


def _seconds(text: str) -> float:
    """What an answer asks to wait. Dates are not read: two clocks would have to agree."""
    return float(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0.0  # noqa: PLR2004 - 30 years


def _reason(error: BaseException) -> str:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return "tls_failed"
        cause = cause.__cause__ or cause.__context__
    unreachable = isinstance(error, httpx.ConnectError | httpx.InvalidURL | UnicodeError)
    return "unreachable" if unreachable else "no_answer"
