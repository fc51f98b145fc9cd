"""What somebody does while the service is away is told of, loses nothing, and is done by the next click."""

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, Route, expect
from sqlalchemy import func, select
from sqlalchemy.orm import Session, sessionmaker

from store.access import Scope
from store.db.access_keys import create_key
from store.db.models import Job
from store.states import State
from tests.api.records import Records
from tests.browser.away import FAILS, NOT_NOW, hasten
from tests.browser.visits import Visits
from tests.browser.worlds import busy

pytestmark = [pytest.mark.browser, pytest.mark.thorough]
REST_S = 6


@pytest.fixture
def key(sessions: sessionmaker[Session]) -> str:
    """Alice's, made before the service starts."""
    with sessions.begin() as session:
        return create_key(session, name="alice", scope=Scope.ADMIN)[1]


def quick_page(visits: Visits) -> Page:
    context = visits.context()
    hasten(context)
    return context.new_page()


def failing(page: Page, method: str, fail: Callable[[Route], None], pattern: str = "**/*") -> None:
    """Requests of that method fail; all others pass."""
    page.route(pattern, lambda route: fail(route) if route.request.method == method else route.fallback())


def lose_answer(route: Route) -> None:
    """The service does what it is asked, and its answer never comes."""
    asked = route.request
    sent = {name: asked.headers[name] for name in ("content-type", "idempotency-key")}
    assert httpx.post(asked.url, content=asked.post_data, headers=sent, timeout=60).status_code == 202
    route.abort("connectionreset")


@pytest.mark.parametrize("how", ["503", "no connection"])
def test_a_job_is_cancelled_by_the_second_click(visits: Visits, records: Records, tmp_path: Path, how: str) -> None:
    world = busy(records, tmp_path)
    page = quick_page(visits)
    page.goto(f"{visits.address}/ui/jobs")
    cancel = page.get_by_role("button", name=f"Cancel job {world.job.id}")
    failing(page, "POST", FAILS[how])
    cancel.click()
    expect(page.locator("#trouble")).to_contain_text("not answer")
    page.unroute("**/*")
    cancel.click()
    expect(page.locator(f'[data-job="{world.job.id}"]')).to_contain_text("cancelling")
    expect(page.locator("#trouble")).to_be_empty()


def test_what_was_typed_stays_and_a_search_whose_answer_was_lost_is_begun_once(
    visits: Visits, records: Records, sessions: sessionmaker[Session]
) -> None:
    records.dataset()
    page = quick_page(visits)
    page.goto(f"{visits.address}/ui/searches")
    expect(page.locator("#search-dataset")).to_have_value("pets")
    page.locator("#search-vary").fill("batch_size = 4, 8")
    failing(page, "GET", FAILS["503"], "**/jobs?*")
    expect(page.locator("#trouble")).to_contain_text("The database does not answer")
    failing(page, "POST", lose_answer)
    page.locator("#search-start").click()
    expect(page.locator("#search-trouble")).to_contain_text("The service does not answer.")
    page.unroute("**/jobs?*")
    page.unroute("**/*")
    expect(page.locator("#trouble")).to_be_empty()
    expect(page.locator("#search-vary")).to_have_value("batch_size = 4, 8")
    page.locator("#search-start").click()
    expect(page.locator("#study-title")).to_contain_text("queued")
    with sessions.begin() as session:
        assert session.scalar(select(func.count()).where(Job.kind == "search")) == 1


def test_a_filter_that_could_not_be_asked_for_is_asked_for_again(
    visits: Visits, records: Records, tmp_path: Path
) -> None:
    busy(records, tmp_path)
    page = quick_page(visits)
    page.goto(f"{visits.address}/ui/runs")
    expect(page.locator("#runs tbody tr")).to_have_count(7)
    failing(page, "GET", FAILS["503"], "**/runs?*")
    page.locator('#runs-states [data-state="failed"]').click()
    expect(page.locator("#trouble")).to_contain_text("The database does not answer")
    page.unroute("**/runs?*")
    expect(page.locator("#runs tbody tr")).to_have_count(1)
    expect(page.locator("#trouble")).to_be_empty()


def test_a_run_that_has_ended_while_the_service_was_away_is_shown_as_it_is(
    visits: Visits, records: Records, tmp_path: Path
) -> None:
    world = busy(records, tmp_path)
    page = quick_page(visits)
    page.goto(f"{visits.address}/ui/runs/{world.running.id}")
    expect(page.locator("#run-state")).to_have_text("running")
    failing(page, "GET", FAILS["no connection"], f"**/runs/{world.running.id}")
    records.move(world.job, State.FAILED)
    expect(page.locator("#trouble")).to_contain_text("The service does not answer.")
    page.unroute(f"**/runs/{world.running.id}")
    expect(page.locator("#run-state")).to_have_text("failed")
    expect(page.locator("#trouble")).to_be_empty()


def test_a_service_that_says_when_is_left_alone_until_then(visits: Visits, records: Records) -> None:
    records.dataset()
    page = quick_page(visits)
    asked: list[str] = []

    def refuse(route: Route) -> None:
        asked.append(route.request.url)
        route.fulfill(status=503, json=NOT_NOW, headers={"Retry-After": str(REST_S)})

    page.route("**/datasets?*", refuse)
    page.goto(f"{visits.address}/ui/data")
    expect(page.locator("#trouble")).to_contain_text("The database does not answer")
    before = len(asked)
    page.wait_for_timeout(1000 * REST_S / 2)
    # One may have been on its way.
    assert len(asked) <= before + 1
    page.unroute("**/datasets?*")
    expect(page.locator("#datasets tbody tr")).to_have_count(1)


def test_whose_key_it_is_is_said_once_the_service_is_back(key: str, visits: Visits, records: Records) -> None:
    records.dataset()
    page = quick_page(visits)
    page.context.request.post(f"{visits.address}/session", headers={"authorization": f"Bearer {key}"})
    failing(page, "GET", FAILS["503"], "**/session")
    page.goto(f"{visits.address}/ui/data")
    expect(page.locator("#datasets tbody tr")).to_have_count(1)
    expect(page.locator("#session")).to_be_empty()
    page.unroute("**/session")
    expect(page.locator("#session")).to_contain_text("Signed in as alice")
    failing(page, "DELETE", FAILS["503"], "**/session")
    page.get_by_role("button", name="Sign out").click()
    expect(page.locator("#session")).to_contain_text("You are still signed in.")


def test_pictures_that_did_not_come_are_asked_for_again(visits: Visits, records: Records, tmp_path: Path) -> None:
    busy(records, tmp_path)
    page = quick_page(visits)
    page.route("**/image*", FAILS["503"])
    page.goto(f"{visits.address}/ui/data/pets?breed=american_setter")
    picture = page.locator("#dataset-photos img")
    expect(picture).to_have_js_property("complete", value=True)
    expect(picture).to_have_js_property("naturalWidth", 0)
    page.unroute("**/image*")
    expect(picture).not_to_have_js_property("naturalWidth", 0)


def test_a_part_of_a_view_that_the_browser_does_not_ask_for_again_comes_when_the_page_is_loaded_anew(
    visits: Visits, records: Records
) -> None:
    records.dataset()
    page = quick_page(visits)
    page.route("**/jobs/items.js", lambda route: route.abort())
    page.goto(f"{visits.address}/ui/data")
    expect(page.locator("#datasets tbody tr")).to_have_count(1)
    page.locator("nav").get_by_text("Jobs").click()
    expect(page.locator("#trouble")).to_contain_text("when the page is loaded again")
    page.unroute("**/jobs/items.js")
    page.get_by_role("button", name="Load the page again").click()
    expect(page.locator("#view-jobs")).to_be_visible()
    expect(page).to_have_url(f"{visits.address}/ui/jobs")
    expect(page.get_by_role("button", name="Load the page again")).to_be_hidden()
