"""How soon each view of the page shows its content, where a service holds much: with 1,000 runs and 7,390 photos.

``python -m benchmarks.page_speed`` makes the content of `benchmarks.page_content` in a folder of its own (minutes; with
``--data FOLDER`` it is kept and used again), starts the real API on it, without workers, and opens Chromium. In each
turn, in new profiles of the browser:

- each view is opened by its address: from the start of the navigation until its content is painted, with nothing in the
  browser's cache ("opened") and once more ("reloaded"), and the browser's own first contentful paint of the former;
- each view is gone to by a link from the start, for the first time in this window ("gone to") and then again.

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
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from benchmarks.page_content import Content, content_of, servers

FIRST_MS, FURTHER_MS = 1000.0, 300.0
START_SECONDS = 180.0
PATIENCE_MS = 60_000
NUMBERS = re.compile(r"(?<=/)\d+(?=/|$)|(?<==)[0-9a-f,]{6,}|(?<=runs=)[\d,]+")
WATCH = """(() => {
performance.setResourceTimingBufferSize(5000);
let flying = 0;
let landed = 0;
const plain = window.fetch;
window.fetch = (...asked) => {
  flying += 1;
  return plain(...asked).finally(() => { flying -= 1; landed = performance.now(); });
};
const seen = (selector) => [...document.querySelectorAll(selector)].some((one) => one.getClientRects().length > 0);
const loaded = (selector) => {
  const [first] = document.querySelectorAll(selector);
  return Boolean(first?.complete && first.naturalWidth && first.getClientRects().length);
};
const painted = (ready) => new Promise((done, fail) => {
  const until = performance.now() + 60000;
  const look = () => {
    if (performance.now() > until) fail(new Error(`not seen within a minute: ${ready}`));
    else if (!ready()) requestAnimationFrame(look);
    else requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now())));
  };
  look();
});
const follow = (address) => {
  const link = document.body.appendChild(Object.assign(document.createElement("a"), { href: address }));
  const began = performance.now();
  link.click();
  link.remove();
  return began;
};
const quiet = () => new Promise((done) => {
  const look = () => (flying || performance.now() - landed < 400 ? setTimeout(look, 50) : done());
  look();
});
Object.assign(window, { seen, loaded, painted, follow, quiet });
})()"""
OPENED = "painted(() => %s)"
GONE_TO = "(() => { const began = follow('%s'); return painted(() => %s).then((shown) => shown - began); })()"
FIRST_PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null"
CALLS = """() => performance.getEntriesByType("resource").filter(({ initiatorType: kind }) => kind === "fetch")
  .map(({ name, duration, encodedBodySize }) => [name.slice(location.origin.length), duration, encodedBodySize])"""


@dataclass(frozen=True)
class View:
    """A view, and what must be seen of it; ``via`` is the address that its link stands at, else the start's."""

    name: str
    address: str
    ready: str
    via: str | None = None


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
        with _api(environment, folder) as (url, pid), sync_playwright() as playwright:
            flags = [] if os.getuid() else ["--no-sandbox"]
            browser = playwright.chromium.launch(executable_path=asked.chromium, args=[*flags, "--disable-gpu"])
            views = [view for view in views_of(content) if re.search(asked.only, view.name)]
            before = _memory(pid)
            first = _turn(browser, url, views, Times())
            times = Times()
            for _ in range(asked.turns):
                _turn(browser, url, views, times)
            told = {"machine": _machine(browser), "turns": asked.turns, "memory_mib": [before, _memory(pid)]}
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


def views_of(content: Content) -> list[View]:
    """All views, with what is useful of them."""
    run, (one, *others) = content.long_run, content.other_runs
    dataset = f"data/{content.dataset}"
    cards = "#view-home .card, #latest li"
    return [
        View("Predict", "", f"seen('#drop') && seen('#model option, #model') && seen('{cards}')", via="jobs"),
        View("Runs", "runs", "seen('#runs tbody tr')"),
        View("Compare 2", f"compare?runs={run},{one}", "seen('#compared tbody tr') && seen('#beside tbody tr')"),
        View("Compare 2, curves", f"compare?runs={one},{others[0]}", "seen('#compare-board figure')"),
        View(
            "Compare 4",
            f"compare?runs={run},{one},{','.join(map(str, others))}",
            "seen('#compared tbody tr:nth-child(4)') && seen('#beside tbody tr')",
        ),
        View("Run", f"runs/{run}", "seen('#run-facts *') && seen('#epochs tbody tr')"),
        View("Run, chart", f"runs/{run}", "seen('#figures figure .main-svg, #figures figure img')"),
        View(
            "Run, mistakes",
            f"runs/{run}?tab=mistakes",
            "seen('#worst li') && seen('#scores tbody tr')",
            via=f"runs/{run}",
        ),
        View("Run, settings", f"runs/{run}?tab=config", "seen('#settings table')", via=f"runs/{run}"),
        View("Run, files", f"runs/{run}?tab=files", "seen('#files tbody tr')", via=f"runs/{run}"),
        View("Train", "train", "seen('#train-archs label') && seen('#train-main input')"),
        View("Data", "data", "seen('#datasets tbody tr')"),
        View("Dataset", dataset, "seen('#dataset-breeds li') && seen('#near-duplicates *')"),
        View("Dataset, breed", f"{dataset}?breed=Birman", "loaded('#dataset-photos img')", via=dataset),
        View("Dataset, batch", dataset, "loaded('#batch img')"),
        View("Review", f"{dataset}/review", "loaded('#review-stage img')"),
        View("Models", "models", "seen('#versions tbody tr') && seen('#aliases li')"),
        View("Version", f"models/{content.version}", "seen('#stands li') && seen('#exports li')"),
        View("Jobs", "jobs", "seen('#jobs-lanes li') && seen('#jobs-done li')"),
    ]


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


@contextmanager
def _api(environment: Mapping[str, str], folder: Path) -> Iterator[tuple[str, int]]:
    """Its address, and its process."""
    with socket.socket() as listener, (folder / "api.log").open("w") as log:
        listener.bind(("127.0.0.1", 0))
        listener.listen(100)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        command = [sys.executable, "-m", "api", "--fd", str(listener.fileno())]
        held = [listener.fileno()]
        with subprocess.Popen(command, env=dict(environment), pass_fds=held, stdout=log, stderr=log) as api:
            try:
                _wait(url, api)
                yield url, api.pid
            finally:
                api.terminate()


def _wait(url: str, api: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and api.poll() is None:
        try:
            if httpx.get(f"{url}/readyz", timeout=10, trust_env=False).is_success:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.2)
    sys.exit("the API did not start; its log is api.log in the data folder")


def _memory(pid: int) -> dict[str, int]:
    """MiB of the API's process: now, and at most so far."""
    lines = (line.split() for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    found = {words[0]: int(words[1]) // 1024 for words in lines if words[0] in {"VmRSS:", "VmHWM:"}}
    return {"now": found["VmRSS:"], "most": found["VmHWM:"]}


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
    rows = [(statistics.median(one for one, _ in found), path, found) for path, found in times.calls.items()]
    for median, path, found in sorted(rows, reverse=True):
        size = max(size for _, size in found)
        print(f"| {path} | {len(found)} | {median:.0f} | {max(one for one, _ in found):.0f} | {size} |")


def _missed(times: Times) -> bool:
    bounds = {"opened": FIRST_MS, "reloaded": FIRST_MS, "gone to": FURTHER_MS, "again": FURTHER_MS}
    return any(statistics.median(found[way]) > bound for found in times.views.values() for way, bound in bounds.items())


def _say(what: str) -> None:
    sys.stderr.write(f"{time.strftime('%X')} {what}\n")


if __name__ == "__main__":
    main()
