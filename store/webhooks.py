"""Webhooks: what may be told to whom, which hosts an operator allows, and the signature.

The signature is that of Standard Webhooks, so that receivers have libraries for it.
"""

import re
from base64 import b64decode, b64encode
from collections.abc import Iterable
from enum import StrEnum
from hashlib import sha256
from hmac import digest
from ipaddress import IPv4Address, IPv6Address, ip_address
from secrets import token_bytes
from typing import Final, NamedTuple

from store.states import State

MOST_OF_URL = 2000
_SECRET_BYTES = 32
_PORTS: Final = {"https": 443, "http": 80}
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_PLACE = rf"({_LABEL}(?:\.{_LABEL})*|\[[0-9A-Fa-f:.]+\])(?::([0-9]{{1,5}}))?"
_ENTRY = re.compile(rf"(?:(https?)://)?{_PLACE}")
# No user, no fragment, no backslash: no two readers find two hosts in what is left.
_URL = re.compile(rf"(https?)://{_PLACE}(?:/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*)?(?:\?[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)?")


class Event(StrEnum):
    """What a receiver is told of."""

    SUCCEEDED = "job.succeeded"
    FAILED = "job.failed"
    CANCELLED = "job.cancelled"
    TEST = "webhook.test"

    @classmethod
    def of(cls, state: State) -> "Event":
        """The end in that final state."""
        return cls(f"job.{state}")


class Origin(NamedTuple):
    """Scheme, host and port: what decides whether an address may be called."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}{'' if self.port == _PORTS[self.scheme] else f':{self.port}'}"


def origins_of(entry: str) -> frozenset[Origin]:
    """What one entry of PEDIGREE_WEBHOOK_HOSTS allows; nothing where it is no host.

    Without a scheme it is https, and http too where the host is this machine's own.
    """
    found = _ENTRY.fullmatch(entry)
    if found is None:
        return frozenset()
    scheme, host, port = found.groups()
    schemes = [scheme] if scheme else ["https", "http"] if _is_loopback(_plain_host(host)) else ["https"]
    return frozenset(origin for one in schemes if (origin := _origin(one, host, port)) is not None)


def allowed_origins(entries: Iterable[str]) -> frozenset[Origin]:
    """What all entries together allow."""
    return frozenset().union(*map(origins_of, entries))


def origin_of(url: str) -> Origin | None:
    """Where a URL leads; None where it is none that could be called."""
    found = _URL.fullmatch(url)
    return None if found is None or len(url) > MOST_OF_URL else _origin(*found.groups())


def new_secret() -> str:
    """A secret to sign with, as its receiver is given it."""
    return f"whsec_{b64encode(token_bytes(_SECRET_BYTES)).decode()}"


def signed_headers(secret: str, message: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The headers by which a receiver knows who sent the body, and when.

    Args:
        secret: as :func:`new_secret` made it.
        message: the delivery's own id, the same at each try.
        timestamp: of this try, in seconds since 1970.
        body: as it is sent, to the byte.
    """
    key = b64decode(secret.removeprefix("whsec_"))
    signature = b64encode(digest(key, f"{message}.{timestamp}.".encode() + body, sha256)).decode()
    return {"webhook-id": message, "webhook-timestamp": str(timestamp), "webhook-signature": f"v1,{signature}"}


def _origin(scheme: str, host: str, port: str | None) -> Origin | None:
    plain, number = _plain_host(host), int(port or _PORTS[scheme])
    if plain is None or not 1 <= number < 2**16:
        return None
    return Origin(scheme, plain, number)


def _plain_host(host: str) -> str | None:
    """As it is compared: small letters, an address of IPv6 in its short form; None where it is none.

    What is digits and dots alone has to be an address: what calls the host would refuse it.
    """
    try:
        if host.startswith("["):
            return str(IPv6Address(host[1:-1]))
        if not host.strip("0123456789."):
            return str(IPv4Address(host))
    except ValueError:
        return None
    return host.lower()


def _is_loopback(host: str | None) -> bool:
    if host is None or host == "localhost":
        return host is not None
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
