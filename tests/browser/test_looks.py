"""That the page can be read by everybody: at every width, light and dark, by keyboard and by a screen reader."""

from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Page, expect

from store.db.models import Run
from tests.api.records import Records
from tests.browser.visits import Visits
from tests.browser.worlds import BREEDS, World, busy

pytestmark = pytest.mark.browser

AXE = (files("axe_playwright_python") / "axe.min.js").read_text()
# What is inside a chart is one picture with words for it.
AXE_RUN = "async () => (await axe.run({ exclude: ['.svg-container'] }, { resultTypes: ['violations'] })).violations"
Scheme = Literal["light", "dark"]

COLOURS = {
    "light": ("rgb(255, 255, 255)", "rgb(31, 35, 40)"),
    "dark": ("rgb(29, 32, 36)", "rgb(232, 230, 227)"),
}
"""Ground and ink."""
CUT = """
() => [...document.querySelectorAll("main *, header *")].filter((part) => {
  if (part.closest(".scroll, .unseen, thead, svg, .chart")) return false;
  const box = part.getBoundingClientRect();
  return box.width > 0 && (box.right > innerWidth + 1 || box.left < -1 || part.scrollWidth > part.clientWidth + 1 &&
    getComputedStyle(part).overflowX !== "visible");
}).map((part) => part.outerHTML.slice(0, 120))
"""
"""What lies beyond the window, or is wider than its own box, and does not scroll."""

CLASHES = """
() => [...document.querySelectorAll(".js-plotly-plot")].flatMap((chart) => {
  const frame = chart.querySelector(".main-svg").getBoundingClientRect();
  const texts = [...chart.querySelectorAll("text")].filter((text) => text.textContent.trim() && !text.closest(".hm"));
  const boxes = texts.map((text) => text.getBoundingClientRect());
  const cut = ({ left, right, top, bottom }) =>
    left < frame.left - 1 || right > frame.right + 1 || top < frame.top - 1 || bottom > frame.bottom + 1;
  const meets = (one, other) => one.left + 1 < other.right - 1 && other.left + 1 < one.right - 1
    && one.top + 2 < other.bottom - 2 && other.top + 2 < one.bottom - 2;
  const clashes = (box, i) => box.width && (cut(box) || boxes.slice(0, i).some((one) => meets(one, box)));
  return texts.filter((_, i) => clashes(boxes[i], i))
    .map((text) => `${chart.closest("figure").dataset.figure}: ${text.textContent}`);
})
"""
"""Texts of charts that lie beyond their chart or on each other."""

HIDES = """
(part) => ({
  right: part.scrollWidth > part.clientWidth + 1,
  bottom: part.scrollHeight > part.clientHeight + 1,
  shown: part.dataset.more,
  fades: getComputedStyle(part).getPropertyValue("--fade-right") !== "0px",
  reached: part.tabIndex === 0,
})
"""


def show(visits: Visits, path: str, width: int, scheme: Scheme = "light") -> Page:
    page = visits.page(path, width, scheme=scheme)
    expect(page.locator("#served")).not_to_have_text("…")
    return page


def whole(page: Page) -> None:
    """Wait until the mistakes of a finished run are there with everything."""
    expect(page.locator(".js-plotly-plot .main-svg")).not_to_have_count(0)
    expect(page.locator("[data-figure=reliability] .main-svg").first).to_be_visible()
    expect(page.get_by_role("application")).to_be_visible()


def wears(page: Page, scheme: Scheme) -> None:
    """The charts have the page's ground and ink."""
    ground, ink = COLOURS[scheme]
    for name in ("confusion", "reliability"):
        expect(page.locator(f"[data-figure={name}] .main-svg").first).to_have_css("background-color", ground)
        expect(page.locator(f"[data-figure={name}] .gtitle").first).to_have_css("fill", ink)


@pytest.mark.parametrize("width", [390, pytest.param(1024, marks=pytest.mark.thorough), 1600])
def test_nothing_is_cut_at_any_width_and_what_scrolls_shows_it(
    visits: Visits, records: Records, tmp_path: Path, width: int
) -> None:
    world = busy(records, tmp_path)
    page = show(visits, f"/ui/runs/{world.good.id}?tab=mistakes", width)
    whole(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(CUT) == []
    # The charts fit; the matrix of all breeds fits or shows that it goes on.
    assert not page.locator("[data-figure=reliability] .scroll").evaluate(HIDES)["right"]
    matrix = page.locator("[data-figure=confusion] .scroll")
    hint = page.locator("[data-figure=confusion] .sideways")
    state = matrix.evaluate(HIDES)
    assert state["right"] == state["fades"] == (width < 1600)
    expect(hint).to_be_visible() if width < 1600 else expect(hint).to_be_hidden()
    if width < 1600:
        matrix.evaluate("part => part.scrollTo({ left: 99999 })")
        expect(matrix).to_have_attribute("data-more", "left")
    for part in page.locator(".scroll:visible").all():
        state = part.evaluate(HIDES)
        assert ("right" in state["shown"] or "left" in state["shown"]) == state["right"], part.inner_html()[:200]
        assert state["reached"] or not (state["right"] or state["bottom"]), part.inner_html()[:200]
    page.locator("#run-tabs").get_by_text("Curves").click()
    expect(page.locator("[data-figure=schedule] .main-svg").first).to_be_visible()
    assert page.evaluate(CUT) == []
    for name in ("loss", "schedule"):
        assert not page.locator(f"[data-figure={name}] .scroll").evaluate(HIDES)["right"], name


def test_a_matrix_of_few_breeds_fits_a_telephone(visits: Visits, records: Records) -> None:
    page = show(visits, f"/ui/runs/{records.finished().id}?tab=mistakes", 390)
    expect(page.locator("[data-figure=confusion] .main-svg").first).to_be_visible()
    matrix = page.locator("[data-figure=confusion] .scroll")
    assert not matrix.evaluate(HIDES)["right"]
    expect(page.locator("[data-figure=confusion] .sideways")).to_be_hidden()
    cells = page.locator("[data-figure=confusion] .nsewdrag.drag").bounding_box()
    assert cells is not None
    assert cells["width"] / 3 > 40
    assert page.evaluate(CLASHES) == []


@pytest.mark.parametrize(("width", "name"), [(390, "a rather long name of a run " * 3), (1600, "W" * 180)])
def test_texts_of_charts_have_room_of_their_own(
    visits: Visits, records: Records, tmp_path: Path, width: int, name: str
) -> None:
    world = busy(records, tmp_path)
    with records.sessions.begin() as session:
        for run in (world.good, world.search):
            session.get_one(Run, run.id).name = name
    page = show(visits, f"/ui/runs/{world.good.id}?tab=mistakes", width)
    whole(page)
    assert page.evaluate(CLASHES) == []
    page.goto(f"{visits.address}/ui/runs/{world.search.id}")
    expect(page.locator("[data-figure=lr-find] .main-svg").first).to_be_visible()
    assert page.evaluate(CLASHES) == []
    assert visits.complaints == []


@pytest.mark.parametrize(
    ("scheme", "other"), [("light", "dark"), pytest.param("dark", "light", marks=pytest.mark.thorough)]
)
def test_charts_take_the_colours_of_the_page_and_follow_them(
    visits: Visits, records: Records, tmp_path: Path, scheme: Scheme, other: Scheme
) -> None:
    world = busy(records, tmp_path)
    page = show(visits, f"/ui/runs/{world.good.id}?tab=mistakes", 1280, scheme)
    whole(page)
    wears(page, scheme)
    page.emulate_media(color_scheme=other)
    wears(page, other)


def test_axe_finds_nothing_in_any_view_and_none_complains_in_the_console(
    visits: Visits, records: Records, tmp_path: Path
) -> None:
    world = busy(records, tmp_path)
    page = show(visits, "/", 390, "dark")
    assert violations(page) == []
    for path, there in views(world):
        page.goto(visits.address + path)
        expect(page.locator(there).first).to_be_visible()
        assert violations(page) == [], path
    page.set_viewport_size({"width": 1024, "height": 900})
    page.emulate_media(color_scheme="light")
    page.goto(f"{visits.address}/ui/runs/{world.good.id}?tab=mistakes")
    whole(page)
    assert violations(page) == []
    assert (visits.complaints, visits.elsewhere) == ([], [])


def views(world: World) -> list[tuple[str, str]]:
    return [
        (f"/ui/runs/{world.good.id}", "[data-figure=schedule] .main-svg"),
        (f"/ui/runs/{world.good.id}?tab=mistakes", "[data-figure=reliability] .main-svg"),
        (f"/ui/runs/{world.good.id}?actual={BREEDS[0]}", "#shots-grid li"),
        (f"/ui/runs/{world.good.id}?tab=config", "#settings table"),
        (f"/ui/runs/{world.good.id}?tab=files", "#files tbody tr"),
        (f"/ui/runs/{world.good.id}?photo=2", "#photo-view[open]"),
        (f"/ui/runs/{world.failed.id}", "#run-error"),
        (f"/ui/runs/{world.search.id}", "#rates table"),
        ("/ui/data/pets", "#presizing img"),
        ("/ui/", "#no-model"),
        ("/ui/runs", "#runs tbody tr"),
        ("/ui/data", "#datasets tbody tr"),
        ("/ui/models", "#models-title"),
        ("/ui/jobs", "#jobs-title"),
        ("/ui/team", "#key-first"),
        ("/ui/train", "#train-title"),
    ]


MARKED = """() => [...document.querySelectorAll(".scroll:not([data-keys])")].every((part) => {
  const { scrollWidth, scrollHeight, clientWidth, clientHeight } = part;
  return part.tabIndex === 0 || (scrollWidth <= clientWidth + 1 && scrollHeight <= clientHeight + 1);
})"""
"""What scrolls is marked a frame after its content has come."""


def violations(page: Page) -> list[str]:
    page.wait_for_function(MARKED)
    page.evaluate(AXE)
    found: list[dict[str, Any]] = page.evaluate(AXE_RUN)
    return [f"{one['id']}: {node['html'][:150]}" for one in found for node in one["nodes"]]
