"""The last part of the walk: versions and who answers, several photos at once, and a run's end."""

import re

from playwright.sync_api import expect

from tests.browser.test_home import give
from tests.browser.visits import PATIENCE_MS
from tests.browser.walk_ground import DRAWN, Ground
from tests.browser.walk_runs import number
from tests.browser.walker import Walker

FOREVER = 900
"""Epochs that do not end while somebody watches."""


def promoted_and_rolled_back(walk: Walker, run: int) -> None:
    """A run becomes a version, answers a share, then all, and then the one before it answers again."""
    walk.go(f"/ui/runs/{run}")
    expect(walk.at("#served")).to_contain_text("In production: version")
    before = walk.at("#served").inner_text()
    walk.button("Register").click()
    walk.at("#run-steps").get_by_text(re.compile(r"^Version \d+$")).click()
    expect(walk.at("#model-title")).to_contain_text("Version")
    walk.station("#model-steps button")
    version = walk.page.url.rpartition("/")[2]
    walk.button("Try as a canary on").click()
    walk.agree("Start the canary")
    walk.follow("Models")
    walk.page.reload()
    walk.button(f"Promote version {version}").click()
    walk.station("dialog[open]")
    walk.agree(f"Promote version {version}")
    expect(walk.at("#served")).to_contain_text(f"In production: version {version},")
    walk.station("#versions tbody tr")
    walk.at("#versions").get_by_role("link", name=f"version {version}").click()
    expect(walk.at("#model-title")).to_contain_text("production")
    walk.page.go_back()
    walk.page.get_by_role("button", name=re.compile("^Roll back to version")).click()
    walk.page.locator("dialog[open]").get_by_role("button", name=re.compile("^Roll back")).click()
    expect(walk.at("#served")).to_have_text(before)
    walk.page.reload()
    expect(walk.at("#served")).to_have_text(before)


def predicted(walk: Walker, ground: Ground) -> None:
    """Three photos at once, beside the first one of all; one answer is corrected, and the correction is kept."""
    walk.follow("Predict")
    corrected = walk.at("#contradicted-table tbody tr")
    photos = {name: ground.photos[f"{name}_2.jpg"] for name in DRAWN}
    assert give(walk.page, "drop", "#drop", **photos)
    expect(walk.at("#answer-status")).to_have_text("4 of 4 photos answered.")
    walk.station("#answer .bar")
    known = corrected.count()
    card = walk.at("#answer > li").first
    card.get_by_role("button", name="No, it is …").click()
    card.get_by_label("It is", exact=True).fill("Sphynx")
    card.get_by_role("button", name="Send").click()
    expect(card.locator(".feedback [role=status]")).to_contain_text("Noted: Sphynx.")
    expect(corrected).to_have_count(known + 1)
    walk.station("#contradicted-table tbody tr")
    walk.follow("Jobs")
    walk.page.go_back()
    expect(walk.at("#answer-status")).to_have_text("4 of 4 photos answered.")
    walk.page.reload()
    expect(walk.at("#answer-status")).to_have_text("4 of 4 photos answered.")
    expect(corrected).to_have_count(known + 1)


def cancelled_resumed_deleted(walk: Walker, run: int) -> None:
    """A training that goes on from a run is stopped, taken up where it stood, stopped and deleted."""
    walk.go(f"/ui/runs/{run}")
    walk.page.get_by_role("link", name="Continue from here").click()
    walk.at('#train-form [data-field="freeze"]').check()
    walk.at('#train-form [data-field="epochs"]').fill(str(FOREVER))
    expect(walk.at("#train-sum dl")).to_be_visible()
    walk.button("Start training").click()
    expect(walk.page).to_have_title(re.compile(r"^Run \d+ "))
    long, rows, state = number(walk), walk.at("#epochs tbody tr"), walk.at("#run-state")
    expect(rows.nth(1)).to_be_visible()
    walk.follow("Jobs")
    walk.station(f'#jobs-lanes a[href="/ui/runs/{long}"]')
    walk.page.go_back()
    stopped(walk)
    stood = rows.count()
    walk.page.reload()
    expect(rows).to_have_count(stood)
    walk.station("#run-steps button")
    walk.button("Resume").click()
    expect(state).to_have_text("running")
    expect(rows.nth(stood).locator("td").nth(1)).to_have_text(str(stood + 1), timeout=5 * PATIENCE_MS)
    stopped(walk)
    walk.at("#run-delete").click()
    walk.station("#delete-list li")
    walk.at("#delete-yes").click()
    expect(walk.page).to_have_title("Runs · Pedigree")
    walk.page.reload()
    walk.station("#runs tbody tr")
    expect(walk.at(f'#runs a[href="/ui/runs/{long}"]')).to_have_count(0)


def stopped(walk: Walker) -> None:
    """Cancel the run that is shown."""
    walk.button("Cancel").click()
    walk.agree("Cancel the run")
    expect(walk.at("#run-state")).to_have_text("cancelled")
