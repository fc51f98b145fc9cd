"""Whether the identity provider answers that people sign in with, asked from this machine."""

import json
from http import HTTPStatus

import httpx

from store.errors import SettingsInvalid
from store.oidc import OidcClient, client_of
from store.settings import Settings

SECONDS = 5.0
MOST_BYTES = 512 * 1024
PLAIN = {"accept": "application/json", "accept-encoding": "identity"}


def look_at_provider(settings: Settings) -> dict[str, str]:
    """What the provider says, and as ``fault`` what is wrong, if anything is; empty where nobody signs in."""
    try:
        client = client_of(settings)
    except SettingsInvalid as error:
        return {"fault": f"{error.detail}. {error.hint or ''}".strip()}
    if client is None:
        return {}
    fault = _fault(client)
    said = {"issuer": client.issuer, "redirect address": client.redirect_address}
    return said | ({"state": "ok"} if fault is None else {"fault": f"Nobody can sign in: {fault}."})


def _fault(client: OidcClient) -> str | None:
    try:
        status, content = _read(client.discovery_address)
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        return f"{client.discovery_address} does not answer ({type(error).__name__})"
    if status != HTTPStatus.OK:
        return f"{client.discovery_address} answers {status}: look at PEDIGREE_OIDC_ISSUER"
    try:
        described = json.loads(content)
    except (ValueError, RecursionError):
        described = None
    if not isinstance(described, dict):
        return f"{client.discovery_address} does not answer as a provider does"
    if described.get("issuer") != client.issuer:
        return f"the provider calls itself {str(described.get('issuer'))[:200]!r}; set PEDIGREE_OIDC_ISSUER to that"
    for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
        fault = client.fault_of(described.get(name))
        if fault is not None:
            return f"its {name} {fault}"
    return None


def _read(address: str) -> tuple[int, bytes]:
    """The answer's status and its beginning; no redirect is followed, and no proxy that the shell names."""
    content = b""
    verify = httpx.create_ssl_context() if address.startswith("https:") else False
    made = httpx.Client(verify=verify, trust_env=False, follow_redirects=False, timeout=SECONDS)
    with made as http, http.stream("GET", address, headers=PLAIN) as answer:
        for piece in answer.iter_raw():
            content += piece
            if len(content) > MOST_BYTES:
                break
    return answer.status_code, content
