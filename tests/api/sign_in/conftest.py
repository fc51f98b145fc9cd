"""An app where people sign in, and a browser that follows the way there and back."""

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from api.app import create_app
from store.settings import Settings
from tests.api.fake_classifier import FakeClassifier
from tests.api.web import TestClient
from tests.identity_provider import CLIENT, SECRET, IdentityProvider, providing

SetFor = Callable[..., Settings]


@pytest.fixture
def provider() -> Iterator[IdentityProvider]:
    with providing() as provider:
        yield provider


@pytest.fixture
def set_for(settings: Settings, provider: IdentityProvider, tmp_path: Path) -> SetFor:
    """The settings of an app whose people sign in with the provider, and what else is told."""
    secret = tmp_path / "secret"
    secret.touch(0o600)
    secret.write_text(f"{SECRET}\n")

    def set_for(**told: object) -> Settings:
        own: dict[str, object] = {
            "public_url": "http://localhost",
            "oidc_issuer": provider.url,
            "oidc_client_id": CLIENT,
            "oidc_client_secret": str(secret),
            "oidc_name": "Example & Co",
            "oidc_train_groups": "pets, dogs",
            "oidc_admin_groups": "keepers",
        }
        return settings.model_copy(update=own | told)

    return set_for


@pytest.fixture
def app(set_for: SetFor) -> FastAPI:
    return create_app(set_for(), load=FakeClassifier.load)


@pytest.fixture
def browser(client: TestClient) -> Iterator[httpx.Client]:
    """Goes to the app for localhost and over the network for all else, keeps cookies, and follows redirects."""
    with httpx.Client(
        mounts={"all://localhost": client._transport},
        base_url="http://localhost",
        follow_redirects=True,
        trust_env=False,
        headers={"accept": "application/json"},
    ) as browser:
        yield browser
