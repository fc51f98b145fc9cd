"""What to label next in a browser: an upload looked through, labelled by keyboard, saved as a dataset."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select

from store.db.jobs import claim
from store.db.models import Job, Run
from store.states import State
from tests.api.datasets.doubtful import photos, predicted_run
from tests.api.datasets.test_uploads_tus import archive, whole
from tests.api.records import VOCAB, Records
from tests.browser.test_looks import CUT, violations
from tests.browser.visits import Visits

pytestmark = pytest.mark.browser

NAMES = ("one.jpg", "two.jpg", "in/three.jpg")


def served(visits: Visits, run: Run) -> None:
    sent = {"run": run.id, "alias": "production"}
    assert httpx.post(f"{visits.address}/models", json=sent, timeout=60).status_code == 201


def answer(records: Records, kind: str, paths: tuple[str, ...], **payload: Any) -> None:  # noqa: ANN401 - a payload
    """The queued job of that kind ends well; of a predict job with an answer for each path, the first the surest."""
    lines = []
    for place, path in enumerate(paths):
        first = 0.9 - 0.2 * place
        chances = dict(zip(VOCAB, (first, 0.95 - first, 0.05), strict=True))
        lines.append(json.dumps({"path": path, "probabilities": chances}))
    stored = records.artifacts.put_bytes("jobs/1-1/predictions.jsonl", "\n".join(lines).encode())
    file = {"key": stored.key, "sha256": stored.sha256, "bytes": stored.bytes}
    with records.sessions.begin() as session:
        job = session.scalars(select(Job).where(Job.kind == kind, Job.state == State.QUEUED)).one()
        job.payload = {**job.payload, **payload} | (
            {"answers": {"predictions.jsonl": file}, "pictures": len(paths), "broken": 0} if kind == "predict" else {}
        )
        assert claim(session, job.id, worker="a worker", lease_seconds=60)
    records.move(job, State.SUCCEEDED)


def sent(visits: Visits) -> str:
    """An upload of three photos that has come whole; its id."""
    with httpx.Client(base_url=visits.address, timeout=60) as client:
        return whole(client, archive(*NAMES)).rsplit("/", 1)[-1]


def label(page: Page, key: str, file: str, said: str) -> None:
    expect(page.locator("#label-stage .file")).to_contain_text(file)
    page.keyboard.press(key)
    first = page.locator("#label-list li").first
    expect(first).to_contain_text(file.rsplit("/", 1)[-1])
    expect(first).to_contain_text(said)


@pytest.mark.thorough
def test_an_upload_is_looked_through_labelled_by_keyboard_and_saved(visits: Visits, records: Records) -> None:
    served(visits, records.served())
    upload = sent(visits)
    page = visits.page(f"/ui/data?upload={upload}")
    page.locator("#label-first").click()
    expect(page.locator("#label-pool")).to_have_value(f"upload:{upload}")
    page.locator("#label-go").click()
    expect(page.locator("#label-job")).to_contain_text("Looking through the photos")
    page.reload()
    answer(records, "predict", NAMES)
    expect(page.locator("#label-stage .why")).to_contain_text("The model cannot decide between Abyssinian and Birman.")
    page.wait_for_function("document.querySelector('#label-stage .photo img').naturalWidth === 40")
    # The closer the first two guesses, the earlier.
    label(page, "Enter", "in/three.jpg", "Abyssinian")
    page.reload()
    expect(page.locator("#label-counts")).to_have_text("1 labelled")
    expect(page.locator("#label-missing")).to_contain_text("at least two breeds")
    label(page, "2", "two.jpg", "Birman")
    label(page, "d", "one.jpg", "Left out")
    expect(page.locator("#label-counts")).to_have_text("2 labelled, 1 left out")
    page.keyboard.press("u")
    expect(page.locator("#label-counts")).to_have_text("2 labelled")
    page.keyboard.press("/")
    page.keyboard.type("Bengal")
    page.keyboard.press("Enter")
    expect(page.locator("#label-stage .note")).to_contain_text("Choose it again to take it as a new one")
    page.keyboard.press("Enter")
    expect(page.locator("#label-list li").first).to_contain_text("Bengal")
    saved(page, records)
    # The upload is still there for those that have no label yet.
    expect(page.locator("#label-stage .photo img")).to_be_visible()
    assert visits.complaints == []


def saved(page: Page, records: Records) -> None:
    """In either order the labels are the same; they become a dataset."""
    page.locator("#label-orders a").last.click()
    expect(page.locator("#label-stage .why")).to_contain_text("Most unlike")
    page.go_back()
    expect(page.locator("#label-stage .why")).to_contain_text("The model is fairly sure")
    page.locator("#label-name").fill("mine")
    page.locator("#label-save").click()
    expect(page.locator("#label-saved")).to_contain_text("queued")
    with records.sessions.begin() as session:
        job = session.scalars(select(Job).where(Job.kind == "import")).one()
    listed = records.artifacts.get_bytes(job.payload["source"]["labels"]).decode()
    assert sorted(listed.splitlines()) == [
        '"in/three.jpg","Abyssinian"',
        '"one.jpg","Bengal"',
        '"two.jpg","Birman"',
        "filename,label",
    ]
    answer(records, "import", ())
    expect(page.locator("#label-saved")).to_contain_text("with 3 photos")
    expect(page.locator("#label-saved").get_by_text("Train on it")).to_have_attribute("href", "/ui/train?dataset=mine")


@pytest.mark.thorough
def test_of_a_dataset_labels_become_its_next_revision(visits: Visits, records: Records, tmp_path: Path) -> None:
    served(visits, predicted_run(records, photos(records, tmp_path / "pets")))
    page = visits.page("/ui/data/pets/review")
    page.get_by_role("link", name="What to label next").click()
    expect(page.locator("#label-pool")).to_have_value("pets")
    page.locator("#label-go").click()
    expect(page.locator("#label-job")).to_contain_text("Looking through the photos")
    answer(records, "predict", ("pug_20.jpg", "Birman_12.jpg"))
    expect(page.locator("#label-stage .label").first).to_contain_text("Birman")
    label(page, "k", "Birman_12.jpg", "The label is right")
    label(page, "1", "pug_20.jpg", "Abyssinian")
    page.locator("#label-save").click()
    expect(page.locator("#label-saved")).to_contain_text("queued")
    answer(records, "import", ())
    expect(page.locator("#label-saved")).to_contain_text("The labels are in pets")
    expect(page.locator("#label-counts")).to_have_text("None yet.")
    assert visits.complaints == []


@pytest.mark.parametrize("width", [390, pytest.param(1600, marks=pytest.mark.thorough)])
def test_nothing_is_cut_and_axe_finds_nothing(visits: Visits, records: Records, width: int) -> None:
    page = visits.page("/ui/label", width, scheme="dark" if width == 390 else "light")
    expect(page.locator("#label-wrong")).to_contain_text("No model is registered yet")
    served(visits, records.served())
    upload = sent(visits)
    page.goto(f"{visits.address}/ui/label?upload={upload}")
    expect(page.locator("#label-go")).to_be_enabled()
    assert (violations(page), page.evaluate(CUT)) == ([], [])
    page.locator("#label-go").click()
    expect(page.locator("#label-job")).to_contain_text("Looking through the photos")
    answer(records, "predict", NAMES)
    expect(page.locator("#label-stage .photo img")).to_be_visible()
    page.keyboard.press("1")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert (violations(page), page.evaluate(CUT)) == ([], [])
