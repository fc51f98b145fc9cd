"""The first part of the walk: a first answer, photos of one's own, and what is in them."""

import re

from playwright.sync_api import Route, expect

from tests.api.conftest import until
from tests.browser.test_home import give
from tests.browser.visits import PATIENCE_MS, attach
from tests.browser.walk_ground import FILLER, Ground
from tests.browser.walker import Walker

HEADLINES = "#answer h3"
PIECE = 8 * 1024 * 1024
ALL = "All 60 photos get a label: 3 breeds."


def first_minute(walk: Walker, ground: Ground) -> None:
    """Drop a photo, see the answer and the run that made it, come to where the next is started."""
    walk.go("/")
    walk.station("#behind-facts")
    assert give(walk.page, "drop", "#drop", mine=ground.photos["Bombay_1.jpg"])
    expect(walk.at(HEADLINES)).to_contain_text("Bombay")
    walk.station("#answer .bar")
    said = walk.at(HEADLINES).inner_text()
    walk.page.get_by_role("link", name="See the run that made it").click()
    expect(walk.at("#run-title")).to_contain_text(f"Run {ground.run} · the first")
    walk.station("[data-figure=schedule] .main-svg")
    walk.page.reload()
    expect(walk.at("#run-title")).to_contain_text(f"Run {ground.run} · the first")
    walk.page.go_back()
    expect(walk.at(HEADLINES)).to_have_text(said)
    walk.page.get_by_role("link", name="Start a training").click()
    expect(walk.at("#train-dataset")).to_be_visible()
    walk.page.go_back()
    walk.page.reload()
    expect(walk.at(HEADLINES)).to_have_text(said)


def broken_off(walk: Walker, ground: Ground) -> None:
    """An upload breaks in its second piece, the page is loaded again, and it goes on from there."""
    walk.follow("Data")
    walk.station("#datasets tbody tr")
    held: list[Route] = []

    def hold_second(route: Route) -> None:
        if route.request.method == "PATCH" and route.request.headers["upload-offset"] == str(PIECE):
            held.append(route)
        else:
            route.continue_()

    walk.page.route("**/uploads/*", hold_second)
    attach(walk.page, "#archive-file", ground.archive)
    until(lambda: bool(walk.page.evaluate("true") and held), PATIENCE_MS / 1000)
    held[0].abort("connectionreset")
    expect(walk.at("#sent-state")).to_contain_text("The connection is broken")
    walk.page.unroute("**/uploads/*")
    walk.page.reload()
    walk.forgive("/uploads/")
    expect(walk.at("#sent-state")).to_contain_text("Choose the same file")
    walk.station("#sending")
    offsets: list[int] = []
    walk.page.on(
        "request",
        lambda one: offsets.append(int(one.headers["upload-offset"])) if one.method == "PATCH" else None,
    )
    attach(walk.page, "#archive-file", ground.archive)
    expect(walk.at("#sent-state")).to_have_text("Arrived")
    assert PIECE <= offsets[0] < FILLER


def rule_tried(walk: Walker, name: str) -> None:
    """A pattern that fits, one that does not; and only then the import."""
    verdict = walk.at("#rule-outcome .verdict")
    expect(verdict).to_have_text(ALL)
    walk.at("#rule").select_option("pattern")
    walk.at("#rule-regex").fill(r"^([a-z]+)_\d+\.jpg$")
    expect(verdict).to_contain_text("of 60 photos get a label: 1 breed.")
    expect(walk.at("#import")).to_be_disabled()
    walk.station("#rule-outcome .bad")
    walk.at("#patterns").get_by_text("Oxford-IIIT Pet").click()
    expect(verdict).to_have_text(ALL)
    walk.at("#dataset-name").fill(name)
    walk.page.reload()
    expect(verdict).to_have_text(ALL)
    expect(walk.at("#rule")).to_have_value("pattern")
    expect(walk.at("#dataset-name")).to_have_value(name)
    walk.follow("Jobs")
    walk.page.go_back()
    expect(walk.at("#dataset-name")).to_have_value(name)
    walk.station("#rule-outcome table")
    walk.at("#import").click()
    walk.at("#importing a").click()


def looked_at(walk: Walker, name: str) -> None:
    """What the dataset holds: breeds, their photos, the file that is no photo, a batch."""
    expect(walk.at("#dataset-title")).to_contain_text(name)
    expect(walk.at("#left-out")).to_contain_text("filler.bin")
    walk.at("#dataset-breeds a").first.click()
    expect(walk.at("#dataset-photos img").first).to_be_visible()
    breed = walk.at("#photos-title").inner_text()
    walk.page.reload()
    expect(walk.at("#photos-title")).to_have_text(breed)
    expect(walk.at("#presizing img")).to_be_visible()
    walk.station("#batch img")
    walk.page.go_back()
    expect(walk.at("#photos")).to_be_hidden()
    expect(walk.page).to_have_url(re.compile(f"/ui/data/{name}$"))
