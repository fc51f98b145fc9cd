"""The page below a path of its host, in a browser."""

import pytest
from playwright.sync_api import expect

from store.settings import Settings
from tests.api.records import Records
from tests.browser.visits import Visits

pytestmark = pytest.mark.browser
ROOT = "/team/pedigree"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"root_path": ROOT})


@pytest.mark.thorough
def test_views_figures_pictures_and_events_are_found_there(visits: Visits, records: Records) -> None:
    run = records.finished(records.dataset(), epochs=1)
    waiting, _ = records.run(run.dataset)
    page = visits.page(f"{ROOT}/")
    expect(page).to_have_url(f"{visits.address}{ROOT}/ui/")
    page.locator("nav").get_by_text("Runs").click()
    page.locator(f'#runs a[href="{ROOT}/ui/runs/{run.id}"]').click()
    expect(page).to_have_url(f"{visits.address}{ROOT}/ui/runs/{run.id}")
    page.locator("#run-tabs").get_by_text("Mistakes").click()
    expect(page).to_have_url(f"{visits.address}{ROOT}/ui/runs/{run.id}?tab=mistakes")
    expect(page.locator("[data-figure=confusion] .main-svg").first).to_be_visible()
    assert (
        page.locator("[data-figure=confusion] a").get_attribute("href") == f"{ROOT}/runs/{run.id}/figures/confusion.png"
    )
    source = page.locator("#worst img").first.get_attribute("src")
    assert source is not None
    assert source.startswith(f"{ROOT}/runs/{run.id}/items/")
    page.go_back()
    page.go_back()
    with page.expect_request(lambda asked: asked.url.startswith(f"{visits.address}{ROOT}/events")):
        page.locator(f'#runs a[href="{ROOT}/ui/runs/{waiting.id}"]').click()
        page.reload()
    page.locator("h1 a").click()
    expect(page).to_have_url(f"{visits.address}{ROOT}/ui/")
    page.go_back()
    expect(page.locator("#run-title")).to_contain_text(str(waiting.id))
