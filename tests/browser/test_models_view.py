"""Models in a browser: who answers, what is tried beside it, and the ways there and back."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from store.db.models import ModelVersion
from tests.api.conftest import until
from tests.api.records import VOCAB, Records
from tests.browser.registered import several
from tests.browser.test_looks import CUT, Scheme, violations
from tests.browser.visits import Visits
from tests.ml.serve.trained import trained

pytestmark = pytest.mark.browser


def alias(visits: Visits, name: str = "production") -> dict[str, Any]:
    found: dict[str, Any] = httpx.get(f"{visits.address}/models/aliases/{name}").json()
    return found


def card(page: Page, name: str) -> Any:  # noqa: ANN401 - a locator
    return page.locator(f'.view:not([hidden]) [data-alias="{name}"]')


def agree(page: Page, text: str, *says: str) -> None:
    """The dialog says what changes, and its button does it."""
    dialog = page.get_by_role("dialog")
    for line in says:
        expect(dialog).to_contain_text(line)
    dialog.get_by_role("button", name=text).click()
    expect(dialog).to_have_count(0)


def test_the_table_has_every_version_with_where_it_stands(visits: Visits, records: Records, tmp_path: Path) -> None:
    several(records, tmp_path)
    page = visits.page("/ui/models")
    rows = page.locator("#versions tbody tr")
    expect(rows).to_have_count(4)
    told = [" ".join(row.split()) for row in rows.all_inner_texts()]
    assert told[0].startswith("version 4 shadow canary of production resnet18 pets 5.3 % – run 4")
    assert told[1].startswith("version 3 production resnet18 pets 5.7 %")
    expect(card(page, "production")).to_contain_text("Canary: version 4 answers 5 % of the requests.")
    expect(card(page, "shadow")).to_contain_text("The same first breed as version 3 on 92.5 % of 40 photos")
    expect(card(page, "shadow")).to_contain_text("2 photos left out")
    rows.nth(2).get_by_role("link", name="version 2").click()
    expect(page).to_have_title("Version 2 · Pedigree")
    expect(page.locator("#model-title")).to_contain_text("best")
    page.go_back()
    expect(rows).to_have_count(4)
    assert visits.complaints == []


@pytest.mark.thorough
def test_rolling_back_says_what_it_changes_and_does_it_once_agreed(
    visits: Visits, records: Records, tmp_path: Path
) -> None:
    several(records, tmp_path)
    page = visits.page("/ui/models")
    production = card(page, "production")
    production.get_by_role("button", name="Roll back to version 2").click()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert alias(visits)["version"] == 3
    production.get_by_role("button", name="Roll back to version 2").click()
    agree(page, "Roll back to version 2", "Version 2 answers in place of version 3", "The canary, version 4, ends.")
    expect(production.locator(".stands")).to_have_text("Version 2")
    expect(page.locator("#served")).to_contain_text("In production: version 2")
    assert alias(visits) == {"alias": "production", "version": 2, "canary": None, "before": 1}
    production.get_by_text("History").click()
    expect(production.locator(".moves li")).to_have_count(4)
    expect(production.locator(".moves li").first).to_contain_text("rolled back to version 2")
    page.reload()
    expect(production.get_by_role("button", name="Roll back to version 1")).to_be_visible()


@pytest.mark.thorough
def test_a_canary_is_promoted(visits: Visits, records: Records, tmp_path: Path) -> None:
    several(records, tmp_path)
    page = visits.page("/ui/models")
    card(page, "production").get_by_role("button", name="Promote version 4").click()
    agree(page, "Promote version 4", "all requests in place of version 3", "Rolling back leads to version 3.")
    expect(card(page, "production").locator(".stands")).to_have_text("Version 4")
    assert alias(visits) == {"alias": "production", "version": 4, "canary": None, "before": 3}


@pytest.mark.thorough
def test_from_its_view_a_version_is_put_where_it_shall_answer(visits: Visits, records: Records, tmp_path: Path) -> None:
    several(records, tmp_path)
    page = visits.page("/ui/models/3")
    card(page, "production").get_by_role("button", name="End the canary").click()
    agree(page, "End the canary", "version 3 answers all of them")
    expect(card(page, "production").locator(".canary")).to_have_count(0)
    page.goto(f"{visits.address}/ui/models/1")
    expect(page.locator("#stands")).to_contain_text("No alias points at it.")
    page.get_by_label("Share of the requests").select_option("0.1")
    page.get_by_role("button", name="Try as a canary on").click()
    agree(page, "Start the canary", "version 3 answers the others")
    expect(card(page, "production").locator(".canary")).to_contain_text("version 1 answers 10 % of the requests")
    page.get_by_role("button", name="Run as a shadow").click()
    agree(page, "Point shadow at version 1", "It takes the place of version 4")
    expect(card(page, "shadow")).to_be_visible()
    page.get_by_label("Another alias").fill("9 lives")
    page.get_by_role("button", name="Point at it").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.get_by_label("Another alias").fill("trial")
    page.get_by_role("button", name="Point at it").click()
    agree(page, "Point trial at version 1", "What stands there answers who asks for model trial.")
    expect(card(page, "trial")).to_be_visible()
    card(page, "trial").get_by_role("button", name="Remove the alias trial").click()
    agree(page, "Remove trial", "Version 1 stays registered.")
    expect(card(page, "trial")).to_have_count(0)
    page.get_by_role("button", name="Put into production").click()
    agree(page, "Point production at version 1", "It takes the place of version 3; the canary, version 1, ends.")
    expect(page.locator("#model-title")).to_contain_text("production")
    until(lambda: (alias(visits)["version"], alias(visits, "shadow")["version"]) == (1, 1))
    assert visits.complaints == []


@pytest.mark.thorough
def test_a_versions_view_has_its_check_and_what_its_shadow_answered(
    visits: Visits, records: Records, tmp_path: Path
) -> None:
    several(records, tmp_path)
    page = visits.page("/ui/models/3")
    rows = page.locator("#ways tbody tr")
    expect(rows).to_have_count(3)
    told = [" ".join(row.split()) for row in rows.all_inner_texts()]
    assert told == [
        "openvino, bf16, direct input, 2 at a time 412 2.6 100.0 % 0.0041 200 chosen",
        "torch, fp32, exact input 96 14.1 100.0 % 0.0000 200",
        "openvino, fp32, direct input, 2 at a time – – – – 0 it takes no such network",
    ]
    expect(page.locator("#shadow-part")).to_be_hidden()
    page.goto(f"{visits.address}/ui/models/4")
    pairs = page.locator("#shadow tbody tr")
    expect(pairs).to_have_count(2)
    expect(pairs.first).to_contain_text("Abyssinian")
    expect(pairs.first.locator("td").nth(2)).to_have_text("2")
    expect(page.locator("#ways")).to_contain_text("was not chosen on any machine yet")
    page.goto(f"{visits.address}/ui/models/99")
    expect(page.locator("#trouble")).to_contain_text("There is no model version 99")
    expect(page.locator("#model-parts")).to_be_hidden()
    page.locator("nav").get_by_text("Models").click()
    expect(page.locator("#trouble")).to_be_empty()


@pytest.mark.thorough
def test_production_is_found_however_many_versions_came_after_it(
    visits: Visits, records: Records, tmp_path: Path
) -> None:
    first = several(records, tmp_path).runs[0]
    later = [records.run(first.dataset)[0] for _ in range(256)]
    with records.sessions.begin() as session:
        session.add_all(ModelVersion(id=5 + number, run_id=run.id) for number, run in enumerate(later))
    page = visits.page("/ui/models")
    expect(page.locator("#served")).to_contain_text("In production: version 3")
    rows = page.locator("#versions tbody tr")
    expect(rows).to_have_count(50)
    page.get_by_role("button", name="More versions").click()
    expect(rows).to_have_count(100)
    page.locator("nav").get_by_text("Predict").click()
    expect(page.locator("#behind-facts")).to_contain_text("Version 3")
    expect(page.locator("#no-model")).to_be_hidden()


@pytest.mark.thorough
def test_a_version_is_saved_for_use_elsewhere(visits: Visits, records: Records, tmp_path: Path) -> None:
    run = records.finished()
    files = trained(tmp_path / "trained", vocab=tuple(VOCAB))
    for name in ("model.safetensors", "model.json"):
        records.artifact(run, name, (files / name).read_bytes())
    sent = {"run": run.id}
    assert httpx.post(f"{visits.address}/models", json=sent, timeout=60).status_code == 201
    page = visits.page("/ui/models/1")
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save as safetensors").click()
    assert saved.value.suggested_filename == "model-1-safetensors.zip"
    assert saved.value.path().read_bytes()[:2] == b"PK"


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), pytest.param(1600, "light", marks=pytest.mark.thorough)])
def test_the_views_are_whole_and_readable_for_all(
    visits: Visits, records: Records, tmp_path: Path, width: int, scheme: Scheme
) -> None:
    several(records, tmp_path)
    page = visits.page("/ui/models", width, scheme=scheme)
    for path, there in (("", "#versions tbody tr"), ("/3", "#ways tbody tr"), ("/4", "#shadow tbody tr")):
        page.goto(f"{visits.address}/ui/models{path}")
        expect(page.locator(there).first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(CUT) == []
        assert violations(page) == []
    page.get_by_role("button", name="Promote version 4").click()
    assert violations(page) == []
