"""How soon each view of the page shows its content, where a service holds much: with 1,000 runs and 7,390 photos.

``python -m benchmarks.page_speed`` makes the content of `benchmarks.page_content` in a folder of its own (minutes; with
``--data FOLDER`` it is kept and used again), starts the real API on it, without workers, and opens Chromium. In each
turn, in new profiles of the browser:

- each view is opened by its address: from the start of the navigation until its content is painted, with nothing in the
  browser's cache ("opened") and once more ("reloaded"), and the browser's own first contentful paint of the former;
- each view is gone to by a link from the start, for the first time in this window ("gone to") and then again, where
  what the page has kept of it counts.

"Painted" is two animation frames after the content stood in the document. The turn before the first, just after the API
has started, is told apart: "after start". Printed are medians and the largest of all turns, each API call's own times
and bytes, as the browser saw them, and the API's memory. It exits with 1 where a median is above the bounds: 1 s to the
first useful paint, 300 ms for each further view.
"""

import argparse
import json
import os
import platform
import re
import shutil
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from benchmarks.page_content import content_of
from benchmarks.page_service import api, memory, servers
from benchmarks.page_views import WATCH, View, views_of

FIRST_MS, FURTHER_MS = 1000.0, 300.0
PATIENCE_MS = 60_000
NUMBERS = re.compile(r"(?<=/)\d+(?=/|$)|(?<==)[0-9a-f,]{6,}|(?<=runs=)[\d,]+")
OPENED = "painted(() => %s)"
GONE_TO = "(() => { const began = follow('%s'); return painted(() => %s).then((shown) => shown - began); })()"
FIRST_PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null"
CALLS = """() => performance.getEntriesByType("resource").filter(({ initiatorType: kind }) => kind === "fetch")
  .map(({ name, duration, encodedBodySize }) => [name.slice(location.origin.length), duration, encodedBodySize])"""


@dataclass
class Times:
    """Milliseconds, by view and way; of calls by path, with bytes."""

    views: dict[str, dict[str, list[float]]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(list)))
    calls: dict[str, list[tuple[float, int]]] = field(default_factory=lambda: defaultdict(list))

    def add(self, view: View, way: str, milliseconds: float) -> None:
        """One more."""
        self.views[view.name][way].append(milliseconds)

    def hear(self, page: Page) -> None:
        """What the page has asked for."""
        for path, duration, size in page.evaluate(CALLS):
            self.calls[NUMBERS.sub("N", path)].append((duration, size))


def main() -> None:
    """Make, start, look, print."""
    asked = _arguments()
    with _folder(asked.data) as folder, servers(folder) as environment:
        content = content_of(folder, environment)
        with api(environment, folder) as (url, pid), sync_playwright() as playwright:
            flags = [] if os.getuid() else ["--no-sandbox"]
            browser = playwright.chromium.launch(executable_path=asked.chromium, args=[*flags, "--disable-gpu"])
            views = [view for view in views_of(content) if re.search(asked.only, view.name)]
            before = memory(pid)
            first = _turn(browser, url, views, Times())
            times = Times()
            for _ in range(asked.turns):
                _turn(browser, url, views, times)
            told = {"machine": _machine(browser), "turns": asked.turns, "memory_mib": [before, memory(pid)]}
            browser.close()
    print(json.dumps(told))
    _print(first, times)
    sys.exit(1 if _missed(times) else 0)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="a folder that the content is kept in")
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--only", default="", help="a pattern: only the views whose name has it")
    parser.add_argument("--chromium", default=shutil.which("chromium"), help="the browser's program")
    asked = parser.parse_args()
    if asked.chromium is None:
        parser.error("there is no chromium; name one with --chromium, or install Debian's package")
    return asked


def _turn(browser: Browser, url: str, views: Sequence[View], times: Times) -> Times:
    for view in views:
        with _window(browser) as context:
            _open(context, url, view, times)
    with _window(browser) as context:
        page = context.new_page()
        for way in ("gone to", "again"):
            for view in views:
                _go_to(page, url, view, way, times)
        times.hear(page)
    return times


def _open(context: BrowserContext, url: str, view: View, times: Times) -> None:
    page = context.new_page()
    _say(f"{view.name}, opened")
    for way in ("opened", "reloaded"):
        page.goto(f"{url}/ui/{view.address}", wait_until="commit")
        times.add(view, way, page.evaluate(OPENED % view.ready))
        if way == "opened":
            times.add(view, "first paint", page.evaluate(FIRST_PAINT))
        page.evaluate("quiet()")
    times.hear(page)


def _go_to(page: Page, url: str, view: View, way: str, times: Times) -> None:
    """By a link, from another view that has come to rest; the window is loaded once only."""
    base = f"{url}/ui/"
    via = base + (view.via or "")
    _say(f"{view.name}, {way}")
    if page.url.startswith(base):
        page.evaluate(f"follow('{via}')")
    else:
        page.goto(via)
    page.evaluate("quiet()")
    times.add(view, way, page.evaluate(GONE_TO % (base + view.address, view.ready)))
    page.evaluate("quiet()")


@contextmanager
def _window(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, locale="en-GB")
    context.set_default_timeout(PATIENCE_MS)
    context.add_init_script(WATCH)
    yield context
    context.close()


@contextmanager
def _folder(named: Path | None) -> Iterator[Path]:
    if named is not None:
        named.mkdir(parents=True, exist_ok=True)
        yield named.absolute()
        return
    with tempfile.TemporaryDirectory() as made:
        yield Path(made)


def _machine(browser: Browser) -> dict[str, Any]:
    return {
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "load": [round(one, 1) for one in os.getloadavg()],
        "python": platform.python_version(),
        "chromium": browser.version,
    }


def _print(first: Times, times: Times) -> None:
    ways = ("first paint", "opened", "reloaded", "gone to", "again")
    print("\nmilliseconds, median (largest)\n")
    print(f"| view | after start | {' | '.join(ways)} |\n|---|{'--:|' * (1 + len(ways))}")
    for name, found in times.views.items():
        cold = f"{first.views[name]['opened'][0]:.0f}"
        cells = [f"{statistics.median(found[way]):.0f} ({max(found[way]):.0f})" for way in ways]
        print(f"| {name} | {cold} | {' | '.join(cells)} |")
    print("\n| call | n | median ms | largest | bytes |\n|---|--:|--:|--:|--:|")
    rows = [(statistics.median(one for one, _ in asked), path, asked) for path, asked in times.calls.items()]
    for median, path, asked in sorted(rows, reverse=True):
        size = max(size for _, size in asked)
        print(f"| {path} | {len(asked)} | {median:.0f} | {max(one for one, _ in asked):.0f} | {size} |")


def _missed(times: Times) -> bool:
    bounds = {"opened": FIRST_MS, "reloaded": FIRST_MS, "gone to": FURTHER_MS, "again": FURTHER_MS}
    return any(statistics.median(found[way]) > bound for found in times.views.values() for way, bound in bounds.items())


def _say(what: str) -> None:
    sys.stderr.write(f"{time.strftime('%X')} {what}\n")


if __name__ == "__main__":
    main()
