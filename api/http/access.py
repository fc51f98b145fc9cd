"""Who may come in: each request is held against the table of scopes before its body is read."""

import time
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Final, Self

from anyio import CapacityLimiter, to_thread
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from api.http.errors import app_error_response
from api.http.keyring import AccessSnapshot, Keyring
from api.http.meter import ALLOWANCE, UNMETERED, Allowance, Meter
from api.http.paths import route_path
from api.http.scopes import JUDGED, Rule, Scopes, unlisted
from api.http.session_cookies import COOKIE, sessions_shown
from store import access
from store.db.access_keys import KeyInUse
from store.db.sign_ins import PersonInUse
from store.errors import AppError, ServiceUnavailable

CALLER: Final = "pedigree.caller"
"""Under this name a request's scope has who sent it."""
_TELLS_OF_ITSELF = frozenset({"/readyz", "/metrics"})


class Openness(StrEnum):
    """Where nobody is asked for a key."""

    ALWAYS = "always"
    UNTIL_A_KEY_IS_MADE = "until_a_key_is_made"
    NEVER = "never"


class KeyNeeded(AppError):
    """The request shows no key, or one that is not good."""

    status = 401
    code = "key_needed"
    title = "Key needed"


class ScopeMissing(AppError):
    """The key is good, and not for this."""

    status = 403
    code = "scope_missing"
    title = "Scope missing"


@dataclass(frozen=True)
class Caller:
    """Who sent a request, and what they may do; both are None where nobody was asked and nothing was shown."""

    scope: access.Scope
    key: KeyInUse | None = None
    person: PersonInUse | None = None

    @classmethod
    def of(cls, who: KeyInUse | PersonInUse) -> Self:
        """Who showed a key or a session of one, or who signed in."""
        return cls(who.scope, person=who) if isinstance(who, PersonInUse) else cls(who.scope, key=who)

    @property
    def who(self) -> KeyInUse | PersonInUse | None:
        return self.key or self.person

    @property
    def name(self) -> str:
        """For the record: the key's name, or the person's."""
        return access.LOCAL if self.who is None else self.who.name


ANYBODY = Caller(access.Scope.ADMIN)


class Access:
    """ASGI middleware: finds out who sends a request, and refuses it where they may not."""

    def __init__(self, app: ASGIApp, *, keyring: Keyring, scopes: Scopes, openness: Openness, meter: Meter) -> None:
        self.app = app
        self.meter = meter
        self.keyring = keyring
        self.scopes = scopes
        self.openness = openness
        self._looking = CapacityLimiter(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass on with the caller's name."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path = route_path(scope)
        needed, operation = self.scopes.needed(scope["method"], path)
        try:
            if needed is Rule.UNLISTED:
                raise unlisted(scope["method"], path)
            if needed is not Rule.OPEN:
                headers = Headers(scope=scope)
                scope[CALLER] = caller = await self._caller(scope, headers, path)
                if operation not in UNMETERED:
                    scope[ALLOWANCE] = allowance = self._count(scope, headers)
                    send = send if allowance is None else allowance.on(send)
                if isinstance(needed, access.Scope) and caller.who is not None and not caller.who.scope.covers(needed):
                    raise _scope_missing(caller.who, needed)
        except AppError as refusal:
            await app_error_response(refusal)(scope, receive, send)
            return
        if operation is not None:
            scope[JUDGED] = operation
        await self.app(scope, receive, send)

    async def _caller(self, scope: Scope, headers: Headers, path: str) -> Caller:
        known = self.keyring.now_known() or await run_in_threadpool(self.keyring.learned)
        if known is None:
            return self._unknown(path)
        who = shown_by(headers, known)
        if who is None and "authorization" not in headers:
            known, is_read = await self._looked_again(headers, known)
            who = shown_by(headers, known)
            if who is None and not is_read and not self._is_open(known):
                self.meter.count_address(scope)
                raise _nobody_knows()
        if who is None:
            if self._is_open(known):
                return ANYBODY
            # Who tries keys is counted, too.
            self.meter.count_address(scope)
            raise _key_needed(headers)
        if isinstance(who, KeyInUse):
            self.keyring.note_use(who)
        return Caller.of(who)

    async def _looked_again(self, headers: Headers, known: AccessSnapshot) -> tuple[AccessSnapshot, bool]:
        """What is on record now, where a session is shown that another process may have begun.

        Returns:
            What is known, and whether it is all that there was when this was asked.
        """
        secrets = sessions_shown(headers)
        if not self.keyring.is_new(secrets):
            return known, True
        asked_at = time.monotonic()
        look = partial(self.keyring.looked_again, asked_at)
        found = await to_thread.run_sync(look, limiter=self._looking) or known
        is_read = found.read_at > asked_at
        if is_read and shown_by(headers, found) is None:
            self.keyring.note_strangers(secrets)
        return found, is_read

    def _count(self, scope: Scope, headers: Headers) -> Allowance | None:
        who = scope[CALLER].who
        if who is None:
            return self.meter.count_address(scope)
        if isinstance(who, PersonInUse):
            return self.meter.count_person(who.counted_as, who.name)
        return self.meter.count_key(who.id, who.name, by_page="authorization" not in headers)

    def _is_open(self, known: AccessSnapshot) -> bool:
        if self.openness is Openness.UNTIL_A_KEY_IS_MADE:
            return not known.any_made
        return self.openness is Openness.ALWAYS

    def _unknown(self, path: str) -> Caller:
        """Who asks while nobody knows whether there are keys."""
        if self.openness is Openness.ALWAYS:
            return ANYBODY
        if self.openness is Openness.UNTIL_A_KEY_IS_MADE and path in _TELLS_OF_ITSELF:
            return ANYBODY
        raise _nobody_knows()


def shown_by(headers: Headers, known: AccessSnapshot) -> KeyInUse | PersonInUse | None:
    """Whose key or session a request shows; None where none is shown that is good."""
    kind, _, text = headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer":
        found = access.read_key(text.strip())
        return None if found is None else known.by_key(*found)
    for secret in sessions_shown(headers):
        who = known.by_session(secret)
        if who is not None:
            return who
    return None


def _nobody_knows() -> ServiceUnavailable:
    hint = "Try again when it does."
    return ServiceUnavailable("the database does not answer, which knows the keys", hint, {"Retry-After": "2"})


def _key_needed(headers: Headers) -> KeyNeeded:
    hint = "Send one as Authorization: Bearer KEY; the command and the Python client read it from PEDIGREE_KEY or from "
    hint += "~/.config/pedigree/key. Who runs the service makes keys with `pedigree keys create`."
    if "authorization" not in headers and COOKIE not in headers.get("cookie", ""):
        return KeyNeeded("this needs a key", hint, {"WWW-Authenticate": 'Bearer realm="pedigree"'})
    told = {"WWW-Authenticate": 'Bearer realm="pedigree", error="invalid_token"'}
    return KeyNeeded("the key is not one of this service, was revoked, or has expired", hint, told)


def _scope_missing(who: KeyInUse | PersonInUse, needed: access.Scope) -> ScopeMissing:
    told = {"WWW-Authenticate": f'Bearer realm="pedigree", error="insufficient_scope", scope="{needed}"'}
    detail = f"this needs a key of the scope {needed}, and {who.name} has {who.scope}"
    if isinstance(who, PersonInUse):
        return ScopeMissing(detail, "Who runs the identity provider can add you to a group that may do more.", told)
    return ScopeMissing(detail, f"Use a key of the scope {needed}.", told)
