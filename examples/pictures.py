"""Pictures of the page, from a running service with the drawn sample: for the README, or of every view to look at.

    make demo
    pedigree train --dataset sample --arch mobilenet_v2 --epochs 1 --follow
    python examples/pictures.py http://127.0.0.1:8000 docs/pictures

Needs Chromium and what `make install` brings. Two trainings must have succeeded, the last of them on the sample, and a
model must be in production. A drawn photo is asked about; no other picture is in what is taken.

With ``--every`` it is each view, light and dark, at two widths, as `NAME-WIDTH-THEME.png`, to look at after a change; a
view that is as long as a book is cut. One training is enough, on a service without keys.
"""

import argparse
import shutil
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import httpx
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

WIDTH, HEIGHT = 1200, 900
COLOURS = 160
"""Of a picture: a third of the bytes, and nobody sees it."""
WIDTHS, THEMES, MOST_HEIGHT = (390, 1600), ("light", "dark"), 6000
"""Of every view."""
SETTLE_MS = 2500
"""What is drawn after all has been asked for: charts, and photos of a grid."""


def main() -> None:
    """Take all of them."""
    asked = _arguments()
    asked.folder.mkdir(parents=True, exist_ok=True)
    if asked.every:
        _take_every(asked)
    else:
        _take_for_readme(asked)


def _take_for_readme(asked: argparse.Namespace) -> None:
    with httpx.Client(base_url=asked.url, timeout=30) as service:
        runs = service.get("/runs", params={"state": "succeeded", "kind": "train", "limit": 2}).json()["items"]
        if len(runs) < 2:  # noqa: PLR2004
            raise SystemExit("two trainings must have succeeded: see the head of this script")
        newest, before = (run["id"] for run in runs)
        photos = service.get(f"/runs/{newest}/items", params={"limit": 3}).json()["items"]
        files = [service.get(photo["image"]).content for photo in photos]
    views = {
        "runs": "runs",
        "run": f"runs/{newest}",
        "mistakes": f"runs/{newest}?tab=mistakes",
        "compare": f"compare?runs={before},{newest}",
        "train": "train",
        "review": "data/sample/review",
    }
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=asked.chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        _predict(page, asked.url, files)
        _take(page, asked.folder / "predict.png")
        for name, address in views.items():
            page.goto(f"{asked.url}/ui/{address}")
            _take(page, asked.folder / f"{name}.png")
        browser.close()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url", type=lambda url: url.rstrip("/"), help="of the service")
    parser.add_argument("folder", type=Path, help="where the pictures go")
    parser.add_argument("--every", action="store_true", help="each view in both themes and at two widths")
    parser.add_argument("--chromium", default=shutil.which("chromium"), help="the browser's program")
    asked = parser.parse_args()
    if asked.chromium is None:
        parser.error("there is no chromium; name one with --chromium, or install Debian's package")
    return asked


def _predict(page: Page, url: str, files: list[bytes]) -> None:
    page.goto(f"{url}/ui/")
    named = [
        {"name": f"pet-{number + 1}.jpg", "mimeType": "image/jpeg", "buffer": data} for number, data in enumerate(files)
    ]
    page.locator("#photo").set_input_files(files=named)  # type: ignore[arg-type] # the same fields as FilePayload
    page.get_by_text(f"{len(files)} of {len(files)} photos answered").wait_for()


def _take(page: Page, path: Path) -> None:
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(SETTLE_MS)
    with Image.open(BytesIO(page.screenshot())) as picture:
        picture.convert("RGB").quantize(COLOURS).save(path, optimize=True)


def _take_every(asked: argparse.Namespace) -> None:
    with httpx.Client(base_url=asked.url, timeout=30) as service:
        views = dict(_every_view(service))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=asked.chromium, args=["--no-sandbox", "--disable-gpu"])
        for theme in THEMES:
            for width in WIDTHS:
                _take_all(browser, asked, views, theme, width)
        browser.close()


def _every_view(service: httpx.Client) -> Iterator[tuple[str, str]]:
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
