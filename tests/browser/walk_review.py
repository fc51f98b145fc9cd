"""The third part of the walk: labels corrected, a revision trained on, and both runs compared."""

import re

from playwright.sync_api import expect

from tests.browser.walk_runs import ended, number
from tests.browser.walker import Walker

KEYS = "rkrrd"
"""Take the suggestion, keep the label, drop the photo."""


def reviewed(walk: Walker, dataset: str) -> None:
    """Five labels are decided about by keyboard, over a reload and Back, and saved."""
    walk.follow("Data")
    walk.at("#datasets").get_by_role("link", name=dataset, exact=True).click()
    walk.at("#review-labels").click()
    decided = walk.at("#tray-list li")
    for count, key in enumerate(KEYS, start=1):
        expect(walk.at("#review-stage img")).to_be_visible()
        walk.page.keyboard.press(key)
        expect(decided).to_have_count(count)
    walk.page.reload()
    expect(walk.at("#tray-counts")).to_have_text("3 relabelled, 1 dropped, 1 kept")
    walk.station("#review-stage img")
    walk.follow("Runs")
    walk.page.go_back()
    expect(decided).to_have_count(5)
    walk.at("#tray-save").click()
    walk.station("#save-dialog[open]")
    walk.at("#save-go").click()
    expect(walk.at("#review-saved h3")).to_have_text("Saved")
    walk.page.reload()
    expect(walk.at("#review-saved")).to_contain_text("59 items of 3 breeds")
    walk.station("#review-saved")


def trained_again(walk: Walker, before: int) -> int:
    """The revision is trained on with the same settings, and the view of the labels leads to the comparison."""
    walk.at("#review-saved").get_by_text("Train on it").click()
    expect(walk.at("#train-sum dl")).to_be_visible()
    expect(walk.at('#train-form [data-field="valid_pct"]')).to_have_value("0.4")
    walk.button("Start training").click()
    expect(walk.page).to_have_title(re.compile(r"^Run \d+ "))
    after = number(walk)
    ended(walk)
    walk.page.go_back()
    walk.page.go_back()
    walk.at("#review-saved").get_by_text(f"Compare run {before} with run {after}").click()
    expect(walk.at("#compared tbody tr .name")).to_have_count(2)
    expect(walk.at("#outcome .tile")).to_have_count(4)
    expect(walk.at("#outcome")).to_contain_text("Labels were reviewed between the two runs")
    walk.page.reload()
    walk.station("#compare-board .main-svg")
    walk.page.go_back()
    expect(walk.at("#review-saved")).to_contain_text("Compare run")
    return after
