"""The list of runs: what is asked of it stands in the address, and runs are picked in it to be compared."""

import csv
import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect

from store.db.describing import describe_run
from store.db.models import Run
from tests.api.answered import answered
from tests.api.records import Records
from tests.browser.visits import Visits

pytestmark = pytest.mark.browser

RIGHT = [True] * 9 + [False]


def three_runs(records: Records) -> list[Run]:
    """Of which the second is the best and the third waits."""
    dataset = records.dataset()
    worse = answered(records, dataset, [True, False], rates=[0.9, 0.7, 0.5], arch="resnet34")
    better = answered(records, dataset, RIGHT, rates=[0.4, 0.1])
    waiting, _ = records.run(dataset)
    with records.sessions.begin() as session:
        describe_run(session, worse.id, {"name": "baseline", "tags": ["first", "keep"], "note": "as in the <book>"})
        describe_run(session, better.id, {"name": "longer", "tags": ["keep"]})
        session.get_one(Run, better.id).plan = {"valid_items": 677}
    return [worse, better, waiting]


def listed(page: Page, *runs: Run) -> None:
    """Hold that these are in the list, in this order."""
    expect(page.locator("#runs tbody tr .name > a")).to_have_text([re.compile(rf"^{run.id} ·") for run in runs])


def asked(page: Page) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).query)


def test_a_row_tells_what_is_known_of_a_run(visits: Visits, records: Records) -> None:
    worse, better, waiting = three_runs(records)
    page = visits.page("/ui/runs")
    listed(page, waiting, better, worse)
    row = page.locator(f'#runs tr[data-run="{better.id}"]')
    expect(row.locator('[data-label="Error rate"]')).to_have_text("10.0\u00a0% ± 2.3")
    curve = row.get_by_role("img")
    expect(curve).to_have_attribute(
        "aria-label", "Error rate by epoch: from 40.0\u00a0% to 10.0\u00a0%, lowest 10.0\u00a0%"
    )
    expect(curve.locator("polyline")).to_have_attribute("points", re.compile(r"^3\.0,3\.0 89\.0,23\.0$"))
    expect(row.locator(".tag")).to_have_text(["keep"])
    expect(page.locator(f'#runs tr[data-run="{worse.id}"] .note')).to_have_text("as in the <book>")
    expect(page.locator(f'#runs tr[data-run="{waiting.id}"] svg')).to_have_count(0)
    assert visits.complaints == []


def test_a_heads_button_sorts_and_again_turns_it_round_and_reload_keeps_it(visits: Visits, records: Records) -> None:
    worse, better, waiting = three_runs(records)
    page = visits.page("/ui/runs")
    head = page.locator('#runs th[data-sort="error_rate"]')
    head.get_by_role("button").click()
    listed(page, better, worse, waiting)
    expect(head).to_have_attribute("aria-sort", "ascending")
    head.get_by_role("button").click()
    listed(page, worse, better, waiting)
    expect(head).to_have_attribute("aria-sort", "descending")
    page.reload()
    listed(page, worse, better, waiting)
    assert asked(page) == {"sort": ["error_rate"], "order": ["desc"]}
    page.locator('#runs th[data-sort="created"] button').click()
    listed(page, waiting, better, worse)
    assert asked(page) == {}


@pytest.mark.thorough
def test_search_and_filters_stand_in_the_address_and_can_be_taken_back(visits: Visits, records: Records) -> None:
    worse, better, waiting = three_runs(records)
    page = visits.page("/ui/runs")
    page.get_by_label("Search runs").fill("keep")
    listed(page, better, worse)
    page.locator(f'#runs tr[data-run="{worse.id}"] .tag').first.click()
    listed(page, worse)
    assert asked(page) == {"q": ["keep"], "tag": ["first"]}
    page.locator(".name > a").click()
    expect(page.locator("#run-title")).to_contain_text("baseline")
    page.go_back()
    expect(page.get_by_label("Search runs")).to_have_value("keep")
    listed(page, worse)
    page.get_by_role("button", name="tag: first. Remove this filter").click()
    listed(page, better, worse)
    page.get_by_label("Search runs").fill("")
    page.get_by_role("button", name="Waiting").click()
    listed(page, waiting)
    page.get_by_label("Error rate", exact=True).select_option("0.2")
    expect(page.locator("#no-match")).to_contain_text("No run is like that.")
    expect(page.locator("#no-runs")).to_be_hidden()
    page.get_by_role("button", name="Show all runs").click()
    listed(page, waiting, better, worse)
    assert asked(page) == {}
    page.goto(f"{visits.address}/ui/runs?tag=a,b")
    expect(page.locator("#trouble")).to_contain_text("Type a-b, for example.")


def test_runs_are_picked_and_lead_to_their_comparison(visits: Visits, records: Records) -> None:
    worse, better, _ = three_runs(records)
    page = visits.page("/ui/runs?q=keep")
    compare = page.locator("#runs-compare")
    expect(compare).to_be_hidden()
    page.get_by_label(f"Pick run {better.id} to compare").check()
    expect(compare).to_be_disabled()
    expect(page.locator("#runs-picked-said")).to_have_text(
        f"1 run picked: {better.id}; pick another to compare it with"
    )
    page.get_by_label(f"Pick run {worse.id} to compare").press("Space")
    expect(page.get_by_label(f"Pick run {worse.id} to compare")).to_be_focused()
    page.reload()
    expect(page.get_by_label(f"Pick run {worse.id} to compare")).to_be_checked()
    expect(compare).to_have_text("Compare (2)")
    compare.click()
    expect(page).to_have_title("Compare · Pedigree")
    assert page.url.endswith(f"/ui/compare?runs={better.id},{worse.id}")
    page.go_back()
    expect(compare).to_have_text("Compare (2)")
    page.locator("#runs-unpick").click()
    expect(compare).to_be_hidden()


def test_no_more_runs_are_picked_than_fit_beside_each_other(visits: Visits, records: Records) -> None:
    dataset = records.dataset()
    for _ in range(8):
        records.run(dataset)
    page = visits.page("/ui/runs?pick=1,2,3,4,5,6")
    expect(page.locator("#runs-picked-said")).to_contain_text("6 runs picked")
    expect(page.get_by_label("Pick run 7 to compare")).to_be_disabled()
    page.get_by_label("Pick run 1 to compare").uncheck()
    expect(page.get_by_label("Pick run 7 to compare")).to_be_enabled()


@pytest.mark.thorough
def test_more_runs_come_as_they_are_asked_for(visits: Visits, records: Records) -> None:
    dataset = records.dataset()
    for _ in range(60):
        records.run(dataset)
    page = visits.page("/ui/runs")
    expect(page.locator("#runs tbody tr")).to_have_count(50)
    page.get_by_role("button", name="More runs").click()
    expect(page.locator("#runs tbody tr")).to_have_count(60)
    expect(page.locator("#more-runs")).to_be_hidden()


def test_the_list_is_exported_as_it_is_filtered(visits: Visits, records: Records, tmp_path: Path) -> None:
    _, better, _ = three_runs(records)
    page = visits.page("/ui/runs?q=longer")
    listed(page, better)
    with page.expect_download() as download:
        page.get_by_text("Export CSV").click()
    download.value.save_as(tmp_path / "runs.csv")
    with (tmp_path / "runs.csv").open(newline="") as table:
        assert [row["name"] for row in csv.DictReader(table)] == ["longer"]


@pytest.mark.parametrize("width", [390, 1600])
def test_the_list_fits_a_phone_and_a_wide_screen(visits: Visits, records: Records, width: int) -> None:
    worse, better, waiting = three_runs(records)
    page = visits.page(f"/ui/runs?pick={worse.id},{better.id}", width=width)
    listed(page, waiting, better, worse)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    box = page.locator("#runs tbody tr").first.bounding_box()
    assert box is not None
    assert box["x"] + box["width"] <= width
    # Where the heads are not seen there is another way to sort.
    page.locator("#runs-sort" if width == 390 else "#runs th").first.wait_for()
    assert page.locator("#runs-sort").is_visible() is (width == 390)
