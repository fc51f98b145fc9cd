"""Keys: made, listed and revoked, and the session that a browser has in place of one."""

from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request, Response

from api.dependencies import ServicesDep, SliceDep
from api.http.access import ANYBODY, CALLER, Caller
from api.http.session_cookies import COOKIE, give, sessions_shown, take_back
from api.http.tables import TableRoute
from api.schemas.fields import Id, PageOut
from api.schemas.keys import KeyMade, KeyOut, NewKey, SessionOut
from api.schemas.problem import problems
from store.access import digest_of
from store.db.access_keys import begin_session, create_key, end_session, list_keys, revoke_key
from store.db.sign_ins import end_sign_in
from store.errors import StateConflict

router = APIRouter(tags=["keys"], route_class=TableRoute)

SESSION_LIFE = timedelta(hours=12)
UNKEPT = {"Cache-Control": "no-store"}


async def caller_of(request: Request) -> Caller:
    """Who sent the request."""
    caller: Caller = request.scope.get(CALLER, ANYBODY)
    return caller


CallerDep = Annotated[Caller, Depends(caller_of)]


@router.post("/keys", status_code=201, responses=problems(409, 413, 415))
def create_a_key(asked: NewKey, services: ServicesDep, caller: CallerDep, response: Response) -> KeyMade:
    """Make a key. The answer has the key itself, which is shown this once."""
    with services.sessions.begin() as session:
        key, written = create_key(
            session, name=asked.name, scope=asked.scope, expires_at=asked.expires_at, created_by=caller.name
        )
    services.keyring.refresh()
    response.headers.update(UNKEPT)
    return KeyMade.shown(key, written)


@router.get("/keys", responses=problems(400))
def list_the_keys(services: ServicesDep, part: SliceDep) -> PageOut[KeyOut]:
    """Keys, the newest first, with those that are no good any more."""
    with services.sessions.begin() as session:
        page = list_keys(session, cursor=part.cursor, limit=part.limit)
    return PageOut(items=[KeyOut.of(key) for key in page.items], next_cursor=page.next_cursor)


@router.delete("/keys/{key_id}", responses=problems(404))
def revoke_a_key(key_id: Annotated[Id, Path()], services: ServicesDep) -> KeyOut:
    """End a key and the sessions begun with it, here at once and within a second in other API processes.

    Its row stays, as the record of changes names it. The same again changes nothing.
    """
    with services.sessions.begin() as session:
        key = revoke_key(session, key_id)
    services.keyring.refresh()
    return KeyOut.of(key)


@router.get("/session")
async def get_the_session(caller: CallerDep) -> SessionOut:
    """Who the service takes the caller for; `is_open` where no key was shown and none is asked for."""
    return _session(caller)


@router.post("/session", status_code=201, responses=problems(409))
def begin_a_session(request: Request, services: ServicesDep, caller: CallerDep, response: Response) -> SessionOut:
    """Give a browser a cookie in place of the key that the header Authorization has.

    Images, downloads and streams of events cannot send that header. The cookie is for this service's pages alone; no
    script can read it, and it ends with the browser, with its key, or after 12 hours.
    """
    # A session cannot be made of another, or one that was stolen would never end.
    if caller.key is None or not request.headers.get("authorization", "").lower().startswith("bearer "):
        raise StateConflict("no key was shown", "Send one as Authorization: Bearer KEY.")
    with services.sessions.begin() as session:
        secret, ends = begin_session(session, caller.key.id, life=SESSION_LIFE)
    services.keyring.refresh()
    # What a proxy says of the scheme is believed of one on this machine alone; the browser says it too.
    is_secure = request.url.scheme == "https" or request.headers.get("origin", "").startswith("https:")
    give(response, COOKIE, secret, place=services.settings.root_path, is_secure=is_secure)
    response.headers.update(UNKEPT)
    return _session(caller, ends)


@router.delete("/session", status_code=204, response_class=Response)
def end_the_session(request: Request, services: ServicesDep) -> Response:
    """End the browser's session and take its cookie back; at the identity provider nobody is signed out."""
    secrets = sessions_shown(request.headers)
    if secrets:
        with services.sessions.begin() as session:
            for digest in map(digest_of, secrets):
                end_session(session, digest)
                end_sign_in(session, digest)
        services.keyring.refresh()
    answer = Response(status_code=204)
    take_back(answer, request.headers, place=services.settings.root_path)
    return answer


def _session(caller: Caller, ends: datetime | None = None) -> SessionOut:
    who = caller.who
    return SessionOut(is_open=who is None, key=None if who is None else who.name, scope=caller.scope, expires_at=ends)
