"""Many tabs while a run trains: one stream for all, and every tab goes on by itself."""

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from store.states import State
from tests.api.conftest import until
from tests.api.records import Records
from tests.browser.conftest import PLAIN_HOST, Streams
from tests.browser.visits import PATIENCE_MS, Visits
from tests.browser.worlds import busy, epoch_ends, progress
from tests.conftest import WHOLE_CHROMIUM

pytestmark = pytest.mark.browser

PATIENCE = PATIENCE_MS / 1000
HIDDEN_MS = 31_000
"""Longer than a tab out of sight keeps the stream."""
CONNECTIONS = 6
"""That a browser opens to a service."""
TABS = CONNECTIONS + 1
"""benchmarks/ten_tabs.py is the large one."""
NO_PROGRESS = """
const ask = window.fetch;
window.fetch = (path, options) =>
  path.startsWith("/jobs?state=") ? Promise.resolve(Response.json({ items: [] })) : ask(path, options);
"""
SERVED = "/models"
RUNS = "/ui/runs"
MOST_LOOKS = 2
"""One at the return and one for a state that changes; both may be one."""


def hears_only_events(context: BrowserContext) -> BrowserContext:
    """Its tabs have progress from events alone: what they read every five seconds has none."""
    context.add_init_script(NO_PROGRESS)
    return context


def tabs_of(context: BrowserContext, address: str, count: int) -> list[Page]:
    hears_only_events(context)
    tabs = [context.new_page() for _ in range(count)]
    for tab in tabs:
        tab.goto(address + RUNS)
        expect(tab.locator("#runs tbody tr")).not_to_have_count(0)
    return tabs


def see(page: Page, *, hidden: bool) -> None:
    """Put the tab out of sight or back; a browser without a screen has every tab in sight."""
    page.evaluate(
        """hidden => {
          Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
          document.dispatchEvent(new Event("visibilitychange"));
        }""",
        hidden,
    )


def shows_step(page: Page, step: int) -> None:
    expect(page.locator("#runs .progress, #run-progress")).to_contain_text([f"train {step}/30"])


def test_more_tabs_than_connections_share_a_stream_and_all_stay_live_even_reloaded(
    visits: Visits, records: Records, streams: Streams, tmp_path: Path
) -> None:
    world = busy(records, tmp_path)
    context = hears_only_events(visits.context())
    tabs = [context.new_page() for _ in range(TABS)]
    for tab in tabs:
        tab.goto(visits.address + RUNS, wait_until="commit")
    for tab in tabs:
        tab.reload(wait_until="commit")
    # Of all that came first, none keeps a connection that this one needs.
    tabs.append(context.new_page())
    tabs[-1].goto(f"{visits.address}/ui/runs/{world.running.id}")
    expect(tabs[-1].locator("#epochs tbody tr")).to_have_count(1)
    until(lambda: streams.open == 1, PATIENCE)
    for tab in tabs[:-1]:
        # One that knows no run yet would hear of its progress for nothing.
        expect(tab.locator("#runs tbody tr")).not_to_have_count(0)
    epoch_ends(records, world, 1)
    progress(records, world.job, 17)
    expect(tabs[-1].locator("#epochs tbody tr")).to_have_count(2)
    for tab in tabs:
        shows_step(tab, 17)
    assert streams.open == 1
    # One that a tab has handed on counts until the service, which may be busy, hears of its end; else each tab had one.
    assert streams.most < CONNECTIONS


@pytest.mark.thorough
def test_when_the_tab_with_the_stream_goes_another_goes_on_without_a_gap(
    visits: Visits, records: Records, streams: Streams, tmp_path: Path
) -> None:
    job = busy(records, tmp_path).job
    tabs = tabs_of(visits.context(), visits.address, 3)
    until(lambda: streams.open == 1, PATIENCE)
    for step in range(1, len(tabs)):
        progress(records, job, step)
        for tab in tabs[step - 1 :]:
            shows_step(tab, step)
        tabs[step - 1].close()
        # While nobody may be listening.
        progress(records, job, 10 + step)
        for tab in tabs[step:]:
            shows_step(tab, 10 + step)
        until(lambda: streams.open == 1, PATIENCE)


@pytest.mark.thorough
@pytest.mark.whole_browser
@pytest.mark.parametrize("browser", [WHOLE_CHROMIUM], indirect=True)
def test_a_page_that_is_left_keeps_no_stream_and_lives_on_when_it_is_shown_again(
    visits: Visits, records: Records, streams: Streams, tmp_path: Path
) -> None:
    world = busy(records, tmp_path)
    (page,) = tabs_of(visits.context(), visits.address, 1)
    until(lambda: streams.open == 1, PATIENCE)
    page.goto(f"{visits.address}/openapi.json")
    page.goto(visits.address + RUNS)
    until(lambda: streams.open == 1, PATIENCE)
    page.evaluate("window.isKept = true")
    page.goto(f"{visits.address}/openapi.json")
    until(lambda: streams.open == 0, PATIENCE)
    progress(records, world.job, 5)
    page.evaluate("history.back()")
    until(lambda: streams.open == 1, PATIENCE)
    assert page.evaluate("window.isKept")
    progress(records, world.job, 6)
    shows_step(page, 6)


@pytest.mark.thorough
def test_there_is_no_stream_where_nothing_is_at_work(
    visits: Visits, records: Records, streams: Streams, tmp_path: Path
) -> None:
    run = records.finished(records.dataset_with_photos(tmp_path / "photos"))
    (page,) = tabs_of(visits.context(), visits.address, 1)
    page.locator("#runs a").first.click()
    expect(page.locator("#run-title")).to_have_text(re.compile(f"^Run {run.id}"))
    page.locator("#run-tabs").get_by_text("Mistakes").click()
    expect(page.locator("#worst li")).to_have_count(3)
    page.go_back()
    page.go_back()
    assert streams.most == 0
    # Something begins, and ends.
    _, job = records.run(records.dataset("other"))
    until(lambda: streams.open == 1, PATIENCE)
    records.move(job, State.RUNNING)
    expect(page.locator("#runs tbody tr").first).to_contain_text("running")
    progress(records, job, 3)
    shows_step(page, 3)
    records.move(job, State.SUCCEEDED)
    until(lambda: streams.open == 0, PATIENCE)
    expect(page.locator("#runs tbody tr").first).to_contain_text("succeeded")


@pytest.mark.thorough
def test_a_tab_out_of_sight_hands_the_stream_on_and_comes_back_without_the_old_events(
    visits: Visits, records: Records, streams: Streams, tmp_path: Path
) -> None:
    job = busy(records, tmp_path).job
    context = visits.context()
    context.clock.install()
    first, second = tabs_of(context, visits.address, 2)
    until(lambda: streams.open == 1, PATIENCE)
    with second.expect_request("**/events*") as asked:
        see(first, hidden=True)
        context.clock.fast_forward(HIDDEN_MS)
    # From the event before it came, though none has come since.
    assert re.fullmatch(rf"{visits.address}/events\?after=\d+", asked.value.url)
    progress(records, job, 3)
    shows_step(second, 3)
    assert streams.open == 1
    second.close()
    until(lambda: streams.open == 0, PATIENCE)
    with first.expect_request("**/events*") as asked:
        see(first, hidden=False)
    assert asked.value.url == f"{visits.address}/events"
    until(lambda: streams.open == 1, PATIENCE)
    progress(records, job, 4)
    shows_step(first, 4)


@pytest.mark.thorough
def test_a_tab_that_the_browser_stops_hands_the_stream_on(
    visits: Visits, records: Records, streams: Streams, tmp_path: Path
) -> None:
    job = busy(records, tmp_path).job
    first, second = tabs_of(visits.context(), visits.address, 2)
    until(lambda: streams.open == 1, PATIENCE)
    # A browser without a screen stops no tab; it would say this.
    first.evaluate("document.dispatchEvent(new Event('freeze'))")
    progress(records, job, 3)
    shows_step(second, 3)
    second.close()
    until(lambda: streams.open == 0, PATIENCE)
    first.evaluate("document.dispatchEvent(new Event('resume'))")
    until(lambda: streams.open == 1, PATIENCE)
    progress(records, job, 4)
    shows_step(first, 4)


@pytest.mark.thorough
def test_without_locks_each_tab_in_sight_has_a_stream_and_none_out_of_sight(
    visits: Visits, records: Records, streams: Streams, tmp_path: Path
) -> None:
    job = busy(records, tmp_path).job
    # For the browser this is another machine.
    visits.address = visits.address.replace("127.0.0.1", PLAIN_HOST)
    first, second = tabs_of(visits.context(), visits.address, 2)
    assert first.evaluate("navigator.locks === undefined")
    until(lambda: streams.open == 2, PATIENCE)
    see(first, hidden=True)
    until(lambda: streams.open == 1, PATIENCE)
    progress(records, job, 3)
    shows_step(second, 3)
    see(first, hidden=False)
    until(lambda: streams.open == 2, PATIENCE)
    progress(records, job, 4)
    for tab in (first, second):
        shows_step(tab, 4)


@pytest.mark.thorough
def test_a_view_is_asked_for_once_when_it_is_loaded_and_once_when_it_is_shown_again(
    visits: Visits, records: Records, streams: Streams, tmp_path: Path
) -> None:
    world = busy(records, tmp_path)
    _, other = records.run(world.pets)
    context = visits.context()
    # What is asked for every five seconds is not what is counted.
    context.add_init_script("window.setInterval = () => 0")
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(urlsplit(request.url).path))
    page.goto(f"{visits.address}/ui/runs/{world.running.id}")
    drawn = page.locator("[data-figure=schedule] .main-svg").first
    expect(drawn).to_be_visible()
    until(lambda: streams.open == 1, PATIENCE)
    # What this makes the page ask for comes after all that the load did.
    with page.expect_response(f"**{SERVED}?*"):
        records.move(other, State.RUNNING)
    run = f"/runs/{world.running.id}"
    of_run = [run, f"{run}/metrics", f"{run}/figures/loss", f"{run}/figures/schedule"]
    assert {path: asked.count(path) for path in [*of_run, SERVED]} == dict.fromkeys(of_run, 1) | {SERVED: 2}
    page.goto(f"{visits.address}/openapi.json")
    until(lambda: streams.open == 0, PATIENCE)
    asked.clear()
    page.go_back(wait_until="commit")
    until(lambda: streams.open == 1, PATIENCE)
    until(lambda: page.evaluate("true") and asked.count(of_run[-1]) > 0, PATIENCE)
    with page.expect_response(f"**{SERVED}?*"):
        records.move(other, State.SUCCEEDED)
    assert [asked.count(path) for path in of_run] == [1, 1, 1, 1]
    assert asked.count(SERVED) <= MOST_LOOKS


@pytest.mark.thorough
@pytest.mark.parametrize("comes", [True, False], ids=["it comes", "it breaks off"])
def test_what_is_said_while_a_view_is_drawn_is_drawn_after_it_and_not_beside_it(
    visits: Visits, records: Records, streams: Streams, tmp_path: Path, *, comes: bool
) -> None:
    world = busy(records, tmp_path)
    context = hears_only_events(visits.context())
    context.add_init_script("window.setInterval = () => 0")
    page = context.new_page()
    page.goto(f"{visits.address}/ui/runs/{world.running.id}")
    rows = page.locator("#epochs tbody tr")
    expect(rows).to_have_count(1)
    until(lambda: streams.open == 1, PATIENCE)
    progress(records, world.job, 1)
    shows_step(page, 1)
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/metrics?*", hold, times=1)
    with page.expect_request("**/metrics?*"):
        epoch_ends(records, world, 1)
    until(lambda: page.evaluate("true") and len(held) == 1, PATIENCE)
    (look,) = held
    old = look.fetch()
    looks: list[str] = []
    page.on("request", lambda request: looks.append(urlsplit(request.url).path))
    epoch_ends(records, world, 2)
    progress(records, world.job, 2)
    shows_step(page, 2)
    with page.expect_response(f"**{SERVED}?*"):
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    assert f"/runs/{world.running.id}" not in looks
    if comes:
        look.fulfill(response=old)
    else:
        look.abort()
    expect(rows).to_have_count(3)
