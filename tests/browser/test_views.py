"""That the address says what is looked at: Back, Forward, reload and the title follow it."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.api.records import Records
from tests.browser.visits import Visits
from tests.browser.worlds import busy

pytestmark = pytest.mark.browser


def shown_losses(page: Page) -> int:
    return page.locator("#worst li").count()


@pytest.mark.thorough
def test_back_and_forward_move_between_views_and_the_title_names_them(
    visits: Visits, records: Records, tmp_path: Path
) -> None:
    world = busy(records, tmp_path)
    page = visits.page("/")
    expect(page).to_have_title("Pedigree")
    page.locator("nav").get_by_text("Runs").click()
    expect(page).to_have_title("Runs · Pedigree")
    page.locator(f'#runs a[href="/ui/runs/{world.good.id}"]').click()
    expect(page).to_have_title(f"Run {world.good.id} · Pedigree")
    expect(page.locator("#run-title")).to_contain_text(f"Run {world.good.id}")
    page.go_back()
    page.locator(f'#runs a[href="/ui/runs/{world.other.id}"]').click()
    expect(page.locator("#run-title")).to_contain_text(f"Run {world.other.id}")
    page.locator("nav").get_by_text("Data").click()
    page.locator('#datasets a[href="/ui/data/pets"]').click()
    expect(page).to_have_title("Dataset pets · Pedigree")
    expect(page.locator("#dataset-title")).to_have_text("Dataset pets ")
    expect(page.locator("#run")).to_be_hidden()
    page.go_back()
    expect(page).to_have_title("Data · Pedigree")
    expect(page.locator("#dataset")).to_be_hidden()
    page.go_back()
    expect(page.locator("#run-title")).to_contain_text(f"Run {world.other.id}")
    expect(page).to_have_title(f"Run {world.other.id} · Pedigree")
    page.go_back()
    expect(page).to_have_title("Runs · Pedigree")
    expect(page.locator("#run")).to_be_hidden()
    assert page.url == visits.address + "/ui/runs"
    page.go_back()
    expect(page.locator("#predict-title")).to_be_visible()
    page.go_forward()
    page.go_forward()
    expect(page.locator("#run-title")).to_contain_text(f"Run {world.other.id}")
    expect(page).to_have_title(f"Run {world.other.id} · Pedigree")


@pytest.mark.thorough
def test_what_is_opened_in_a_run_stays_open_after_a_reload(visits: Visits, records: Records, tmp_path: Path) -> None:
    world = busy(records, tmp_path)
    page = visits.page(f"/ui/runs/{world.good.id}?tab=mistakes")
    expect(page.locator("#worst li")).to_have_count(9)
    page.locator("#read-on").select_option("more-pets")
    expect(page.locator("#confusion-facts")).to_contain_text("photos of dataset more-pets")
    page.get_by_role("button", name="More top losses").click()
    expect(page.locator("#worst li")).to_have_count(12)
    assert page.url.endswith(f"/ui/runs/{world.good.id}?tab=mistakes&on=more-pets&losses=27")
    page.reload()
    expect(page.locator("#worst li")).to_have_count(12)
    expect(page.locator("#read-on")).to_have_value("more-pets")
    expect(page.locator("#more-losses")).to_be_hidden()
    page.go_back()
    expect(page.locator("#worst li")).to_have_count(9)
    page.go_back()
    expect(page.locator("#read-on")).to_have_value("")
    expect(page.locator("#confusion-facts")).to_contain_text("validation photos of dataset pets")


@pytest.mark.thorough
def test_a_top_loss_opens_larger_with_its_name_and_closes_without_a_trace(
    visits: Visits, records: Records, tmp_path: Path
) -> None:
    world = busy(records, tmp_path)
    page = visits.page(f"/ui/runs/{world.good.id}?tab=mistakes")
    card = page.locator("#worst li").nth(1)
    expect(card).to_contain_text("american_cocker_spaniel_1.jpg")
    card.locator("a").click()
    dialog = page.locator("#photo-view")
    expect(dialog).to_be_visible()
    expect(dialog.locator("#photo-title")).to_have_text("american_cocker_spaniel_1.jpg")
    facts = dialog.locator("#photo-facts")
    for fact in ("american cocker spaniel, 1.0\u00a0%", "american setter, 90.0\u00a0%", "6.25"):
        expect(facts).to_contain_text(fact)
    small, large = (page.locator(place).bounding_box() for place in ("#worst li:nth-child(2) img", "#photo-large"))
    assert small is not None
    assert large is not None
    assert large["height"] > 2 * small["height"]
    expect(page.locator("#photo-large")).to_have_js_property("naturalWidth", 120)
    page.reload()
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    assert page.url.endswith(f"/ui/runs/{world.good.id}?tab=mistakes")
    page.goto(f"{visits.address}/ui/runs/{world.good.id}?photo=1")
    dialog.get_by_role("button", name="Close").click()
    expect(dialog).to_be_hidden()
    page.goto(f"{visits.address}/ui/runs/{world.good.id}?photo=777")
    expect(page.locator("#trouble")).to_contain_text("not among the top losses")


@pytest.mark.thorough
def test_an_address_that_names_nothing_says_so(visits: Visits, records: Records, tmp_path: Path) -> None:
    world = busy(records, tmp_path)
    page = visits.page("/ui/runs/x")
    for path, said in (
        ("runs/x", "Give a run’s number."),
        ("data/%00", "Choose one of the list."),
        ("nowhere", "There is no view at this address."),
        (f"runs/{world.good.id}?losses=-1", "Give a number of top losses."),
        (f"runs/{world.good.id}?on=elsewhere", f"Run {world.good.id} was not interpreted on dataset elsewhere."),
    ):
        page.goto(f"{visits.address}/ui/{path}")
        expect(page.locator("#trouble")).to_contain_text(said)
    page.locator("nav").get_by_text("Runs").click()
    expect(page.locator("#trouble")).to_be_empty()
