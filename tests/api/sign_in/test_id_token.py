"""What of tokens, keys and descriptions is believed, without an app."""

import math
import time

import pytest
from joserfc.jwk import ECKey, RSAKey

from api.sign_in import id_token
from api.sign_in.attempt import Attempt
from api.sign_in.directory import described
from api.sign_in.id_token import ExpectedClaims, read_id_token, read_keys
from api.sign_in.refusals import ProviderUnfit, SignInRefused
from store.oidc import OidcClient, client_of
from tests.api.sign_in.conftest import SetFor
from tests.identity_provider import Claims, IdentityProvider, letters

EXPECTED = ExpectedClaims("https://id.example.org", "pedigree", "nonce")


def claims(**change: object) -> Claims:
    now = time.time()
    own = {"iss": EXPECTED.issuer, "aud": ["pedigree"], "azp": "pedigree", "nonce": "nonce", "sub": "7"}
    return own | {"iat": now + 30, "exp": now - 30} | change


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES384"])
def test_a_token_signed_by_a_key_of_the_provider_is_believed(algorithm: str) -> None:
    key = ECKey.generate_key("P-384") if algorithm == "ES384" else RSAKey.generate_key(2048)
    provider = IdentityProvider("", key=key, algorithm=algorithm)
    keys = read_keys({"keys": [key.as_dict(private=False)]})
    assert read_id_token(provider.signed(claims()), keys, EXPECTED)["sub"] == "7"
    meant = read_keys({"keys": [key.as_dict(private=False) | {"alg": "ES256"}]})
    with pytest.raises(SignInRefused, match="not signed by one"):
        read_id_token(provider.signed(claims()), meant, EXPECTED)
    for wrong in (
        {"exp": math.nan},
        {"exp": 0},
        {"exp": 10**400},
        {"exp": True},
        {"nbf": time.time() + 90},
        {"azp": ["pedigree"]},
        {"aud": {"pedigree": 1}},
        {"aud": None},
        {"nonce": ["nonce"]},
    ):
        with pytest.raises(SignInRefused):
            read_id_token(provider.signed(claims(**wrong)), keys, EXPECTED)


def test_keys_that_cannot_be_used_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    good = ECKey.generate_key("P-256").as_dict(private=False)
    modulus = RSAKey.generate_key(2048).as_dict(private=False)
    bad = [
        {"kty": "oct", "k": "AAAA"},
        {"kty": "OKP", "crv": "Ed25519", "x": "AAAA"},
        {"kty": ["EC"]},
        None,
        good | {"use": "enc"},
        good | {"crv": "P-999"},
        good | {"x": good["y"]},
        modulus | {"n": letters(b"\xff" * 128)},
        modulus | {"n": letters(b"\xff" * 2048)},
    ]
    assert len(read_keys({"keys": [*bad, good]})) == 1
    none: list[Claims] = [{}, {"keys": {}}, {"keys": None}, {"keys": "keys"}]
    assert [read_keys(content) for content in none] == [[], [], [], []]
    monkeypatch.setattr(id_token, "MOST_KEYS", 2)
    assert len(read_keys({"keys": [good] * 9})) == 2


def test_a_header_that_means_harm_is_no_fault_of_ours() -> None:
    for header in (b"[" * 30_000, b'{"alg":["ES256"]}', b"\xff", b"{}"):
        with pytest.raises(SignInRefused):
            id_token.kid_of(f"{letters(header)}.{letters(b'{}')}.AAAA")


def test_a_description_names_the_provider_and_its_own_hosts(set_for: SetFor) -> None:
    url = "https://id.example.org/realms/pets"
    client = client_of(set_for(oidc_issuer=url, oidc_hosts="keys.example.org, [::1]:8443"))
    assert isinstance(client, OidcClient)
    own = {
        "issuer": url,
        "authorization_endpoint": "https://ID.example.org:443/auth",
        "token_endpoint": "https://[::1]:8443/token",
        "jwks_uri": "https://keys.example.org/keys",
    }
    assert described(own, client).takes_basic
    assert not described(own | {"token_endpoint_auth_methods_supported": ["client_secret_post"]}, client).takes_basic
    for change in (
        {"issuer": f"{url}/"},
        {"issuer": None},
        {"token_endpoint": "https://169.254.169.254/latest"},
        {"token_endpoint": "http://id.example.org/token"},
        {"token_endpoint": "http://id.example.org:443/token"},
        {"token_endpoint": "http://127.0.0.1:6379/"},
        {"jwks_uri": "https://id.example.org@evil.example/"},
        {"jwks_uri": "https://id.example.org\\@evil.example/"},
        {"jwks_uri": "file:///etc/passwd"},
        {"jwks_uri": "https://id.example.org:8443/keys"},
        {"jwks_uri": "https://id.example.org:99999/keys"},
        {"jwks_uri": ["https://id.example.org/"]},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"authorization_endpoint": "https://id.example.org.evil.example/"},
        {"authorization_endpoint": None},
    ):
        with pytest.raises(ProviderUnfit):
            described(own | change, client)


def test_a_sign_in_that_took_too_long_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    begun = Attempt.begin("/ui/?a=b")
    assert Attempt.read(begun.written()) == begun
    parts = {begun.state, begun.nonce, begun.verifier, begun.challenge, begun.secret}
    assert len(parts) == 5
    elsewhere = f"{begun.begun}.{begun.secret}.{letters(b'//evil.example')}"
    for text in ("", elsewhere, begun.written() + "!", begun.written().replace(begun.secret, "short")):
        assert Attempt.read(text) is None
    now = time.time()
    for later, is_over in ((590, False), (610, True), (-10, True)):
        monkeypatch.setattr(time, "time", lambda later=later: now + later)
        assert (Attempt.read(begun.written()) is None) is is_over
