"""Each view comes right by itself, and whole, when a service is back that did not answer for a moment."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.api.records import Records
from tests.browser.away import FAILS, VIEWS, Away, comes_to, hasten, shown
from tests.browser.visits import Visits, view_names

pytestmark = pytest.mark.browser
USUAL = {("jobs", "503"), ("review", "503"), ("runs", "no connection")}
"""What the ordinary run tries; all else is thorough."""
CASES = [
    pytest.param(view, how, marks=[] if (view, how) in USUAL else pytest.mark.thorough)
    for view in VIEWS
    for how in FAILS
    if (view, how) in USUAL or how != "a proxy" or view == "home"
]
LOGGED = "Failed to load resource"
"""What a browser notes of an answer that is an error."""


def faults(visits: Visits) -> list[str]:
    """What went wrong in the page beside that."""
    return [one for one in visits.complaints if not one.startswith(LOGGED)]


def test_every_view_is_among_these() -> None:
    assert set(VIEWS) == view_names()


@pytest.mark.parametrize(("view", "how"), CASES)
def test_a_view_shows_all_once_the_service_is_back(
    visits: Visits, records: Records, tmp_path: Path, view: str, how: str
) -> None:
    where, whole = VIEWS[view]
    address = f"{visits.address}/ui/{where(visits, records, tmp_path)}"
    context = visits.context()
    hasten(context)
    page = context.new_page()
    page.goto(address)
    wanted = shown(page, whole)
    page.close()
    away = Away(FAILS[how])
    page = context.new_page()
    page.route("**/*", away)
    page.goto(address)
    expect(page.locator("#trouble")).to_contain_text("not answer")
    comes_to(page, wanted)
    expect(page.locator("#trouble")).to_be_empty()
    assert away.asked
    assert faults(visits) == []
