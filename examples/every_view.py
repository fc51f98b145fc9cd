"""Every view of the page as a picture, light and dark, at two widths: to look at after a change.

    python examples/every_view.py http://127.0.0.1:8000 FOLDER

Needs Chromium and what `make install` brings, and a service without keys on which a training has succeeded. Pictures
are of the whole view, `NAME-WIDTH-THEME.png`; a view that is as long as a book is cut.
"""

import argparse
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
from playwright.sync_api import Browser, sync_playwright

WIDTHS = (390, 1600)
THEMES = ("light", "dark")
HEIGHT, MOST_HEIGHT = 900, 6000
SETTLE_MS = 2000
"""What is drawn after all has been asked for: charts, and photos of a grid."""


def main() -> None:
    """Take all of them."""
    asked = _arguments()
    asked.folder.mkdir(parents=True, exist_ok=True)
    with httpx.Client(base_url=asked.url, timeout=30) as service:
        views = dict(_views(service))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=asked.chromium, args=["--no-sandbox", "--disable-gpu"])
        for theme in THEMES:
            for width in WIDTHS:
                _take_all(browser, asked, views, theme, width)
        browser.close()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url", type=lambda url: url.rstrip("/"), help="of the service")
    parser.add_argument("folder", type=Path, help="where the pictures go")
    parser.add_argument("--chromium", default=shutil.which("chromium"), help="the browser's program")
    asked = parser.parse_args()
    if asked.chromium is None:
        parser.error("there is no chromium; name one with --chromium, or install Debian's package")
    return asked


def _views(service: httpx.Client) -> Iterator[tuple[str, str]]:
    """Each view's name and its address below the page; what is not there yet is left out."""
    yield from {name: name for name in ("runs", "train", "data", "models", "label", "jobs", "team", "searches")}.items()
    yield "predict", ""
    runs = service.get("/runs", params={"state": "succeeded", "kind": "train", "limit": 2}).json()["items"]
    if not runs:
        raise SystemExit("no training has succeeded yet; `make demo` makes one")
    for tab in ("", "mistakes", "config", "files"):
        yield f"run-{tab or 'curves'}", f"runs/{runs[0]['id']}?tab={tab}"
    if len(runs) > 1:
        yield "compare", f"compare?runs={runs[-1]['id']},{runs[0]['id']}"
    dataset = runs[0]["dataset"]["name"]
    yield "dataset", f"data/{dataset}"
    yield "review", f"data/{dataset}/review"
    yield "review-grid", f"data/{dataset}/review?view=grid&source=top_losses"
    for model in service.get("/models", params={"limit": 1}).json()["items"]:
        yield "model", f"models/{model['version']}"
    for search in service.get("/jobs", params={"kind": "search", "limit": 1}).json()["items"]:
        yield "search", f"searches/{search['id']}"


def _take_all(browser: Browser, asked: argparse.Namespace, views: dict[str, str], theme: str, width: int) -> None:
    page = browser.new_page(
        viewport={"width": width, "height": HEIGHT}, color_scheme="dark" if theme == "dark" else "light"
    )
    for name, address in views.items():
        page.goto(f"{asked.url}/ui/{address}")
        page.wait_for_load_state("networkidle")
        page.wait_for_timeout(SETTLE_MS)
        tall = min(MOST_HEIGHT, page.evaluate("document.documentElement.scrollHeight"))
        clip = {"x": 0, "y": 0, "width": width, "height": tall}
        page.screenshot(path=asked.folder / f"{name}-{width}-{theme}.png", full_page=True, clip=clip)  # type: ignore[arg-type] # the same fields as FloatRect
    page.close()


if __name__ == "__main__":
    main()
