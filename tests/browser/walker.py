"""Somebody who walks through the whole page, and what is held at each station of the way."""

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, Locator, Page, Request, Response, expect

from tests.browser.test_looks import CUT, Scheme, violations
from tests.browser.visits import Visits

HIGH = {390: 844, 1600: 1000}
LEFT = "net::ERR_ABORTED"
"""What is asked for and not waited for, since the page is left."""


@dataclass
class Walker:
    """A page of one width and theme; collects what fails on the way."""

    visits: Visits
    width: int
    scheme: Scheme
    page: Page = field(init=False)
    failed: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        context = self.visits.context(self.width, HIGH[self.width], self.scheme)
        self._watch(context)
        self.page = context.new_page()

    def at(self, selector: str) -> Locator:
        """Of the view that is shown."""
        return self.page.locator(selector)

    def go(self, path: str) -> None:
        """As somebody who types the address."""
        self.page.goto(self.visits.address + path)

    def follow(self, name: str) -> None:
        """Choose a view above, and be there."""
        link = self.page.locator("nav[aria-label=Views]").get_by_text(name, exact=True)
        link.click()
        expect(link).to_have_attribute("aria-current", "page")

    def button(self, name: str) -> Locator:
        """The button that is called so."""
        return self.page.get_by_role("button", name=name)

    def agree(self, name: str) -> None:
        """Do what the dialog asks about."""
        self.page.locator("dialog[open]").get_by_role("button", name=name).click()
        expect(self.page.locator("dialog[open]")).to_have_count(0)

    def station(self, there: str) -> None:
        """Hold that what is seen here is whole, sound and readable for everybody."""
        expect(self.page.locator(there).first).to_be_visible()
        assert self.page.evaluate("document.documentElement.scrollWidth") <= self.width, there
        assert self.page.evaluate(CUT) == [], there
        assert violations(self.page) == [], there
        assert (self.visits.complaints, self.failed) == ([], []), there

    def arrive(self) -> None:
        """At the end nothing has failed, and nobody else was asked for anything."""
        assert (self.visits.complaints, self.failed, self.visits.elsewhere) == ([], [], [])
        assert self.hosts == {urlsplit(self.visits.address).netloc}

    def forgive(self, part: str) -> None:
        """What was broken on purpose is noted by the browser and is no fault."""
        self.visits.complaints[:] = [one for one in self.visits.complaints if part not in one]
        self.failed[:] = [one for one in self.failed if part not in one]

    def _watch(self, context: BrowserContext) -> None:
        context.on("requestfailed", self._lost)
        context.on("response", self._answered)
        context.on("request", self._asked)

    def _lost(self, request: Request) -> None:
        if request.failure != LEFT:
            self.failed.append(f"{request.failure} {request.url}")

    def _answered(self, response: Response) -> None:
        if response.status >= 400:
            self.failed.append(f"{response.status} {response.url}")

    def _asked(self, request: Request) -> None:
        if request.url.startswith("http"):
            self.hosts.add(urlsplit(request.url).netloc)
