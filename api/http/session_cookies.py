"""The cookie that holds a browser's session: a random secret, and nothing else."""

from typing import Final

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.responses import Response

from store.access import is_session

COOKIE: Final = "pedigree_session"
AT_ROOT: Final = f"__Host-{COOKIE}"
BELOW: Final = f"__Secure-{COOKIE}"
"""Browsers take these by TLS alone, the first only from this very host: no other page can plant one."""
_NAMES: Final = (AT_ROOT, BELOW, COOKIE)


def guarded_name(place: str, *, is_secure: bool) -> str:
    """What the cookie of a person who signs in is called, where the service has that path and is reached so."""
    if not is_secure:
        return COOKIE
    return BELOW if place.strip("/") else AT_ROOT


def sessions_shown(headers: Headers) -> list[str]:
    """The secrets of the browser's sessions; an older one may lie beside the one that is good."""
    if COOKIE not in headers.get("cookie", ""):
        return []
    found = cookie_parser(headers["cookie"])
    return [found[name] for name in _NAMES if is_session(found.get(name, ""))]


def give(answer: Response, name: str, secret: str, *, place: str, is_secure: bool) -> None:
    """Hand the session to the browser, for as long as that runs; no script reads it, and no other site sends it."""
    answer.set_cookie(name, secret, path=place or "/", secure=is_secure, httponly=True, samesite="strict")


def take_back(answer: Response, headers: Headers, *, place: str) -> None:
    """Have the browser forget what it shows of these."""
    shown = headers.get("cookie", "")
    for name in _NAMES:
        if name == COOKIE or name in shown:
            answer.delete_cookie(name, path=place or "/", secure=name != COOKIE, httponly=True, samesite="strict")
