"""One sign-in, from the way to the provider until the way back: all of it is in one cookie of the browser.

Nothing is stored here for it, so that who begins a million sign-ins fills nothing. What goes along with the browser is
made of the cookie's secret: ``state`` shows that the answer came back to the browser that asked, ``nonce`` that the
token is of this sign-in, and ``verifier`` that who brings the code is who asked for it (PKCE).
"""

import hmac
import re
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NoBase64
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Self
from urllib.parse import unquote

from store.access import is_session, new_secret

COOKIE: Final = "pedigree_sign_in"
AT_ROOT: Final = f"__Host-{COOKIE}"
BELOW: Final = f"__Secure-{COOKIE}"
MOST_SECONDS = 600
"""From the beginning until the provider's answer."""
MOST_OF_PLACE = 1000
_WRITTEN = re.compile(r"([0-9]{1,12})\.([A-Za-z0-9_-]{43})\.([A-Za-z0-9_-]{1,2000})")
# What a browser drops, or takes for a host's beginning, is in none.
_LOCAL = re.compile(r"/(?!/)[!-\[\]-~]*")


@dataclass(frozen=True)
class Attempt:
    """A sign-in that was begun; ``place`` is the path to go on at."""

    begun: int
    secret: str
    place: str

    @classmethod
    def begin(cls, place: str) -> Self:
        return cls(int(time.time()), new_secret(), place)

    @classmethod
    def read(cls, text: str) -> Self | None:
        """The one that a cookie holds; None where it holds none, or one that was begun too long ago."""
        found = _WRITTEN.fullmatch(text)
        if found is None or not is_session(found[2]) or not 0 <= time.time() - int(found[1]) + 1 <= MOST_SECONDS:
            return None
        try:
            place = urlsafe_b64decode(found[3] + "=" * (-len(found[3]) % 4)).decode("ascii")
        except (NoBase64, ValueError):
            return None
        return cls(int(found[1]), found[2], place) if is_local(place, "") else None

    def written(self) -> str:
        """As the cookie holds it."""
        return f"{self.begun}.{self.secret}.{_letters(self.place.encode())}"

    @property
    def state(self) -> str:
        """Goes to the provider and comes back; of the place too, which nobody can change on the way."""
        return self._made(f"state {self.begun} {self.place}")

    @property
    def nonce(self) -> str:
        """Goes to the provider and comes back inside the token."""
        return self._made("nonce")

    @property
    def verifier(self) -> str:
        """Goes to the provider with the code, from us to it."""
        return self._made("verifier")

    @property
    def challenge(self) -> str:
        """The verifier's hash, which goes to the provider first."""
        return _letters(sha256(self.verifier.encode()).digest())

    def _made(self, what: str) -> str:
        return _letters(hmac.digest(self.secret.encode(), what.encode(), "sha256"))


def is_local(place: str, root: str) -> bool:
    """Whether it is a path of this service, below its root, and can be nothing else to any browser."""
    is_path = len(place) <= MOST_OF_PLACE and _LOCAL.fullmatch(place) is not None and ".." not in unquote(place)
    return is_path and (not root or place == root or place.startswith(f"{root}/"))


def cookie_name(place: str, *, is_secure: bool) -> str:
    """What the cookie is called where the service has that path and is reached by TLS, or not."""
    if not is_secure:
        return COOKIE
    return BELOW if place.strip("/") else AT_ROOT


def _letters(content: bytes) -> str:
    return urlsafe_b64encode(content).decode().rstrip("=")
