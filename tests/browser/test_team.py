"""The view for a team: keys, webhooks, the record of changes, and what somebody may take."""

import re

import httpx
import pytest
from playwright.sync_api import Page, expect
from sqlalchemy.orm import Session, sessionmaker

from store.access import Scope
from store.db.access_keys import create_key
from store.db.webhooks import Outcome, claim_delivery, record_try
from store.settings import Settings
from tests.browser.test_looks import CUT, violations
from tests.browser.visits import Visits

pytestmark = pytest.mark.browser
REFUSED = "Failed to load resource: the server responded with a status of 401"
HOST = "https://hooks.example.org"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"webhook_hosts": HOST})


@pytest.fixture
def keys(sessions: sessionmaker[Session]) -> dict[Scope, str]:
    """Made before the service starts, by the names of their scopes."""
    with sessions.begin() as session:
        return {scope: create_key(session, name=scope.value, scope=scope)[1] for scope in (Scope.ADMIN, Scope.PREDICT)}


def signed_in(visits: Visits, key: str) -> Page:
    """The view in a browser that has traded the key for a session."""
    context = visits.context()
    context.request.post(f"{visits.address}/session", headers={"authorization": f"Bearer {key}"})
    page = context.new_page()
    page.goto(f"{visits.address}/ui/team")
    return page


def agree(page: Page, name: str, says: str) -> None:
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(says)
    dialog.get_by_role("button", name=name).click()


def is_whole(page: Page) -> None:
    for width in (390, 1600):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(CUT) == []


def holds(page: Page, secret: str) -> bool:
    """Whether the page has it anywhere: in what is shown or hidden, in the address, or stored."""
    return secret in page.evaluate(
        "document.documentElement.outerHTML + location.href + JSON.stringify([{...localStorage}, {...sessionStorage}])"
    )


def test_the_first_key_is_shown_once_and_its_browser_is_signed_in(visits: Visits) -> None:
    page = visits.page("/ui/")
    page.locator("footer").get_by_role("link", name="Team").click()
    expect(page).to_have_title("Team · Pedigree")
    expect(page.locator("#team-who")).to_contain_text("No key is asked for")
    expect(page.locator("#key-first")).to_contain_text("from then on every request needs a key")
    expect(page.locator("#no-changes")).to_be_visible()
    page.get_by_label("Whose it is").fill("alice")
    page.get_by_role("button", name="Make the first key").click()
    agree(page, "Make the first key", "every request needs a key")
    once = page.locator("#key-once")
    expect(once).to_contain_text("It is shown this once")
    expect(once).to_be_focused()
    key = once.locator("code").inner_text()
    jobs = f"{visits.address}/jobs"
    answers = [httpx.get(jobs, headers=headers) for headers in ({}, {"authorization": f"Bearer {key}"})]
    assert [answer.status_code for answer in answers] == [401, 200]
    expect(page.locator("#session")).to_contain_text("Signed in as alice (admin)")
    expect(page.locator("#keys tbody tr")).to_contain_text("yours")
    expect(page.locator("#key-first")).to_be_hidden()
    page.locator("nav").get_by_text("Jobs").click()
    expect(page.locator("#jobs-title")).to_be_visible()
    assert not holds(page, key)
    page.go_back()
    expect(page.locator("#keys tbody tr")).to_be_visible()
    assert not holds(page, key)
    # What is asked for between the key and the sign-in is refused, and asked for again; a browser notes each refusal.
    assert [one for one in visits.complaints if not one.startswith(REFUSED)] == []


def test_who_runs_the_service_makes_ends_and_follows(
    keys: dict[Scope, str], visits: Visits, sessions: sessionmaker[Session]
) -> None:
    page = signed_in(visits, keys[Scope.ADMIN])
    a_key_is_made(page)
    secret = a_webhook_is_made_and_tested(page, sessions)
    page.emulate_media(color_scheme="dark")
    is_whole(page)
    assert violations(page) == []
    # A page that is left stays whole in the browser.
    page.goto(f"{visits.address}/healthz")
    page.go_back()
    expect(page.locator("#webhooks > li")).to_be_visible()
    assert not holds(page, secret)
    both_are_ended(page)
    the_record_is_searched(page)
    assert visits.complaints == []


def a_key_is_made(page: Page) -> None:
    page.get_by_label("Whose it is").fill("ci")
    page.get_by_label("Scope").select_option("train")
    page.get_by_label("It expires").select_option("90")
    page.get_by_role("button", name="Make the key").click()
    expect(page.locator("#key-once")).to_contain_text("Key ci is made.")
    expect(page.locator("#keys tbody tr").first).to_contain_text("by admin")


def a_webhook_is_made_and_tested(page: Page, sessions: sessionmaker[Session]) -> str:
    page.get_by_label("Address to call").fill(f"{HOST}/pedigree")
    page.get_by_label("succeeded").uncheck()
    page.get_by_role("button", name="Make the webhook").click()
    secret = page.locator("#webhook-once code").inner_text()
    hook = page.locator("#webhooks > li")
    expect(hook).to_contain_text("Told of cancelled, failed, all kinds of jobs. Made by admin")
    hook.get_by_role("button", name="test").click()
    expect(hook).to_contain_text("Last: a test, waits to be sent")
    with sessions.begin() as session:
        claimed = claim_delivery(session, 1)
        assert claimed is not None
        record_try(session, claimed, Outcome(status=500))
    hook.get_by_text("What it was told").click()
    expect(hook.locator("details li")).to_contain_text("a test, not taken: the answer was 500")
    return secret


def both_are_ended(page: Page) -> None:
    key = page.locator("#keys tbody tr").first
    key.get_by_role("button", name="Revoke key ci").click()
    agree(page, "Revoke ci", "a program that brings photos in, trains and reviews with it stops")
    expect(key).to_contain_text("revoked")
    page.locator("#webhooks > li").get_by_role("button", name="Remove").click()
    agree(page, "Remove it", "told of no job’s end any more")
    expect(page.locator("#no-webhooks")).to_be_visible()


def the_record_is_searched(page: Page) -> None:
    changes = page.locator("#changes tbody tr")
    expect(changes).to_have_count(6)
    expect(changes.nth(1)).to_contain_text(
        re.compile(r"GMT\+\d\s*admin\s*DELETE /keys/\{key_id\}\s*/keys/3\s*name ci → –")
    )
    changes.nth(1).get_by_role("link", name="/keys/3").click()
    expect(changes).to_have_count(2)
    page.reload()
    expect(page.get_by_label("On what")).to_have_value("/keys/3")
    expect(changes).to_have_count(2)
    page.get_by_label("To day").fill("2001-01-31")
    page.get_by_label("To day").blur()
    expect(page.locator("#no-such-changes")).to_be_visible()
    page.get_by_role("button", name="Show all changes").click()
    expect(changes).to_have_count(6)


def test_a_key_of_a_smaller_scope_is_told_which_one_is_needed(keys: dict[Scope, str], visits: Visits) -> None:
    page = signed_in(visits, keys[Scope.PREDICT])
    expect(page.locator("#team-who")).to_contain_text("need one of the scope admin")
    expect(page.locator("#limits dt")).to_have_count(3)
    expect(page.locator("#limits")).to_contain_text("0 of 1,000")
    expect(page.locator("#view-team").get_by_role("button")).to_have_count(0)
    assert visits.complaints == []
