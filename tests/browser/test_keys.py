"""The page of a service that asks for a key."""

import re
import shlex

import httpx
import pytest
from playwright.sync_api import FilePayload, Page, expect
from sqlalchemy.orm import Session, sessionmaker

from store.access import Scope
from store.db.access_keys import create_key, revoke_key
from tests.api.conftest import until
from tests.api.records import Records, jpeg
from tests.browser.visits import Visits, attach

pytestmark = pytest.mark.browser


@pytest.fixture
def key(sessions: sessionmaker[Session]) -> str:
    with sessions.begin() as session:
        return create_key(session, name="alice", scope=Scope.TRAIN)[1]


def sign_in(page: Page, key: str) -> None:
    page.get_by_label("Key", exact=True).fill(key)
    page.get_by_role("button", name="Sign in").click()


def test_the_page_asks_for_a_key_and_then_works_with_images_and_events(
    key: str, visits: Visits, records: Records, sessions: sessionmaker[Session]
) -> None:
    run = records.finished(records.dataset(), epochs=1)
    waiting, _ = records.run(run.dataset)
    page = visits.page(f"/ui/runs/{run.id}?tab=mistakes")
    dialog = page.get_by_role("dialog", name="Sign in")
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_be_visible()
    sign_in(page, f"{key[:-1]}{'A' if key[-1] != 'A' else 'B'}")
    expect(dialog.get_by_role("alert")).to_contain_text("does not know this key")
    sign_in(page, key)
    expect(dialog).to_have_count(0)
    expect(page.locator("#session")).to_contain_text("Signed in as alice (train)")
    # An image has no header of its own, nor has a stream of events.
    photo = page.locator("#worst img").first
    with page.expect_response(re.compile(r"/events")) as streamed:
        page.goto(f"{visits.address}/ui/runs/{waiting.id}")
    assert streamed.value.status == 200
    page.goto(f"{visits.address}/ui/runs/{run.id}?tab=mistakes")
    expect(photo).to_be_visible()
    source = photo.get_attribute("src")
    assert page.evaluate("async (path) => (await fetch(path)).status", source) != 401
    assert page.evaluate("document.cookie") == ""
    assert key.split("_", 2)[2] not in page.content()
    with sessions.begin() as session:
        revoke_key(session, 1)
    expect(dialog).to_be_visible()


def test_the_request_as_a_command_names_the_variable_of_the_key(
    key: str, visits: Visits, records: Records, sessions: sessionmaker[Session]
) -> None:
    with sessions.begin() as session:
        admin = create_key(session, name="bob", scope=Scope.ADMIN)[1]
    sent, signed = {"run": records.served().id, "alias": "production"}, {"Authorization": f"Bearer {admin}"}
    # The service learns of a new key within a second.
    until(lambda: httpx.post(f"{visits.address}/models", json=sent, headers=signed, timeout=60).is_success)
    page = visits.page("/ui/")
    sign_in(page, key)
    expect(page.locator("#session")).to_contain_text("Signed in as alice (train)")
    attach(page, "#photo", [FilePayload(name="it.jpg", mimeType="image/jpeg", buffer=jpeg())])
    page.get_by_text("As a command").click()
    curl, option, header, *rest = shlex.split(page.locator(".command code").text_content() or "")
    assert (curl, option, header) == ("curl", "-H", "Authorization: Bearer $PEDIGREE_KEY")
    assert rest[:2] == ["-F", "file=@it.jpg"]
    assert key.split("_", 2)[2] not in page.content()


def test_signing_out_asks_again(key: str, visits: Visits) -> None:
    page = visits.page("/ui/jobs")
    sign_in(page, key)
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("dialog", name="Sign in")).to_be_visible()


def test_the_contract_leads_to_where_one_signs_in(key: str, visits: Visits) -> None:
    assert key
    page = visits.page("/docs")
    expect(page.get_by_role("link", name="Sign in with a key")).to_be_visible()
