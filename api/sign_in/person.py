"""Who signed in, and what their groups let them do."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from api.sign_in.refusals import SignInRefused, refused
from store.access import Scope
from store.oidc import OidcClient

_SUBJECT = re.compile(r"[ -~]{1,255}")
# The name of no key that is not itself an address has an @ in it, and `local` has none.
_ADDRESS = re.compile(r"[A-Za-z0-9][A-Za-z0-9._%+'-]{0,150}@[A-Za-z0-9.-]{1,100}")
MOST_GROUPS = 10_000


@dataclass(frozen=True)
class Person:
    """Somebody whom the provider vouches for."""

    subject: str
    name: str
    scope: Scope


def person_of(claims: Mapping[str, Any], client: OidcClient) -> Person:
    """Who the checked claims are about.

    Raises:
        SignInRefused: the claims name nobody, or somebody in none of the groups that are set.
    """
    subject = claims.get("sub")
    if not isinstance(subject, str) or not _SUBJECT.fullmatch(subject):
        raise refused("its ID token names nobody")
    name = _name(claims, subject, client)
    groups = _groups(claims, client.groups_claim)
    if groups is None:
        hint = "Who runs the service can have the provider put groups into the ID token, or set"
        detail = f"the identity provider does not say which groups {name} is in"
        raise SignInRefused(detail, f"{hint} PEDIGREE_OIDC_GROUPS_CLAIM to where they are.")
    scopes = [scope for scope in Scope if client.groups[scope] & groups]
    if not scopes:
        detail = f"the account {name} is in no group that may use this service"
        raise SignInRefused(detail, "Ask who runs it to add you to one, then sign in again.")
    return Person(subject, name, scopes[-1])


def _name(claims: Mapping[str, Any], subject: str, client: OidcClient) -> str:
    """The e-mail address, unless the provider says that it has not seen to whose it is."""
    address = claims.get("email")
    is_theirs = claims.get("email_verified") not in {False, "false"}
    if isinstance(address, str) and is_theirs and _ADDRESS.fullmatch(address):
        return address.lower()
    return f"{subject}@{urlsplit(client.issuer).hostname}"


def _groups(claims: Mapping[str, Any], place: str) -> frozenset[str] | None:
    """A name that has dots itself goes before a way through objects."""
    found: object = claims.get(place)
    if found is None:
        found = claims
        for part in place.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
    listed = [found] if isinstance(found, str) else found
    if not isinstance(listed, list):
        return None
    return frozenset(one for one in listed[:MOST_GROUPS] if isinstance(one, str))
