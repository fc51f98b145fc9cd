"""The key of a service: where it is found, and that no other service gets it.

It is the one that is given, else PEDIGREE_KEY, else what stands in the file that PEDIGREE_KEY_FILE names, else in
``~/.config/pedigree/key``. A file that others may read is refused.
"""

import os
import re
import stat
import sys
from collections.abc import Generator
from pathlib import Path

import httpx

from pedigree.errors import PedigreeError

_KEY = re.compile(r"[\x21-\x7e]{1,200}")
_MOST_BYTES = 1000


class UnusableKey(PedigreeError):
    """A key that cannot be sent, or lies where others read it."""


class KeyAuth(httpx.Auth):
    """Sends a key to one service; a request that leads elsewhere goes without."""

    def __init__(self, url: str, key: str) -> None:
        self._origin = _origin(httpx.URL(url))
        self._header = f"Bearer {key}"

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        if _origin(request.url) == self._origin:
            request.headers["Authorization"] = self._header
        yield request


def find_key(given: str | None = None) -> str | None:
    """The key to send; None where none is known.

    Raises:
        UnusableKey: it is none, or its file can be read by others, or not at all.
    """
    if given is not None:
        return _checked(given, "the key that was given")
    if named := os.environ.get("PEDIGREE_KEY"):
        return _checked(named, "PEDIGREE_KEY")
    file = os.environ.get("PEDIGREE_KEY_FILE")
    place = Path(file).expanduser() if file else _own_file()
    try:
        return None if place is None else _checked(_read(place), str(place))
    except FileNotFoundError:
        if file is None:
            return None
        raise _unusable(f"there is no file {place}", "Look at PEDIGREE_KEY_FILE.") from None
    except OSError as error:
        raise _unusable(f"{place} cannot be read ({error.strerror})", "Give the key as PEDIGREE_KEY.") from None


def _read(place: Path) -> str:
    with place.open(encoding="ascii", errors="replace") as file:
        about = os.fstat(file.fileno())
        if sys.platform != "win32" and stat.S_IMODE(about.st_mode) & 0o077:
            raise _unusable(f"{place} can be read by other users of this machine", f"Run `chmod 600 {place}`.")
        return file.read(_MOST_BYTES).strip()


def _checked(key: str, where: str) -> str:
    # What is wrong with it is not said by showing it.
    if not _KEY.fullmatch(key):
        raise _unusable(f"{where} has no key on one line", "Give it as `pedigree keys create` showed it.")
    return key


def _own_file() -> Path | None:
    named = os.environ.get("XDG_CONFIG_HOME", "")
    try:
        return (Path(named) if Path(named).is_absolute() else Path.home() / ".config") / "pedigree" / "key"
    except RuntimeError:  # the system knows no home of this user
        return None


def _unusable(detail: str, hint: str) -> UnusableKey:
    return UnusableKey(detail, code="unusable_key", hint=hint)


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port
