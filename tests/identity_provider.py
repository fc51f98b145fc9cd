"""An OpenID Connect provider on loopback that checks what it is sent; a test may have it answer wrongly."""

import json
import threading
import time
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from secrets import token_urlsafe
from typing import Any
from urllib.parse import parse_qs, unquote_plus, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

CLIENT, SECRET = "pedigree", "a-secret+of/the:client%"
Claims = dict[str, Any]


def letters(content: bytes) -> str:
    return urlsafe_b64encode(content).decode().rstrip("=")


@dataclass
class IdentityProvider:
    """Signs in whomever ``claims`` are about, without asking."""

    url: str
    redirect_address: str = "http://localhost/sign-in/callback"
    key: ECKey | RSAKey = field(default_factory=lambda: ECKey.generate_key("P-256", {"kid": "one"}))
    algorithm: str = "ES256"
    claims: Claims = field(
        default_factory=lambda: {"sub": "7", "email": "Alice@example.org", "groups": ["pets", "others"]}
    )
    described: Claims = field(default_factory=dict)
    """In place of what it would say of itself."""
    token: Callable[[Claims], str] | None = None
    """In place of its signature."""
    change: Mapping[str, Any] = field(default_factory=dict)
    """In place of the token's own claims; None leaves one out."""
    status: int = 200
    """Of all answers but the authorization page's."""
    redirect: str | None = None
    """Where all these answers lead, with the status."""
    asked: list[str] = field(default_factory=list)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    secrets_seen: list[str] = field(default_factory=list)
    """What must be in no log."""

    def answer(self, method: str, path: str, form: dict[str, str], authorization: str) -> tuple[int, Any]:
        self.asked.append(f"{method} {path}")
        if self.status != 200:
            return self.status, {}
        match method, path:
            case "GET", "/.well-known/openid-configuration":
                return 200, self._description()
            case "GET", "/keys":
                return 200, {"keys": [self.key.as_dict(private=False) | {"use": "sig"}, {"kty": "oct", "k": "AAAA"}]}
            case "POST", "/token":
                return self._trade(form, authorization)
        return 404, {}

    def authorize(self, asked: dict[str, str]) -> str:
        """Where the browser is sent back to."""
        self.asked.append("GET /authorize")
        assert (asked["client_id"], asked["redirect_uri"]) == (CLIENT, self.redirect_address)
        assert (asked["response_type"], asked["code_challenge_method"]) == ("code", "S256")
        assert "openid" in asked["scope"].split()
        code = token_urlsafe()
        self.codes[code] = asked
        self.secrets_seen += [code, asked["state"], asked["nonce"]]
        return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state'], 'session_state': 'x'})}"

    def _description(self) -> Claims:
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize?theme=plain",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
            **self.described,
        }

    def _trade(self, form: dict[str, str], authorization: str) -> tuple[int, Any]:
        name, _, secret = b64decode(authorization.removeprefix("Basic ")).decode().partition(":")
        asked = self.codes.pop(form["code"], None)
        self.secrets_seen += [form["code_verifier"], SECRET]
        shown = (unquote_plus(name), unquote_plus(secret)) if authorization else (CLIENT, form.get("client_secret"))
        if shown != (CLIENT, SECRET):
            return 401, {"error": "invalid_client"}
        challenge = letters(sha256(form["code_verifier"].encode()).digest())
        if asked is None or (asked["code_challenge"], asked["redirect_uri"]) != (challenge, form["redirect_uri"]):
            return 400, {"error": "invalid_grant", "error_description": "<b>no</b>"}
        now = int(time.time())
        own = {"iss": self.url, "aud": CLIENT, "nonce": asked["nonce"], "iat": now, "exp": now + 300}
        claims = {name: one for name, one in {**own, **self.claims, **self.change}.items() if one is not None}
        token = self.signed(claims) if self.token is None else self.token(claims)
        self.secrets_seen.append(token)
        return 200, {"id_token": token, "access_token": "unused", "token_type": "Bearer"}

    def signed(self, claims: Claims) -> str:
        header = {"alg": self.algorithm} | ({"kid": self.key.kid} if self.key.kid else {})
        return jwt.encode(header, claims, self.key, algorithms=[self.algorithm])


@contextmanager
def providing() -> Iterator[IdentityProvider]:
    """A provider while the block lasts."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            split = urlsplit(self.path)
            if split.path == "/authorize":
                place = provider.authorize({name: values[0] for name, values in parse_qs(split.query).items()})
                self._send(302, {}, place)
            else:
                self._send(*provider.answer("GET", split.path, {}, ""), provider.redirect)

        def do_POST(self) -> None:
            sent = parse_qs(self.rfile.read(int(self.headers["content-length"])).decode())
            form = {name: values[0] for name, values in sent.items()}
            self._send(*provider.answer("POST", self.path, form, self.headers.get("authorization", "")))

        def _send(self, status: int, content: Any, place: str | None = None) -> None:  # noqa: ANN401 - whatever JSON holds
            body = json.dumps(content).encode()
            self.send_response(status)
            if place is not None:
                self.send_header("location", place)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    provider = IdentityProvider(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
