"""What the provider says of itself, its addresses and its keys: read when somebody signs in, held for an hour."""

import asyncio
import copy
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx

from api.sign_in.fetching import SECONDS, fetch
from api.sign_in.id_token import SigningKey, read_keys
from api.sign_in.refusals import AWAY_SECONDS, away, unfit
from store.errors import AppError
from store.oidc import OidcClient

HOLDS_SECONDS = 3600.0
"""What was read holds so long; a key that the provider took out is good no longer."""
REST_SECONDS = 30.0
"""A token that names an unknown key has the keys read again, so often at most."""
_LONG_AGO = -1e9

Read = TypeVar("Read")

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Description:
    """What is used of the provider's description; its addresses are checked."""

    authorization: str
    token: str
    keys: str
    takes_basic: bool
    """Whether our secret may go into the header Authorization; into the form otherwise."""
    names_issuer: bool
    """Whether each of its answers says by whom it is (RFC 9207)."""


@dataclass
class Directory:
    """Asks once for all who wait, and rests after a failure."""

    client: OidcClient
    seconds: float = SECONDS
    _description: Description | None = None
    _described_at: float = _LONG_AGO
    _keys: Sequence[SigningKey] = ()
    _keys_at: float = _LONG_AGO
    _failure: AppError | None = None
    _failed_at: float = _LONG_AGO
    _reading: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def description(self) -> Description:
        """The provider's addresses.

        Raises:
            ProviderAway: it does not answer.
            ProviderUnfit: what it says cannot be used.
        """
        async with self._reading:
            return await self._describe()

    async def keys_for(self, kid: str | None) -> Sequence[SigningKey]:
        """The provider's keys; read again where none has the name, as after a change of keys.

        Raises:
            ProviderAway: it does not answer.
            ProviderUnfit: what it says cannot be used.
        """
        async with self._reading:
            described = await self._describe()
            is_known = kid is None or any(one.kid == kid for one in self._keys)
            if time.monotonic() - self._keys_at >= (HOLDS_SECONDS if is_known else REST_SECONDS):
                self._keys = await self._once(lambda: self._read_keys(described.keys))
                self._keys_at = time.monotonic()
            return self._keys

    async def _describe(self) -> Description:
        if self._description is None or time.monotonic() - self._described_at >= HOLDS_SECONDS:
            self._description = await self._once(self._read_description)
            self._described_at = time.monotonic()
        return self._description

    async def _once(self, read: Callable[[], Awaitable[Read]]) -> Read:
        """What is read; soon after a failure the same failure, unasked."""
        if self._failure is not None and time.monotonic() - self._failed_at < AWAY_SECONDS:
            raise copy.copy(self._failure)
        try:
            return await read()
        except AppError as error:
            logger.warning("nobody can sign in: %s", error.detail)
            self._failure, self._failed_at = copy.copy(error), time.monotonic()
            raise

    async def _read_description(self) -> Description:
        found = await fetch(self.client.discovery_address, seconds=self.seconds)
        if found.status != httpx.codes.OK or not found.content:
            raise away(f"does not describe itself at {self.client.discovery_address}")
        return described(found.content, self.client)

    async def _read_keys(self, address: str) -> Sequence[SigningKey]:
        found = await fetch(address, seconds=self.seconds)
        if found.status != httpx.codes.OK:
            raise away(f"does not show its keys, but answers {found.status}")
        keys = read_keys(found.content)
        if not keys:
            raise unfit("it shows no key that can be used")
        return keys


def described(content: Mapping[str, Any], client: OidcClient) -> Description:
    """What of a provider's description is used.

    Raises:
        ProviderUnfit: it is of another issuer, or names an address that is not the provider's.
    """
    if content.get("issuer") != client.issuer:
        raise unfit(
            f"its issuer is {str(content.get('issuer'))[:200]!r}, and PEDIGREE_OIDC_ISSUER is {client.issuer!r}"
        )
    addresses = {name: content.get(name) for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")}
    for name, address in addresses.items():
        fault = client.fault_of(address)
        if fault is not None:
            raise unfit(f"{name} {fault}")
    ways = content.get("token_endpoint_auth_methods_supported")
    authorization, token, keys = map(str, addresses.values())
    return Description(
        authorization,
        token,
        keys,
        takes_basic=not isinstance(ways, list) or "client_secret_basic" in ways,
        names_issuer=content.get("authorization_response_iss_parameter_supported") is True,
    )
