"""A view that is opened again by itself leaves people where they are, and one that was left is not opened again."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from tests.api.conftest import until
from tests.api.records import Records
from tests.browser.away import FAILS, VIEWS, hasten
from tests.browser.visits import PATIENCE_MS, Visits
from tests.browser.worlds import busy

pytestmark = [pytest.mark.browser, pytest.mark.thorough]
LOOKS = 4


def view_of(visits: Visits, records: Records, folder: Path, name: str, failing: str) -> Page:
    """A view on a low window, some of whose questions are answered 503 for ever."""
    where, whole = VIEWS[name]
    context = visits.context()
    hasten(context)
    page = context.new_page()
    page.set_viewport_size({"width": 900, "height": 400})
    page.route(failing, FAILS["503"])
    page.goto(f"{visits.address}/ui/{where(visits, records, folder)}")
    expect(page.locator(whole).first).to_be_visible()
    return page


def wait_for_looks(page: Page, failing: str) -> None:
    """Until what fails was asked for some times more."""
    asked: list[Route] = []

    def fail(route: Route) -> None:
        asked.append(route)
        FAILS["503"](route)

    page.route(failing, fail)
    until(lambda: page.evaluate("true") and len(asked) >= LOOKS, PATIENCE_MS / 1000)


def test_who_reads_a_comparison_is_not_moved(visits: Visits, records: Records, tmp_path: Path) -> None:
    figures = "**/figures/*"
    page = view_of(visits, records, tmp_path, "compare", figures)
    page.evaluate("""() => {
      window.hidings = 0;
      const watch = new MutationObserver(() => { hidings += 1; });
      watch.observe(document.getElementById("compare-all"), { attributes: true, attributeFilter: ["hidden"] });
      scrollTo(0, 300);
    }""")
    wait_for_looks(page, figures)
    assert page.evaluate("[hidings, scrollY]") == [0, 300]


def test_who_reads_a_run_is_not_moved_to_photos_that_do_not_come(
    visits: Visits, records: Records, tmp_path: Path
) -> None:
    photos = "**/runs/*/items?*"
    page = view_of(visits, records, tmp_path, "run", photos)
    expect(page.locator("#shots")).to_be_visible()
    page.evaluate("""() => {
      document.querySelector("#run-tabs a").focus();
      scrollTo(0, 0);
    }""")
    wait_for_looks(page, photos)
    assert page.evaluate("[scrollY, document.activeElement.matches('#run-tabs a')]") == [0, True]


def test_what_was_asked_for_by_a_view_that_was_left_is_told_of_nowhere(
    visits: Visits, records: Records, tmp_path: Path
) -> None:
    busy(records, tmp_path)
    context = visits.context()
    hasten(context)
    page = context.new_page()
    page.goto(f"{visits.address}/ui/data/pets")
    expect(page.locator("#batch img")).to_be_visible()
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/batch.png*", hold)
    page.locator("#other-pictures").click()
    until(lambda: page.evaluate("true") and len(held) > 0, PATIENCE_MS / 1000)
    page.evaluate("history.pushState({}, '', '/ui/nonsense'); dispatchEvent(new PopStateEvent('popstate'))")
    expect(page.locator("#trouble")).to_contain_text("no view at this address")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for route in held:
        route.abort()
    with page.expect_response("**/models?*"), page.expect_response("**/models?*"):
        pass
    expect(page.locator("#trouble")).to_have_text("There is no view at this address. Choose one above.")
    assert [address for address in asked if "undefined" in address] == []
