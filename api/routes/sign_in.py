"""Sign-in by a company's own identity provider: the way there, and the way back."""

import logging
from hmac import compare_digest
from html import escape
from http import HTTPStatus
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import RedirectResponse, Response

from api.dependencies import Services, ServicesDep
from api.http.errors import app_error_response
from api.http.session_cookies import cookies, give, guarded_name
from api.schemas.sign_in import ProviderOut
from api.sign_in.attempt import MOST_OF_PLACE, MOST_SECONDS, Attempt, cookie_name, is_local
from api.sign_in.person import Person
from api.sign_in.refusals import SignInRefused, lost, refused
from store.db.audit import Change, begin_change
from store.db.sign_ins import begin_sign_in
from store.errors import AppError, InvalidRequest, NotFound
from store.request_ids import request_id

if TYPE_CHECKING:
    from api.sign_in.provider import Provider

router = APIRouter(include_in_schema=False, tags=["keys"])

MOST_OF_ANSWER = 4096
"""Letters of a code, or of anything else that comes back."""
UNKEPT = {"Cache-Control": "no-store"}
CALLBACK = "/sign-in/callback"

logger = logging.getLogger(__name__)


@router.get("/sign-in/provider")
async def get_the_provider(services: ServicesDep) -> ProviderOut:
    """Whom people sign in with, for who has no key yet."""
    if services.provider is None:
        return ProviderOut()
    client = services.provider.client
    return ProviderOut(name=client.name, address=client.begin_address)


@router.get("/sign-in", response_class=Response)
async def begin_to_sign_in(request: Request, services: ServicesDep) -> Response:
    """Send the browser to the provider; ``next`` is the path of this service where it goes on afterwards."""
    try:
        services.meter.count_address(request.scope)
        provider = _provider_of(services)
        attempt = Attempt.begin(_place_after(request, provider.client.place))
        answer = RedirectResponse(await provider.address_for(attempt), HTTPStatus.SEE_OTHER, UNKEPT)
    except AppError as error:
        return _told(request, services, error)
    client = provider.client
    answer.set_cookie(
        _attempt_cookie(provider),
        attempt.written(),
        max_age=MOST_SECONDS,
        path=client.place or "/",
        secure=client.is_secure,
        httponly=True,
        samesite="lax",  # the way back begins at the provider's page
    )
    return answer


@router.get(CALLBACK, response_class=Response)
async def come_back_from_the_provider(request: Request, services: ServicesDep) -> Response:
    """Take the provider's answer, and give the browser a session of who it vouches for."""
    try:
        services.meter.count_address(request.scope)
        provider = _provider_of(services)
        attempt = _attempt_of(request, provider)
        person = await provider.person(attempt, _code_of(request), request.query_params.get("iss"))
        secret = await run_in_threadpool(_begin, services, provider, person, request)
    except AppError as error:
        return _told(request, services, error)
    client = provider.client
    answer = RedirectResponse(attempt.place, HTTPStatus.SEE_OTHER, UNKEPT)
    name = guarded_name(client.place, is_secure=client.is_secure)
    give(answer, name, secret, place=client.place, is_secure=client.is_secure)
    _forget(answer, provider)
    return answer


def _provider_of(services: Services) -> "Provider":
    if services.provider is None:
        raise NotFound("nobody signs in here by an identity provider", "Use a key: Authorization: Bearer KEY.")
    return services.provider


def _place_after(request: Request, root: str) -> str:
    place = request.query_params.get("next", f"{root}/ui/")
    if not is_local(place, root):
        hint = "Leave it out, or give a path such as /ui/runs."
        shown = place[:MOST_OF_PLACE]
        raise InvalidRequest("it is no path of this service", hint, field="query.next", value=shown)
    return place


def _attempt_of(request: Request, provider: "Provider") -> Attempt:
    state = request.query_params.get("state", "")[:MOST_OF_ANSWER]
    for _, text in cookies(request.headers, _attempt_cookie(provider)):
        attempt = Attempt.read(text)
        if attempt is not None and compare_digest(state.encode(), attempt.state.encode()):
            return attempt
    raise lost()


def _code_of(request: Request) -> str:
    query = request.query_params
    error = query.get("error")
    if error is not None:
        why = error if error.isascii() and error.replace("_", "").isalpha() else "no reason that can be told"
        raise refused(f"it refuses ({why[:40]})")
    code = query.get("code", "")
    if not code or len(code) > MOST_OF_ANSWER or not code.isprintable():
        raise refused("it has no code")
    return code


def _begin(services: Services, provider: "Provider", person: Person, request: Request) -> str:
    """Called in a thread. The record of changes has it in the same transaction."""
    begin_change(
        Change(
            who=person.name,
            operation=f"GET {CALLBACK}",
            target=CALLBACK,
            address=None if request.client is None else request.client.host,
            request_id=request_id(),
        )
    )
    client = provider.client
    with services.sessions.begin() as session:
        secret, _ = begin_sign_in(
            session,
            issuer=client.issuer,
            subject=person.subject,
            name=person.name,
            scope=person.scope,
            life=client.session,
        )
    services.keyring.refresh()
    logger.info("%s signed in, with the scope %s", person.name, person.scope)
    return secret


def _attempt_cookie(provider: "Provider") -> str:
    return cookie_name(provider.client.place, is_secure=provider.client.is_secure)


def _forget(answer: Response, provider: "Provider") -> None:
    client = provider.client
    answer.delete_cookie(
        _attempt_cookie(provider), path=client.place or "/", secure=client.is_secure, httponly=True, samesite="lax"
    )


def _told(request: Request, services: Services, error: AppError) -> Response:
    """A refusal, for a person where a browser asks. A provider that is away may be asked the same once more."""
    if isinstance(error, SignInRefused):
        logger.info("nobody was signed in: %s", error.detail)
    if "text/html" in request.headers.get("accept", ""):
        answer = Response(_page(error, services.settings.root_path), error.status, dict(error.headers), "text/html")
    else:
        answer = app_error_response(error)
    answer.headers.update(UNKEPT)
    if services.provider is not None and error.status < HTTPStatus.INTERNAL_SERVER_ERROR:
        _forget(answer, services.provider)
    return answer


def _page(error: AppError, root: str) -> str:
    said = escape(f"{error.detail[:1].upper()}{error.detail[1:]}.")
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(error.title)} – Pedigree</title>\n"
        f'<link rel="icon" href="data:,">\n<link rel="stylesheet" href="{root}/ui/assets/frame/page.css">\n</head>\n'
        f"<body>\n<main>\n<section>\n<h1>{escape(error.title)}</h1>\n<p>{said}</p>\n<p>{escape(error.hint or '')}</p>\n"
        f'<p><a href="{root}/ui/">To the page</a></p>\n</section>\n</main>\n</body>\n</html>\n'
    )
