"""The ID token, what the provider signs about a person: nothing of it is believed before it is checked."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hmac import compare_digest
from typing import Any, Final

from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from api.sign_in.refusals import refused

SKEW_SECONDS = 60.0
"""Two clocks may differ so much."""
LATEST = 1e11
"""Of all times that a token may name: three thousand years from now."""
MOST_OF_TOKEN = 64 * 1024
MOST_KEYS = 50
LEAST_RSA_BITS, MOST_RSA_BITS = 2048, 8192
ALGORITHMS: Final = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"})
"""Signatures by a private key alone: neither ``none`` nor HS…, whose key is one that both sides know."""
MOST_OF_EXPONENT = 8
"""Letters: 65537 has four."""
_CURVES: Final = frozenset({"P-256", "P-384", "P-521"})
_PARTS: Final = {"RSA": ("n", "e"), "EC": ("crv", "x", "y")}

_REGISTRY = jws.JWSRegistry(algorithms=sorted(ALGORITHMS), strict_check_header=False)
_REGISTRY.max_header_length = _REGISTRY.max_payload_length = MOST_OF_TOKEN


@dataclass(frozen=True)
class SigningKey:
    """One of the provider's keys."""

    kid: str | None
    kind: str
    algorithm: str | None
    key: RSAKey | ECKey


@dataclass(frozen=True)
class ExpectedClaims:
    """What the claims must say."""

    issuer: str
    client_id: str
    nonce: str


def read_keys(document: Mapping[str, Any]) -> list[SigningKey]:
    """The keys of a provider's JWK set that can be used for signatures; what else it has is left out."""
    listed = document.get("keys")
    found = [_read_key(one) for one in listed[:MOST_KEYS]] if isinstance(listed, list) else []
    return [key for key in found if key is not None]


def kid_of(token: str) -> str | None:
    """Which key the token says it is signed with; None where it does not say.

    Raises:
        SignInRefused: it is no signed token, or its algorithm is not taken.
    """
    return _header(token)[1]


def read_id_token(token: str, keys: Sequence[SigningKey], expected: ExpectedClaims) -> dict[str, Any]:
    """The claims of a token that one of the keys has signed and that is meant for us, now, for this sign-in.

    Raises:
        SignInRefused: it is not, and why.
    """
    algorithm, kid = _header(token)
    kind = "EC" if algorithm.startswith("ES") else "RSA"
    fitting = [
        one.key
        for one in keys
        if one.kind == kind and one.algorithm in {None, algorithm} and (kid is None or one.kid == kid)
    ]
    for key in fitting:
        try:
            claims = jwt.decode(token, key, registry=_REGISTRY).claims
        except (JoseError, ValueError, RecursionError):
            continue
        _check(claims, expected)
        return claims
    raise refused("its ID token is not signed by one of the provider's keys")


def _header(token: str) -> tuple[str, str | None]:
    if len(token) > MOST_OF_TOKEN:
        raise refused("its ID token is too long")
    try:
        header = jws.extract_compact(token.encode(), registry=_REGISTRY).headers()
    except (JoseError, ValueError, RecursionError):
        raise refused("its ID token is no signed token") from None
    algorithm, kid = header.get("alg"), header.get("kid")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        raise refused("its ID token is not signed in a way that is taken here")
    return algorithm, _text(kid)


def _read_key(found: object) -> SigningKey | None:
    if not isinstance(found, dict) or found.get("use", "sig") != "sig":
        return None
    kind = found.get("kty")
    if not isinstance(kind, str) or kind not in _PARTS:
        return None
    # The public parts alone: whatever else stands there is nobody's business.
    parts = {name: _text(found.get(name)) or "" for name in _PARTS[kind]}
    try:
        key = _import_key(kind, parts)
    except (JoseError, ValueError):
        return None
    return None if key is None else SigningKey(_text(found.get("kid")), kind, _text(found.get("alg")), key)


def _import_key(kind: str, parts: Mapping[str, str]) -> RSAKey | ECKey | None:
    if kind == "EC":
        return ECKey.import_key({"kty": kind, **parts}) if parts["crv"] in _CURVES else None
    # Four letters are three bytes. A short key is easily guessed, a long one takes long.
    bits = 6 * len(parts["n"].rstrip("="))
    is_fit = LEAST_RSA_BITS <= bits <= MOST_RSA_BITS + 8 and len(parts["e"]) <= MOST_OF_EXPONENT
    return RSAKey.import_key({"kty": kind, **parts}) if is_fit else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _check(claims: Mapping[str, Any], expected: ExpectedClaims) -> None:
    now = time.time()
    for fault in (
        _fault_of_parties(claims, expected),
        _fault_of_times(claims, now),
        None if _is_same(claims.get("nonce"), expected.nonce) else "its ID token is not of this sign-in",
    ):
        if fault is not None:
            raise refused(fault)


def _fault_of_parties(claims: Mapping[str, Any], expected: ExpectedClaims) -> str | None:
    if claims.get("iss") != expected.issuer:
        return "its ID token is of another issuer"
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    if expected.client_id not in audiences:
        return "its ID token is meant for somebody else"
    # Where others may have it too, it has to say that it was made for us.
    wanted = {expected.client_id} if len(audiences) > 1 else {expected.client_id, None}
    party = claims.get("azp")
    is_ours = (party is None or isinstance(party, str)) and party in wanted
    return None if is_ours else "its ID token was made for somebody else"


def _fault_of_times(claims: Mapping[str, Any], now: float) -> str | None:
    expires, issued, begins = _time(claims.get("exp")), _time(claims.get("iat")), _time(claims.get("nbf", 0))
    if expires is None or issued is None or begins is None:
        return "its ID token does not say when it holds"
    if now > expires + SKEW_SECONDS:
        return "its ID token has expired"
    return "its ID token is of a time to come" if now < max(issued, begins) - SKEW_SECONDS else None


def _time(value: object) -> float | None:
    """Seconds since 1970; JSON as it is read here has NaN, too, which is neither before nor after anything."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value < LATEST else None


def _is_same(value: object, expected: str) -> bool:
    return isinstance(value, str) and compare_digest(value.encode(errors="replace"), expected.encode())
