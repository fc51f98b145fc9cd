"""The view of a search over settings: what it shows while it goes on, and that what is chosen stays in the address."""

import re

import pytest
from playwright.sync_api import expect

from tests.api.jobs.test_search import queued_search, with_trials
from tests.api.records import Records
from tests.browser.test_looks import violations
from tests.browser.visits import Visits

pytestmark = pytest.mark.browser


@pytest.mark.thorough
def test_a_search_shows_its_best_its_trials_and_its_figures(visits: Visits, records: Records) -> None:
    job = with_trials(records)
    page = visits.page(f"/ui/searches/{job}")
    expect(page.locator("#study-facts")).to_contain_text("3 of 4 trials (1 running, 1 done, 1 pruned)")
    expect(page.locator("#study-best")).to_contain_text("25.0\u00a0%")
    expect(page.locator("#study-best").get_by_role("link", name="run 1")).to_be_visible()
    expect(page.locator("#trials tbody tr")).to_have_count(3)
    expect(page.locator('#trials [data-trial="1"]')).to_contain_text("the best")
    expect(page.locator('#trials [data-trial="2"]')).to_contain_text("ended early, after epoch 1")
    expect(page.locator('#trials [data-trial="3"]')).to_contain_text("waits")
    expect(page.locator("#study-figures figure")).to_have_count(2)
    assert violations(page) == []
    page.locator("#study-setting").select_option("size")
    expect(page).to_have_url(re.compile(r"\?by=size$"))
    expect(page.locator('[data-figure="setting"] .chart')).to_have_attribute("aria-label", re.compile("By size"))
    page.reload()
    expect(page.locator("#study-setting")).to_have_value("size")
    page.locator('#trials [data-trial="1"]').get_by_role("link").click()
    expect(page.locator("#run-facts").get_by_role("link", name=f"1 of search {job}")).to_be_visible()
    page.go_back()
    expect(page.locator("#study-title")).to_contain_text(f"Search {job}")
    assert visits.complaints == []


def test_a_search_is_cancelled_and_resumed_from_its_view_which_the_jobs_lead_to(
    visits: Visits, records: Records
) -> None:
    job = queued_search(records)
    page = visits.page("/ui/jobs")
    page.get_by_role("link", name="its trials").click()
    expect(page.locator("#no-trials")).to_be_visible()
    assert violations(page) == []
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#study-title")).to_contain_text("cancelled")
    page.get_by_role("button", name="Resume").press("Enter")
    expect(page.locator("#study-title")).to_contain_text("queued")
    page.goto(page.url.replace(f"searches/{job}", "searches/999"))
    expect(page.locator("#study-facts")).to_have_text("There is no such search.")


@pytest.mark.thorough
def test_a_search_is_begun_from_the_form_whose_words_stay_in_the_address(visits: Visits, records: Records) -> None:
    records.dataset()
    page = visits.page("/ui/train")
    page.get_by_role("link", name="Search settings instead").click()
    expect(page.locator("#no-searches")).to_be_visible()
    view = page.locator("#view-searches")
    view.get_by_label("Network").select_option("resnet18")
    view.get_by_label("Add").select_option("size")
    expect(page.locator("#search-vary")).to_have_value("base_lr = 1e-4..1e-2 log\nsize = 112..448")
    page.reload()
    expect(page.locator("#search-vary")).to_have_value("base_lr = 1e-4..1e-2 log\nsize = 112..448")
    page.locator("#search-vary").fill("nothing = 1, 2\nbatch_size = 4, 8")
    view.get_by_role("button", name="Start the search").click()
    expect(page.locator('[data-error="space"]')).to_contain_text("It is no field of this recipe")
    page.locator("#search-vary").fill("batch_size = 4, 8\naugment.max_rotate = 0..20 step 5")
    view.get_by_label("Trials at most").fill("500")
    view.get_by_role("button", name="Start the search").click()
    expect(page.locator('[data-error="trials"]')).to_contain_text("200")
    view.get_by_label("Trials at most").fill("5")
    view.get_by_role("button", name="Start the search").click()
    expect(page.locator("#study-asked")).to_contain_text("0 to 20, in steps of 5")
    expect(page.locator("#study-asked")).to_contain_text("4, 8")
    page.go_back()
    expect(page.locator("#searches .card")).to_have_count(1)
