"""What people say of an answer, in a browser."""

import pytest
from playwright.sync_api import FilePayload, Page, expect

from store.artifacts import ArtifactStore
from store.keys import PHOTOS
from store.settings import Settings
from tests.api.conftest import until
from tests.api.records import VOCAB, Records, jpeg
from tests.browser.visits import Visits, attach

pytestmark = pytest.mark.browser


@pytest.fixture
def settings(settings: Settings, request: pytest.FixtureRequest) -> Settings:
    return settings.model_copy(update={"keep_predictions": getattr(request, "param", "photos")})


def asked(visits: Visits, records: Records, *, keep: bool = False) -> Page:
    """The page with the answer for a red photo, by a model that was put into production there."""
    run = records.served()
    page = visits.page(f"/ui/runs/{run.id}")
    page.locator("#register").click()
    expect(page.locator("#served")).to_contain_text("In production: version 1")
    page.locator("nav").get_by_text("Predict").click()
    if keep:
        page.locator("#keep-photo").check()
    photo = FilePayload(name="it.jpg", mimeType="image/jpeg", buffer=jpeg((220, 10, 10)))
    attach(page, "#photo", photo)
    expect(page.locator("#answer h3")).to_contain_text("Abyssinian")
    return page


@pytest.mark.thorough
def test_an_answer_is_confirmed_and_corrected(visits: Visits, records: Records, artifacts: ArtifactStore) -> None:
    page = asked(visits, records, keep=True)
    until(lambda: len(artifacts.keys_below(PHOTOS)) == 1)
    said = page.locator(".feedback [role=status]")
    page.locator(".feedback").get_by_role("button", name="Yes").click()
    expect(said).to_have_text("Noted: Abyssinian.")
    expect(page.locator("#contradicted")).to_be_hidden()
    page.get_by_role("button", name="No, it is …").click()
    told = page.get_by_label("It is", exact=True)
    assert page.locator(".feedback option").evaluate_all("all => all.map((one) => one.value)") == VOCAB
    # By a breed's name as people write it.
    told.fill("PUG")
    page.get_by_role("button", name="Send").click()
    expect(said).to_have_text("Noted: pug.")
    row = page.locator("#contradicted-table tbody tr")
    expect(row.locator("td").nth(2)).to_have_text("pug")
    expect(row.locator("td").nth(4)).to_have_text("kept")
    told.fill("Bengal")
    told.press("Enter")
    expect(said).to_have_text("Noted: Bengal. This model does not know that breed.")
    expect(row.locator("td").nth(2)).to_have_text("Bengal")
    page.get_by_role("button", name="None of these breeds").click()
    expect(row.locator("td").nth(2)).to_have_text("none of these breeds")
    page.reload()
    expect(said).to_have_text("Noted: none of these breeds.")
    expect(page.locator("#contradicted-table tbody tr")).to_have_count(1)
    page.locator("nav").get_by_text("Models").click()
    expect(page.locator("#drift .sentence")).to_contain_text("counted within a minute")
    assert [said for said in visits.complaints if "/items/" not in said] == []


@pytest.mark.parametrize("settings", ["no"], indirect=True)
def test_where_nothing_is_kept_nothing_is_asked(visits: Visits, records: Records) -> None:
    page = asked(visits, records)
    for part in (".feedback", "#contradicted-table tbody tr"):
        expect(page.locator(part)).to_have_count(0)
    expect(page.locator("#keep")).to_be_hidden()
    expect(page.locator("#not-kept")).to_contain_text("PEDIGREE_KEEP_PREDICTIONS=answers")


@pytest.mark.parametrize("settings", ["answers"], indirect=True)
def test_where_no_photos_are_kept_none_is_offered_to_be(visits: Visits, records: Records) -> None:
    page = asked(visits, records)
    expect(page.locator(".feedback")).to_be_visible()
    expect(page.locator("#keep")).to_be_hidden()
    expect(page.locator("#not-kept")).to_be_hidden()
