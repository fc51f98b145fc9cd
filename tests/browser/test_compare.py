"""Runs beside each other: which is better, photo by photo, their curves and the settings that differ."""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from store.db.models import Run
from tests.api.answered import answered
from tests.api.records import Records
from tests.browser.test_looks import AXE, AXE_RUN
from tests.browser.visits import Visits
from tests.browser.worlds import PHOTOS, dataset_of

pytestmark = pytest.mark.browser

FIRST = [True] * 3 + [False] * 8 + [True]
SECOND = [True] * 3 + [True] * 8 + [False]
assert len(FIRST) == PHOTOS


def two_runs(records: Records, folder: Path) -> tuple[Run, Run]:
    """Of the same photos; the second got right eight that the first did not, and the first one."""
    pets = dataset_of(records, folder / "pets", "pets")
    return (
        answered(records, pets, FIRST, arch="resnet18", rates=[0.9, 0.7]),
        answered(records, pets, SECOND, arch="resnet34", rates=[0.8, 0.4, 0.1]),
    )


@pytest.mark.thorough
def test_two_runs_are_held_against_each_other_in_words_counts_curves_and_settings(
    visits: Visits, records: Records, tmp_path: Path
) -> None:
    one, other = two_runs(records, tmp_path)
    page = visits.page(f"/ui/compare?runs={one.id},{other.id}")
    expect(page.locator("#compared tbody tr .name")).to_have_text([f"{one.id} · a run", f"{other.id} · a run"])
    said = f"Run {other.id} is better than run {one.id} beyond chance: of 9 photos that only one of them got right"
    expect(page.locator("#outcome .verdict")).to_contain_text(said)
    expect(page.locator("#outcome .tile b")).to_have_text(["3", "1", "8", "0"])
    expect(page.locator("#compare-pairs")).to_be_hidden()
    expect(page.locator("#compare-board .main-svg").first).to_be_visible()
    expect(page.locator("#compare-board .legendtext")).to_have_text(
        [f"run {one.id} · a run", f"run {other.id} · a run"]
    )
    expect(page.locator("#beside tbody tr")).to_have_count(1)
    expect(page.locator("#beside tbody tr")).to_contain_text("arch resnet18resnet34")
    page.get_by_label("Show all fields").check()
    expect(page.locator("#beside tbody tr.differs")).to_contain_text("differs")
    expect(page.locator('#beside [data-field="phases.1.lr_max"]')).to_contain_text("phase 2 · lr_max")
    page.reload()
    expect(page.locator('#beside [data-field="augment.flip"]')).to_contain_text("truetrue")
    assert visits.complaints == []


@pytest.mark.thorough
def test_the_photos_that_only_one_got_right_are_shown_and_enlarged(
    visits: Visits, records: Records, tmp_path: Path
) -> None:
    one, other = two_runs(records, tmp_path)
    page = visits.page(f"/ui/compare?runs={one.id},{other.id}")
    cards = page.locator("#compared-photos li")
    expect(cards).to_have_count(1)
    expect(cards.first).to_contain_text("pug_11.jpg")
    expect(cards.first.locator(".wrong")).to_contain_text(f"Run {other.id} ✗ Birman")
    page.get_by_role("tab", name="(1)").press("ArrowRight")
    expect(page.get_by_role("tab", name=f"Only run {other.id} right (8)")).to_be_focused()
    expect(cards).to_have_count(8)
    cards.nth(1).locator("a").click()
    dialog = page.locator("#photo-view")
    expect(dialog.locator("h2")).to_have_text("pug_4.jpg")
    expect(page.locator("#photo-large")).to_have_js_property("naturalWidth", 120)
    expect(page.locator("#photo-facts")).to_contain_text("photos/pug_4.jpg")
    page.reload()
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    page.get_by_role("tab", name="Both wrong (0)").click()
    expect(page.locator("#no-photos")).to_have_text("There is no photo that both got wrong.")
    assert visits.complaints == []


@pytest.mark.thorough
def test_of_three_runs_each_pair_has_its_row_and_one_is_left_out(
    visits: Visits, records: Records, tmp_path: Path
) -> None:
    one, other = two_runs(records, tmp_path)
    third = answered(records, records.dataset("others"), FIRST, split_seed=7)
    page = visits.page(f"/ui/compare?runs={one.id},{other.id},{third.id}")
    expect(page.locator("#pairs tbody tr")).to_have_count(3)
    page.get_by_text(f"Run {one.id} and run {third.id}").click()
    told = page.locator("#outcome")
    expect(told).to_contain_text("They were validated on other photos. What chooses the photos differs:")
    expect(told.locator("li").last).to_have_text(f"split seed: 42 for run {one.id}, 7 for run {third.id}")
    expect(page.locator("#compare-photos")).to_be_hidden()
    page.go_back()
    expect(page.locator("#outcome .tile").first).to_be_visible()
    page.get_by_label(f"Leave run {third.id} out").click()
    expect(page.locator("#compared tbody tr")).to_have_count(2)
    expect(page.locator("#compare-pairs")).to_be_hidden()


def test_without_runs_it_says_how_to_pick_some_and_a_wrong_address_says_what_to_give(
    visits: Visits, records: Records
) -> None:
    records.finished()
    page = visits.page("/ui/compare")
    expect(page.locator("#compare-none")).to_be_visible()
    page.get_by_text("Pick runs").click()
    expect(page).to_have_title("Runs · Pedigree")
    for runs, said in (("1", "Give 2 to 6 numbers"), ("1,99", "There is no run 99.")):
        page.goto(f"{visits.address}/ui/compare?runs={runs}")
        expect(page.locator("#trouble")).to_contain_text(said)
        expect(page.locator("#compare-loading")).to_be_hidden()


@pytest.mark.parametrize("width", [390, pytest.param(1600, marks=pytest.mark.thorough)])
def test_it_fits_a_phone_and_a_wide_screen_and_can_be_used_by_everybody(
    visits: Visits, records: Records, tmp_path: Path, width: int
) -> None:
    one, other = two_runs(records, tmp_path)
    page = visits.page(f"/ui/compare?runs={one.id},{other.id}&all=1", width=width)
    expect(page.locator("#compare-board .main-svg").first).to_be_visible()
    expect(page.locator("#compared-photos li")).to_have_count(1)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for path in (None, f"/ui/runs?pick={one.id}"):
        if path is not None:
            page.goto(visits.address + path)
            expect(page.locator("#runs tbody tr")).to_have_count(2)
        page.evaluate(AXE)
        found: list[dict[str, Any]] = page.evaluate(AXE_RUN)
        assert [(one["id"], one["nodes"][0]["html"]) for one in found] == []
