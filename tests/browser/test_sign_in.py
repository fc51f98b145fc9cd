"""Sign-in by an identity provider, on the page."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from api.app import create_app
from store.settings import Settings
from tests.api.fake_classifier import FakeClassifier
from tests.browser.conftest import listening, serving
from tests.identity_provider import CLIENT, SECRET, providing

pytestmark = pytest.mark.browser


def test_the_page_leads_to_the_provider_and_back_to_where_one_was(
    browser: Browser, settings: Settings, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.touch(0o600)
    secret.write_text(SECRET)
    with providing() as provider, listening() as (listener, address):
        provider.redirect_address = f"{address}/sign-in/callback"
        told = {
            "public_url": address,
            "oidc_issuer": provider.url,
            "oidc_client_id": CLIENT,
            "oidc_client_secret": str(secret),
            "oidc_name": "Example & Co",
            "oidc_train_groups": "pets",
        }
        app = create_app(settings.model_copy(update=told), load=FakeClassifier.load)
        with serving(app, listener), browser.new_context() as context:
            page = context.new_page()
            page.goto(f"{address}/ui/runs?q=a%26b")
            link = page.get_by_role("link", name="Sign in with Example & Co")
            expect(link).to_be_focused()
            link.click()
            expect(page.locator("#session")).to_contain_text("Signed in as alice@example.org (train)")
            assert page.url == f"{address}/ui/runs?q=a%26b"
            page.get_by_role("button", name="Sign out").click()
            expect(page.get_by_role("dialog", name="Sign in")).to_be_visible()
