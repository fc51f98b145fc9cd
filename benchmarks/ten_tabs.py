"""How long the page takes, and whether it stays live, with many tabs on a run that trains.

``python -m benchmarks.ten_tabs URL`` on a service that is training: opens tabs on its running run in a new profile of
the browser and reloads each a few times. It prints how long first loads and reloads took, to the page's own load event
and to the chart of the loss, and how many tabs then followed the training by events alone. It exits with 1 where any
chart, at a first load or a reload, took longer than allowed, or a tab did not follow.
"""

import argparse
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence

import httpx
from playwright.sync_api import BrowserContext, Page, sync_playwright
from playwright.sync_api import TimeoutError as TookTooLong

LIVE_SECONDS = 30.0
"""Within this time a training says something new."""
CHART = "[data-figure=loss] .main-svg"
SETTLE_SECONDS = 2.0
"""What a tab asked for before has come by then."""
PROGRESS = "document.querySelector('#run-progress').textContent"


def main() -> None:
    """Open, reload, wait, print."""
    asked = _arguments()
    run = _running_run(asked.url)
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as profile:
        flags = [] if os.getuid() else ["--no-sandbox"]
        # A profile on disk, as people have: only there does a browser keep what it has compiled of Plotly.
        context = playwright.chromium.launch_persistent_context(
            profile, executable_path=asked.chromium, args=[*flags, "--disable-gpu"]
        )
        tabs, first = _open(context, f"{asked.url}/ui/runs/{run}", asked.tabs)
        again = [_timed(tab, reload=True) for _ in range(asked.reloads) for tab in tabs]
        _print(f"{len(first)} first loads", first)
        _print(f"{len(again)} reloads", again)
        live = _count_live(tabs)
        print(f"live after it: {live} of {len(tabs)} tabs")
        context.close()
    worst = max(shown for _, shown in [*first, *again])
    print(
        f"longest of all {len(first) + len(again)} loads: {worst:.2f} s to the chart, {asked.most_seconds:g} s allowed"
    )
    sys.exit(None if live == len(tabs) and worst <= asked.most_seconds else 1)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", help="of a service that is training, such as http://127.0.0.1:8000")
    parser.add_argument("--tabs", type=int, default=10)
    parser.add_argument("--reloads", type=int, default=5, help="of each tab")
    parser.add_argument("--most-seconds", type=float, default=2.0, help="exit 1 where a load takes longer")
    parser.add_argument("--chromium", default=shutil.which("chromium"), help="the browser's program")
    asked = parser.parse_args()
    asked.url = asked.url.rstrip("/")
    if asked.chromium is None:
        parser.error("there is no chromium; name one with --chromium, or install Debian's package")
    return asked


def _running_run(url: str) -> int:
    runs = httpx.get(f"{url}/runs", params={"state": "running", "limit": 1}, timeout=30).json()["items"]
    if not runs:
        sys.exit(f"no run is training at {url}; start one: pedigree train --dataset NAME")
    return int(runs[0]["id"])


def _open(context: BrowserContext, address: str, count: int) -> tuple[list[Page], list[tuple[float, float]]]:
    tabs, times = [], []
    for _ in range(count):
        tab = context.new_page()
        times.append(_timed(tab, address=address))
        tabs.append(tab)
    return tabs, times


def _timed(tab: Page, *, address: str = "", reload: bool = False) -> tuple[float, float]:
    """Seconds to the load event, and to the chart."""
    start = time.monotonic()
    if reload:
        tab.reload()
    else:
        tab.goto(address)
    loaded = time.monotonic() - start
    tab.locator(CHART).first.wait_for()
    return loaded, time.monotonic() - start


def _print(what: str, times: Sequence[tuple[float, float]]) -> None:
    for name, seconds in zip(("page", "chart"), zip(*times, strict=True), strict=True):
        print(f"{what}, {name}: median {statistics.median(seconds):.2f} s, longest {max(seconds):.2f} s")


def _count_live(tabs: Sequence[Page]) -> int:
    """How many tabs hear of other progress than they show; a run that is shown is not asked for while it goes on."""
    tabs[0].wait_for_timeout(1000 * SETTLE_SECONDS)
    before = [tab.evaluate(PROGRESS) for tab in tabs]
    return sum(_moves(tab, was) for tab, was in zip(tabs, before, strict=True))


def _moves(tab: Page, was: str) -> bool:
    try:
        tab.wait_for_function(f"was => {PROGRESS} !== was", arg=was, timeout=1000 * LIVE_SECONDS)
    except TookTooLong:
        return False
    return True


if __name__ == "__main__":
    main()
