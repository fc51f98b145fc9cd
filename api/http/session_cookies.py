"""The cookie that holds a browser's session: a random secret, and nothing else."""

import re
from collections.abc import Iterator
from typing import Final

from starlette.datastructures import Headers
from starlette.responses import Response

from store.access import is_session

COOKIE: Final = "pedigree_session"
AT_ROOT: Final = f"__Host-{COOKIE}"
BELOW: Final = f"__Secure-{COOKIE}"
"""Browsers take these by TLS alone, the first only from this very host: no other page can plant one."""
_NAMES: Final = (AT_ROOT, BELOW, COOKIE)
_NAMED: Final = re.compile(r"(?:^|;)[ \t]*([^=; \t]+)=([^;]*)")
MOST_SHOWN: Final = 16
"""Sessions that are looked up for one request; a browser shows one for each path that a service had here."""


def cookies(headers: Headers, *names: str) -> Iterator[tuple[str, str]]:
    """Each cookie of these names with its value, in the order sent; two paths of one host may share a name.

    Values are as they stand, since ours have no quotes. Those that Python before 3.11.10 and 3.12.6 takes off take it
    time that is quadratic in their length: seconds for one head.
    """
    text = ";".join(headers.getlist("cookie"))
    if any(name in text for name in names):
        for found in _NAMED.finditer(text):
            if found[1] in names:
                yield found[1], found[2].strip()


def guarded_name(place: str, *, is_secure: bool) -> str:
    """What the cookie of a person who signs in is called, where the service has that path and is reached so."""
    if not is_secure:
        return COOKIE
    return BELOW if place.strip("/") else AT_ROOT


def sessions_shown(headers: Headers) -> list[str]:
    """The secrets of the browser's sessions; an older one may lie beside the one that is good."""
    fitting = (one for one in cookies(headers, *_NAMES) if is_session(one[1]))
    # Sorted before they are cut: cookies that a sibling host planted push out none that only this host can give.
    by_name = sorted(fitting, key=lambda one: _NAMES.index(one[0]))
    return [secret for _, secret in by_name[:MOST_SHOWN]]


def give(answer: Response, name: str, secret: str, *, place: str, is_secure: bool) -> None:
    """Hand the session to the browser, for as long as that runs; no script reads it, and no other site sends it."""
    answer.set_cookie(name, secret, path=place or "/", secure=is_secure, httponly=True, samesite="strict")


def take_back(answer: Response, headers: Headers, *, place: str) -> None:
    """Have the browser forget what it shows of these."""
    shown = headers.get("cookie", "")
    for name in _NAMES:
        if name == COOKIE or name in shown:
            answer.delete_cookie(name, path=place or "/", secure=name != COOKIE, httponly=True, samesite="strict")
