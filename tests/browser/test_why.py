"""Why: on a click the photo of an answer is seen under the heat of what speaks for the breed."""

from pathlib import Path

import pytest
from playwright.sync_api import FilePayload, expect

from tests.api.records import VOCAB, Records, jpeg
from tests.browser.visits import Visits, attach
from tests.ml.serve.trained import PRESIZE, trained

pytestmark = pytest.mark.browser


@pytest.mark.thorough
def test_the_photo_is_seen_under_its_heat(visits: Visits, records: Records, tmp_path: Path) -> None:
    run = records.finished()
    files = trained(tmp_path / "trained", vocab=tuple(VOCAB))
    for name in ("model.safetensors", "model.json"):
        records.artifact(run, name, (files / name).read_bytes())
    page = visits.page(f"/ui/runs/{run.id}")
    page.locator("#register").click()
    expect(page.locator("#served")).to_contain_text("In production: version 1")
    page.locator("nav").get_by_text("Predict").click()
    photo = FilePayload(name="it.jpg", mimeType="image/jpeg", buffer=jpeg((220, 10, 10)))
    attach(page, "#photo", photo)
    page.get_by_role("button", name="Why?").click()
    expect(page.locator("#answer")).to_contain_text("What is yellow speaks most for Abyssinian")
    picture = page.locator("#answer img")
    expect(picture).to_have_attribute("alt", "The middle of the photo it.jpg; what speaks for Abyssinian is bright")
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") == PRESIZE
