"""What all views share: errors that stay, questions that go with their view, ways past the navigation."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.api.records import Records
from tests.browser.away import QUICK_MS, VIEWS, hasten
from tests.browser.visits import Visits
from tests.browser.worlds import busy

pytestmark = pytest.mark.browser
A_REFRESH_MS = 6000


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("runs/999", "There is no run 999"),
        pytest.param("data/nosuch", "There is no dataset", marks=pytest.mark.thorough),
        pytest.param("runs/1?losses=-1", "Give a number of top losses.", marks=pytest.mark.thorough),
    ],
)
def test_what_is_wrong_with_an_address_stays_said(
    visits: Visits, records: Records, tmp_path: Path, path: str, said: str
) -> None:
    busy(records, tmp_path)
    page = visits.page(f"/ui/{path}")
    expect(page.locator("#trouble")).to_contain_text(said)
    page.wait_for_timeout(A_REFRESH_MS)
    expect(page.locator("#trouble")).to_contain_text(said)
    page.locator("nav").get_by_text("Runs").click()
    expect(page.locator("#trouble")).to_be_empty()


SLOWED = """
const ask = window.fetch;
window.fetch = async (...all) => {
  const answer = await ask(...all);
  await new Promise((done) => { setTimeout(done, %d); });
  return answer;
};
"""


@pytest.mark.parametrize(
    "view", [pytest.param(view, marks=[] if view in {"jobs", "home"} else pytest.mark.thorough) for view in VIEWS]
)
def test_answers_that_take_longer_than_a_refresh_are_shown_all_the_same(
    visits: Visits, records: Records, tmp_path: Path, view: str
) -> None:
    where, whole = VIEWS[view]
    address = f"{visits.address}/ui/{where(visits, records, tmp_path)}"
    context = visits.context()
    hasten(context)
    context.add_init_script(SLOWED % (4 * QUICK_MS))
    page = context.new_page()
    page.goto(address)
    expect(page.locator(f".view:not([hidden]) {whole}").first).to_be_visible()
    assert visits.complaints == []


LOOKS = """async () => {
  const page = document.querySelector("script[type=module]").src;
  const { isLooking, look } = await import(new URL("looks.js?alone", page));
  const told = [];
  let now = 0;
  performance.now = () => now;
  const begin = (name, visit) => {
    let end;
    look(visit, new Promise((done) => { end = done; }), () => told.push(name));
    return async () => { end(); await new Promise((rest) => { setTimeout(rest); }); };
  };
  const is = (visit) => told.push(isLooking(visit));
  const first = begin("first", 1);
  is(1); is(2);
  now = 29_999; is(1);
  now = 30_000; is(1);
  const second = begin("second", 1);
  now = 60_000; is(1);
  now = 90_000; is(1);
  await first();
  const third = begin("third", 1);
  await second();
  await third();
  is(1);
  const other = begin("other", 2);
  const next = begin("next", 3);
  await other();
  is(3);
  now = 120_000; is(3);
  await next();
  return told;
}"""


def test_a_look_that_takes_too_long_is_waited_for_twice_as_long_the_next_time(visits: Visits) -> None:
    page = visits.page("/ui/team")
    told = page.evaluate(LOOKS)
    assert told == [True, False, True, False, True, False, "third", False, True, False, "next"]


@pytest.mark.thorough
def test_a_view_that_could_not_be_read_comes_when_the_service_is_back(
    visits: Visits, records: Records, tmp_path: Path
) -> None:
    busy(records, tmp_path)
    page = visits.page("/ui/jobs")
    page.route("**/datasets*", lambda route: route.abort())
    page.locator("nav").get_by_text("Data").click()
    expect(page.locator("#trouble")).to_contain_text("The service does not answer.")
    page.unroute("**/datasets*")
    expect(page.locator("#datasets")).to_contain_text("pets")
    expect(page.locator("#trouble")).to_be_empty()


def test_the_keyboard_gets_past_the_navigation(visits: Visits, records: Records, tmp_path: Path) -> None:
    busy(records, tmp_path)
    page = visits.page("/ui/runs")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()


def test_a_question_goes_with_its_view(visits: Visits, records: Records, tmp_path: Path) -> None:
    world = busy(records, tmp_path)
    page = visits.page("/ui/runs")
    page.locator(f'#runs a[href="/ui/runs/{world.good.id}"]').first.click()
    page.evaluate(
        """() => { import("/ui/assets/frame/confirm.js").then(({ confirmed }) =>
          confirmed({ title: "Sure?", says: [], act: "Yes" }).then((said) => { window.said = said; })); }"""
    )
    expect(page.locator("dialog.confirm")).to_be_visible()
    page.go_back()
    expect(page.locator("#runs")).to_be_visible()
    expect(page.locator("dialog.confirm")).to_have_count(0)
    assert page.evaluate("window.said") is False


def test_the_contract_is_a_click_away_from_every_view(visits: Visits, records: Records, tmp_path: Path) -> None:
    world = busy(records, tmp_path)
    page = visits.page("/ui/runs")
    page.locator(f'#runs a[href="/ui/runs/{world.good.id}"]').first.click()
    page.locator("footer").get_by_role("link", name="The API").click()
    expect(page).to_have_url(f"{visits.address}/docs")


@pytest.mark.thorough
def test_a_view_whose_script_does_not_come_says_so_and_is_there_once_it_comes(visits: Visits, records: Records) -> None:
    records.dataset()
    page = visits.context().new_page()
    page.route("**/jobs/jobs.js*", lambda route: route.abort())
    page.goto(f"{visits.address}/ui/data")
    expect(page.locator("#datasets tbody tr")).to_have_count(1)
    page.locator("nav").get_by_text("Jobs").click()
    expect(page.locator("#trouble")).to_contain_text("The service does not answer.")
    expect(page.locator("#view-jobs")).to_be_hidden()
    page.unroute("**/jobs/jobs.js*")
    expect(page.locator("#view-jobs")).to_be_visible()
    expect(page.locator("#trouble")).to_be_empty()
