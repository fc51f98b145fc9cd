"""A service that is not there for a moment, as a page meets it, and what each view shows once it is back."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from playwright.sync_api import BrowserContext, Page, Request, Route, TimeoutError  # noqa: A004 - Playwright's own

from tests.api.datasets.doubtful import photos, predicted_run
from tests.api.jobs.test_search import with_trials
from tests.api.records import Records
from tests.browser.registered import several
from tests.browser.test_label import answer, served
from tests.browser.visits import PATIENCE_MS, Visits
from tests.browser.worlds import busy

QUICK_MS = 300
"""How often the page looks again in these tests."""
REFRESHES = re.compile(r"const REFRESH_MS = \d+;")
OF_THE_PAGE = ("/ui/", "/events")
NOT_NOW = {
    "title": "Service unavailable",
    "status": 503,
    "code": "unavailable",
    "detail": "the database does not answer",
}
Fail = Callable[[Route], None]
FAILS: dict[str, Fail] = {
    "503": lambda route: route.fulfill(status=503, json=NOT_NOW, content_type="application/problem+json"),
    "a proxy": lambda route: route.fulfill(status=502, body="<h1>Bad gateway</h1>", content_type="text/html"),
    "no connection": lambda route: route.abort("connectionfailed"),
}
"""What stands between a page and a service that is away."""

SHOWN = """() => {
  const view = document.querySelector(".view:not([hidden])");
  if (view === null) return null;
  // With each look another request is taken.
  view.querySelector("#limit-requests")?.replaceChildren();
  const seen = [...view.querySelectorAll("*")].filter((part) => !part.closest(".chart"));
  return {
    text: view.innerText.replace(/\\s+/g, " ").trim(),
    parts: seen.length,
    typed: seen.filter(({ value }) => typeof value === "string").map(({ value }) => value),
    hidden: seen.filter(({ hidden }) => hidden).map(({ id }) => id),
  };
}"""
"""All that is to be the same in a view that came at once and in one that came at last."""
IS_SHOWN = f"wanted => JSON.stringify(({SHOWN})()) === JSON.stringify(wanted)"


def _in_production(visits: Visits, records: Records, folder: Path) -> int:
    good = busy(records, folder).good
    served(visits, good)
    return good.id


def _label(visits: Visits, records: Records, folder: Path) -> str:
    served(visits, predicted_run(records, photos(records, folder / "pets")))
    job = httpx.post(f"{visits.address}/jobs", json={"kind": "predict", "dataset": "pets", "model": "1"}, timeout=60)
    answer(records, "predict", ("pug_20.jpg", "Birman_12.jpg"))
    return f"label?job={job.json()['id']}"


def _review(_: Visits, records: Records, folder: Path) -> str:
    predicted_run(records, photos(records, folder / "pets"))
    return "data/pets/review"


def _compare(_: Visits, records: Records, folder: Path) -> str:
    world = busy(records, folder)
    return f"compare?runs={world.good.id},{world.other.id}"


def _models(path: str) -> Callable[[Visits, Records, Path], str]:
    def made(_: Visits, records: Records, folder: Path) -> str:
        several(records, folder)
        return path

    return made


def _busy(path: str) -> Callable[[Visits, Records, Path], str]:
    def made(visits: Visits, records: Records, folder: Path) -> str:
        return path.format(run=_in_production(visits, records, folder))

    return made


def _searches(records: Records) -> str:
    with_trials(records)
    return "searches"


VIEWS: dict[str, tuple[Callable[[Visits, Records, Path], str], str]] = {
    "home": (_busy(""), "#behind-facts a"),
    "runs": (_busy("runs?state=succeeded&pick=1"), "#runs tbody tr"),
    "run": (_busy("runs/{run}?tab=mistakes&actual=american_setter"), "#worst li"),
    "compare": (_compare, "#compared tbody tr"),
    "train": (_busy("train?dataset=pets"), "#train-sum dd"),
    "data": (_busy("data"), "#datasets tbody tr"),
    "dataset": (_busy("data/pets?breed=american_setter"), "#batch img"),
    "review": (_review, "#review-stage img"),
    "label": (_label, "#label-stage img"),
    "models": (_models("models"), "#drift .sentence"),
    "model": (_models("models/4"), "#model-drift .sentence"),
    "jobs": (_busy("jobs"), "#jobs-done li"),
    "team": (_busy("team"), "#changes tbody tr"),
    "searches": (lambda _, records, __: _searches(records), "#searches li"),
    "study": (lambda _, records, __: f"searches/{with_trials(records)}", "#study-figures .chart"),
}
"""Where each view is, in a world that it has something to show of, and what is there once it is whole."""


class Away:
    """The service does not answer the first request to each address: each question of a view fails in its turn."""

    def __init__(self, fail: Fail) -> None:
        self.fail = fail
        self.asked: set[str] = set()

    def __call__(self, route: Route, request: Request) -> None:
        path = request.url
        if urlsplit(path).path.startswith(OF_THE_PAGE) or request.resource_type == "image" or path in self.asked:
            route.continue_()
            return
        self.asked.add(path)
        self.fail(route)


def hasten(context: BrowserContext) -> None:
    """The page looks again much sooner than it does for people."""

    def quick(route: Route) -> None:
        found = route.fetch()
        route.fulfill(response=found, body=REFRESHES.sub(f"const REFRESH_MS = {QUICK_MS};", found.text()))

    context.route("**/frame/page.js", quick)


def shown(page: Page, whole: str) -> Any:  # noqa: ANN401 - JSON
    """What a view shows that is whole and at rest."""
    page.locator(f".view:not([hidden]) {whole}").first.wait_for()
    before = None
    while before != (before := page.evaluate(SHOWN)):
        page.wait_for_timeout(1000)
    return before


def comes_to(page: Page, wanted: Any) -> None:  # noqa: ANN401 - JSON
    """The view shows that, within the time that a busy machine needs."""
    try:
        page.wait_for_function(IS_SHOWN, arg=wanted, timeout=PATIENCE_MS)
    except TimeoutError:
        assert page.evaluate(SHOWN) == wanted
        raise
