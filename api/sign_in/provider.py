"""The identity provider: where a browser signs in, and who came back."""

import asyncio
import logging
import re
from dataclasses import dataclass, field
from urllib.parse import quote_plus, urlencode, urlsplit, urlunsplit

import httpx

from api.sign_in.attempt import Attempt
from api.sign_in.directory import Description, Directory
from api.sign_in.fetching import ProviderResponse, fetch
from api.sign_in.id_token import ExpectedClaims, kid_of, read_id_token
from api.sign_in.person import Person, person_of
from api.sign_in.refusals import away, refused
from store.errors import AppError
from store.oidc import OidcClient

MOST_AT_ONCE = 8
"""Codes that are traded at once; each may take the provider's whole time."""
_PLAIN = re.compile(r"[a-z_]{1,40}")

logger = logging.getLogger(__name__)


@dataclass
class Provider:
    """Asks the provider; only who signs in waits for it."""

    client: OidcClient
    directory: Directory
    _trading: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MOST_AT_ONCE))

    @classmethod
    def of(cls, client: OidcClient) -> "Provider":
        """That of the settings; it is asked nothing yet."""
        return cls(client, Directory(client))

    async def address_for(self, attempt: Attempt) -> str:
        """Where the browser signs in.

        Raises:
            ProviderAway: the provider does not answer.
            ProviderUnfit: what it says of itself cannot be used.
        """
        asked = {
            "response_type": "code",
            "client_id": self.client.client_id,
            "redirect_uri": self.client.redirect_address,
            "scope": self.client.requested,
            "state": attempt.state,
            "nonce": attempt.nonce,
            "code_challenge": attempt.challenge,
            "code_challenge_method": "S256",
        }
        split = urlsplit((await self.directory.description()).authorization)
        return urlunsplit(split._replace(query="&".join(filter(None, (split.query, urlencode(asked))))))

    async def person(self, attempt: Attempt, code: str, issuer: str | None) -> Person:
        """Who came back with the code; ``issuer`` is by whom the answer says that it is.

        Raises:
            SignInRefused: nobody who may come in.
            ProviderAway: the provider does not answer.
            ProviderUnfit: what it says of itself cannot be used.
        """
        description = await self.directory.description()
        if issuer != self.client.issuer and (issuer is not None or description.names_issuer):
            raise refused("it is by another issuer")
        if self._trading.locked():
            raise away("is asked by as many at once as may")
        async with self._trading:
            token = await self._trade(description, attempt, code)
            keys = await self.directory.keys_for(kid_of(token))
        expected = ExpectedClaims(self.client.issuer, self.client.client_id, attempt.nonce)
        return person_of(read_id_token(token, keys, expected), self.client)

    async def _trade(self, description: Description, attempt: Attempt, code: str) -> str:
        client = self.client
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": client.redirect_address,
            "client_id": client.client_id,
            "code_verifier": attempt.verifier,
        }
        basic = None
        if client.secret and description.takes_basic:
            basic = (quote_plus(client.client_id), quote_plus(client.secret))
        elif client.secret:
            form["client_secret"] = client.secret
        found = await fetch(description.token, form, basic, seconds=self.directory.seconds)
        token = found.content.get("id_token")
        if found.status == httpx.codes.OK and isinstance(token, str):
            return token
        raise _not_traded(found)


def _not_traded(found: ProviderResponse) -> AppError:
    said = found.content.get("error")
    word = said if isinstance(said, str) and _PLAIN.fullmatch(said) else "no reason"
    logger.warning("the identity provider gave no ID token: %d, %s", found.status, word)
    if word in {"invalid_client", "unauthorized_client"}:
        return away(f"does not know this service ({word}); who runs it has to set its client or its secret right")
    return refused(f"it takes no such code ({word})" if word != "no reason" else "it has no ID token")
