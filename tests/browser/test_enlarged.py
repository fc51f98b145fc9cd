"""A photo of a list shown large: the list goes on under the arrow keys, and one Back leads to where one was."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.api.datasets.doubtful import photos, predicted_run
from tests.api.records import Records
from tests.browser.test_data_view import pets
from tests.browser.visits import Visits

pytestmark = pytest.mark.browser

SWIPE = """(dialog, by) => {
  const touch = (x) => new Touch({ identifier: 1, target: dialog, clientX: x, clientY: 200 });
  dialog.dispatchEvent(new TouchEvent("touchstart", { touches: [touch(200)], changedTouches: [touch(200)] }));
  dialog.dispatchEvent(new TouchEvent("touchend", { touches: [], changedTouches: [touch(200 + by)] }));
}"""


@pytest.mark.thorough
def test_photos_of_a_breed_and_of_pairs_are_shown_large(visits: Visits, records: Records, tmp_path: Path) -> None:
    pets(records, tmp_path / "pets")
    page = visits.page("/ui/data/pets?breed=Birman")
    dialog, title, place = (page.locator(one) for one in ("#photo-view", "#photo-title", "#photo-place"))
    last = page.locator("#dataset-photos li:nth-child(24) a")
    last.click()
    name = title.text_content()
    expect(place).to_have_text("24 of 24+")
    expect(page.locator("#photo-facts")).to_contain_text("Birman")
    # The next one is on the next page of the list.
    page.keyboard.press("ArrowRight")
    expect(place).to_have_text("25 of 30")
    page.reload()
    expect(place).to_have_text("25 of 30")
    dialog.evaluate(SWIPE, 120)
    expect(title).to_have_text(name or "")
    dialog.evaluate(SWIPE, -120)
    expect(place).to_have_text("25 of 30")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    page.goto(f"{visits.address}/ui/data/pets?breed=Birman")
    last.focus()
    page.keyboard.press("Enter")
    expect(dialog).to_be_visible()
    page.go_back()
    expect(dialog).to_be_hidden()
    expect(last).to_be_focused()
    pair = page.locator("#near-duplicates .pairs a").first
    pair.click()
    expect(title).to_have_text("Birman_3.jpg")
    page.locator("#photo-after").click()
    expect(title).to_have_text("Sphynx_0.jpg")
    expect(page.locator("#photo-facts")).to_contain_text("Sphynx")
    page.keyboard.press("Escape")
    expect(pair).to_be_focused()
    assert page.url.endswith("?breed=Birman")
    assert visits.complaints == []


def test_what_is_reviewed_is_shown_large_in_both_views(visits: Visits, records: Records, tmp_path: Path) -> None:
    predicted_run(records, photos(records, tmp_path / "pets"))
    page = visits.page("/ui/data/pets/review")
    title = page.locator("#photo-title")
    page.locator("#review-stage .photo a").click()
    expect(title).to_have_text("pug_20.jpg")
    # The letters of the review do nothing while it is open.
    page.keyboard.press("d")
    page.keyboard.press("ArrowRight")
    expect(title).to_have_text("pug_17.jpg")
    page.go_back()
    expect(page.locator("#photo-view")).to_be_hidden()
    expect(page.locator("#review-stage .photo a")).to_be_focused()
    expect(page.locator("#tray-list li")).to_have_count(0)
    page.goto(f"{visits.address}/ui/data/pets/review?view=grid")
    larger = page.locator("#grid-photos .larger").nth(1)
    larger.click()
    expect(title).to_have_text("pug_17.jpg")
    expect(page.locator("#photo-facts")).to_contain_text("May be")
    page.locator("#photo-close").click()
    expect(larger).to_be_focused()
    page.goto(f"{visits.address}/ui/data/pets/review?photo=999")
    expect(page.locator("#trouble")).to_contain_text("That photo is not in this list")
