"""Keys: what one looks like, what is kept of it, and what it lets its holder do."""

import re
from enum import StrEnum
from hashlib import sha256
from secrets import token_urlsafe

SECRET_BYTES = 32
LOCAL = "local"
"""Who changes something where no key is asked for: a user of this machine, as far as is known."""
_KEY = re.compile(r"pdg_([1-9][0-9]{0,8})_([A-Za-z0-9_-]{43})")
_SESSION = re.compile(r"[A-Za-z0-9_-]{43}")


class Scope(StrEnum):
    """What a key is good for; each takes in the ones before it."""

    PREDICT = "predict"
    TRAIN = "train"
    ADMIN = "admin"

    def covers(self, needed: "Scope") -> bool:
        """Whether a key of this scope may do what needs the other."""
        order = list(Scope)
        return order.index(self) >= order.index(needed)


def new_secret() -> str:
    """256 random bits, as letters that pass in a header and a cookie."""
    return token_urlsafe(SECRET_BYTES)


def digest_of(secret: str) -> bytes:
    """What is kept of a secret.

    A plain hash: nobody can try 2**256 secrets, however quick each try is. A slow one, which passwords need because
    people choose them, would cost every request its time.
    """
    return sha256(secret.encode()).digest()


def written_key(key_id: int, secret: str) -> str:
    """The key as its holder is given it."""
    return f"pdg_{key_id}_{secret}"


def read_key(text: str) -> tuple[int, str] | None:
    """The number and the secret of a key; None where the text is none."""
    found = _KEY.fullmatch(text)
    return None if found is None else (int(found[1]), found[2])


def is_session(text: str) -> bool:
    """Whether the text may be the secret of a browser's session."""
    return _SESSION.fullmatch(text) is not None
