"""One walk through all that the page is for, as a stranger lives it, on a real service with its workers."""

import re
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from playwright.sync_api import Browser, Page, expect

from pedigree import Client, Run
from tests.api.conftest import until
from tests.browser.test_looks import Scheme
from tests.browser.visits import PATIENCE_MS, Visits, view_names
from tests.browser.walk_data import broken_off, first_minute, looked_at, rule_tried
from tests.browser.walk_ground import ARCH, Ground, ground, how_it_learns
from tests.browser.walk_models import FOREVER, cancelled_resumed_deleted, predicted, promoted_and_rolled_back
from tests.browser.walk_review import reviewed, trained_again
from tests.browser.walk_runs import cell_opened, rate_clicked, watched
from tests.browser.walker import Walker

pytestmark = [pytest.mark.browser, pytest.mark.thorough, pytest.mark.long, pytest.mark.timeout(900)]

TABS = 10
VIEWS = {
    "/": "#behind-facts",
    "/ui/runs": "#runs tbody tr",
    "/ui/runs/1": "[data-figure=schedule] .main-svg",
    "/ui/runs/1?tab=mistakes": "[data-figure=reliability] .main-svg",
    "/ui/runs/1?tab=config": "#settings table",
    "/ui/runs/1?tab=files": "#files tbody tr",
    "/ui/compare?runs=1,2": "#compare-board .main-svg",
    "/ui/train": "#train-presets",
    "/ui/data": "#datasets tbody tr",
    "/ui/data/first": "#presizing img",
    "/ui/data/first/review?source=top_losses": "#review-stage img",
    "/ui/models": "#versions tbody tr",
    "/ui/models/1": "#model-steps a",
    "/ui/jobs": "#jobs-done li",
    "/ui/team": "#changes tbody tr",
    "/ui/label?dataset=first": "#label-pool:has(option)",
    "/ui/searches": "#searches li",
    "/ui/searches/{search}": "#study-asked dd",
}
"""Each view, and what is there once it is whole."""
SHOWN_VIEW = "document.querySelector('.view:not([hidden])').id.replace('view-', '')"


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    with ground(tmp_path_factory.mktemp("walk")) as found:
        yield found


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1600, "light")])
def test_a_stranger_comes_from_a_first_photo_to_a_better_model(
    browser: Browser, walked: Ground, width: int, scheme: Scheme
) -> None:
    with closing(Visits(browser, walked.url)) as visits:
        walk, name = Walker(visits, width, scheme), f"pets-{scheme}"
        first_minute(walk, walked)
        broken_off(walk, walked)
        rule_tried(walk, name)
        looked_at(walk, name)
        rate_clicked(walk, name)
        run = watched(walk)
        cell_opened(walk)
        reviewed(walk, name)
        better = trained_again(walk, run)
        promoted_and_rolled_back(walk, better)
        predicted(walk, walked)
        cancelled_resumed_deleted(walk, better)
        walk.arrive()


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (1600, "dark")])
def test_each_view_is_whole_in_the_other_theme_too(
    browser: Browser, walked: Ground, width: int, scheme: Scheme
) -> None:
    with closing(Visits(browser, walked.url)) as visits:
        walk, search, seen = Walker(visits, width, scheme), cancelled_search(walked.url), set()
        for path, there in VIEWS.items():
            walk.go(path.format(search=search))
            walk.station(there)
            seen.add(walk.page.evaluate(SHOWN_VIEW))
        walk.arrive()
    assert seen == view_names()


def cancelled_search(url: str) -> int:
    """A search that is on record and trains nothing any more."""
    with Client(url) as client:
        job = client.search("first", {"batch_size": [4, 8]}, trials=1, minutes=5, arch=ARCH, epochs=1).job
        client.cancel(job)
        until(lambda: client.jobs.get(job).state == "cancelled", PATIENCE_MS / 1000)
    return job


def test_ten_tabs_load_and_live_while_two_runs_train(browser: Browser, walked: Ground) -> None:
    with closing(Visits(browser, walked.url)) as visits, training(walked.url, 2) as runs:
        walk = Walker(visits, 1600, "light")
        tabs = [walk.page, *(walk.page.context.new_page() for _ in range(TABS - 1))]
        places = {tab: place_of(number, runs) for number, tab in enumerate(tabs)}
        for tab, (path, _) in places.items():
            tab.goto(visits.address + path)
        for tab, (_, live) in places.items():
            moves(tab, live)
        for tab, (_, live) in places.items():
            tab.reload()
            moves(tab, live)
        walk.arrive()


@contextmanager
def training(url: str, count: int) -> Iterator[list[Run]]:
    """So many runs that do not end by themselves."""
    with Client(url) as client:
        runs = [client.train("first", **how_it_learns(FOREVER)) for _ in range(count)]
        try:
            yield runs
        finally:
            for run in runs:
                client.cancel(run.job)
            for run in runs:
                until(lambda job=run.job: client.jobs.get(job).state == "cancelled", PATIENCE_MS / 1000)  # type: ignore[misc]


def place_of(number: int, runs: list[Run]) -> tuple[str, str]:
    """Where a tab is, and what changes there: the list of runs, the queue, and mostly the runs themselves."""
    run = runs[number % len(runs)]
    if number == 0:
        return "/ui/runs", f"#progress-{run.job}"
    if number == 1:
        return "/ui/jobs", "#jobs-lanes"
    return f"/ui/runs/{run.id}", "#run-progress"


def moves(tab: Page, live: str) -> None:
    """What is shown of the training's steps becomes another, without anything done."""
    steps = re.compile(r"\d+/\d+")
    expect(tab.locator(live)).to_contain_text(steps)
    was = tab.locator(live).inner_text()
    expect(tab.locator(live)).not_to_have_text(was)
    expect(tab.locator(live)).to_contain_text(steps)
