"""Pages of the service in a browser, and what went wrong in them."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, FilePayload, Page, Request

VIEWS_MODULE = Path(__file__).parents[2] / "api/page/frame/views.js"
PATIENCE_MS = 60_000
"""What a busy machine may take until something is seen."""


STANDS = """within => {
  const view = document.querySelector(within).closest(".view") ?? document.querySelector(".view:not([hidden])");
  return Boolean(view && !view.hidden);
}"""


@dataclass
class Visits:
    """Opens pages in one profile and keeps what they complain of."""

    browser: Browser
    address: str
    complaints: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)
    contexts: list[BrowserContext] = field(default_factory=list)

    def context(
        self,
        width: int = 1280,
        height: int = 900,
        scheme: Literal["light", "dark"] = "light",
        zone: str = "Europe/Berlin",
    ) -> BrowserContext:
        """A profile of its own."""
        context = self.browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, locale="en-GB", timezone_id=zone
        )
        context.set_default_timeout(PATIENCE_MS)
        context.on("console", self._hear)
        context.on("weberror", lambda error: self.complaints.append(str(error.error)))
        context.on("request", self._see)
        self.contexts.append(context)
        return context

    def page(
        self, path: str = "/", width: int = 1280, height: int = 900, scheme: Literal["light", "dark"] = "light"
    ) -> Page:
        """A page that has loaded, in a profile of its own."""
        page = self.context(width, height, scheme).new_page()
        page.goto(self.address + path)
        return page

    def close(self) -> None:
        """End all of it."""
        for context in self.contexts:
            context.close()

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(f"{message.text} ({message.location['url']})")

    def _see(self, request: Request) -> None:
        if not request.url.startswith((self.address, "data:", "blob:")):
            self.elsewhere.append(request.url)


def view_names() -> set[str]:
    """The page's own list of its views."""
    return set(re.findall(r'^  (\w+): "\.\./', VIEWS_MODULE.read_text(), re.MULTILINE))


def attach(page: Page, chooser: str, files: Path | FilePayload | list[FilePayload]) -> None:
    """Choose files where their view stands: before, there is nobody who would take them."""
    stands(page, chooser)
    page.locator(chooser).set_input_files(files)


def stands(page: Page, within: str) -> None:
    """Wait until the view that has this is shown; of what is in none, until one is shown."""
    page.wait_for_function(STANDS, arg=within)
