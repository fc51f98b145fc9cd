"""Pictures of the page for the README, from a running service with the drawn sample.

    make demo
    pedigree train --dataset sample --arch mobilenet_v2 --epochs 1 --follow
    python examples/pictures.py http://127.0.0.1:8000 docs/pictures

Needs Chromium and what `make install` brings. Two trainings must have succeeded, the last of them on the sample, and a
model must be in production. A drawn photo is asked about; no other picture is in what is taken.
"""

import argparse
import shutil
from io import BytesIO
from pathlib import Path

import httpx
from PIL import Image
from playwright.sync_api import Page, sync_playwright

WIDTH, HEIGHT = 1200, 900
COLOURS = 160
"""Of a picture: a third of the bytes, and nobody sees it."""
SETTLE_MS = 2500
"""What is drawn after all has been asked for: charts, and photos of a grid."""


def main() -> None:
    """Take all of them."""
    asked = _arguments()
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


if __name__ == "__main__":
    main()
