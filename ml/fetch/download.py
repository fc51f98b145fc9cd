"""Fetching a published file over HTTP: resumed where it broke off, quick to give up on a dead network."""

import time
from collections.abc import Callable
from pathlib import Path

import httpx

from ml.errors import DownloadFailed

OnProgress = Callable[[int, int], None]
# Connecting fails fast, so that a machine without a network is told so in seconds; a slow transfer may go on.
_TIMEOUT = httpx.Timeout(30.0, connect=5.0)
_REPORT_SECONDS = 0.1
_PARTIAL = 206
_RANGE_UNSATISFIABLE = 416


def download(url: str, target: Path, *, on_progress: OnProgress | None = None) -> None:
    """Fetch a file, going on from the bytes that ``target`` already has.

    Args:
        url: of the file, http or https; redirects are followed.
        target: where the bytes go as they come; the caller checks and renames it.
        on_progress: called with bytes done and bytes in all (0 while unknown), at most ten times a second.

    Raises:
        DownloadFailed: the host cannot be reached, answers with an error, or stops early. What came stays in
            ``target`` for the next call.
    """
    have = target.stat().st_size if target.exists() else 0
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    client = _client(url)
    try:
        with client, client.stream("GET", url, headers=headers) as response:
            if have and response.status_code == _RANGE_UNSATISFIABLE:
                # Nothing comes after the last byte: complete, or longer than the file; the checksum will tell.
                return
            response.raise_for_status()
            _receive(response, target, have if response.status_code == _PARTIAL else 0, on_progress)
    except httpx.HTTPStatusError as error:
        detail = f"{_host(url)} answered {error.response.status_code} for {_name(url)}"
        raise DownloadFailed(detail, hint="The file may have moved; fetch it by hand.") from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        detail = f"{_name(url)} could not be fetched from {_host(url)}: {str(error) or type(error).__name__}"
        raise DownloadFailed(detail, hint="Check the network and try again; what came is kept.") from error


def _client(url: str) -> httpx.Client:
    """A client that goes by the environment's proxies, which are looked at here and now."""
    try:
        return httpx.Client(timeout=_TIMEOUT, follow_redirects=True)
    except (ImportError, ValueError, httpx.InvalidURL) as error:
        detail = f"{_name(url)} could not be fetched: a proxy variable cannot be used ({error})"
        raise DownloadFailed(detail, hint="Look at HTTPS_PROXY and ALL_PROXY.") from error


def _receive(response: httpx.Response, target: Path, have: int, on_progress: OnProgress | None) -> None:
    length = response.headers.get("Content-Length")
    total = have + int(length) if length else 0
    done, told = have, 0.0
    with target.open("ab" if have else "wb") as file:
        # Written as it comes: a larger chunk would be lost when the connection ends in the middle of it.
        for chunk in response.iter_raw():
            file.write(chunk)
            done += len(chunk)
            now = time.monotonic()
            if on_progress is not None and (now - told >= _REPORT_SECONDS or done == total):
                told = now
                on_progress(done, total)
    if done < total:
        message = f"the connection ended after {done} of {total} bytes"
        raise httpx.ReadError(message)


def _host(url: str) -> str:
    return httpx.URL(url).host


def _name(url: str) -> str:
    return httpx.URL(url).path.rsplit("/", 1)[-1]
