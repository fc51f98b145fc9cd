"""Labels reviewed in a browser: by keyboard, many at once, kept over a reload, saved as a revision."""

import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select

from store.db.jobs import claim
from store.db.label_review_table import LabelReview
from store.db.models import Dataset, Job
from store.states import State
from tests.api.datasets.doubtful import WRONG, photos, predicted_run
from tests.api.records import Records
from tests.browser.test_looks import CUT, violations
from tests.browser.visits import Visits
from tests.browser.worlds import busy

pytestmark = pytest.mark.browser


@pytest.fixture
def pets(records: Records, tmp_path: Path) -> Dataset:
    dataset = photos(records, tmp_path / "pets")
    predicted_run(records, dataset)
    return dataset


def shown(page: Page) -> str:
    """The file of the photo that is looked at."""
    text = page.locator("#review-stage .file").text_content() or ""
    return text.rsplit(" · ", 1)[-1]


def decide(page: Page, key: str, said: str) -> str:
    """Press a key; the file that the decision is about."""
    file = shown(page)
    page.keyboard.press(key)
    expect(page.locator("#tray-list li").first).to_contain_text(file)
    expect(page.locator("#tray-list li").first).to_contain_text(said)
    return file


@pytest.mark.usefixtures("pets")
def test_five_labels_are_reviewed_by_keyboard_and_saved(visits: Visits, records: Records) -> None:
    page = visits.page("/ui/data/pets/review")
    expect(page.locator("#review-stage img")).to_be_visible()
    expect(page.locator("#review-about")).to_contain_text("6 photos in this list")
    files = [
        decide(page, "r", "pug → Abyssinian"),
        decide(page, "k", "The label is right"),
        decide(page, "d", "Dropped"),
    ]
    assert files == ["pug_20.jpg", "pug_17.jpg", "Birman_12.jpg"]
    # Reload and Back in the middle keep what was decided and where one is.
    there = shown(page)
    page.reload()
    expect(page.locator("#tray-list li")).to_have_count(3)
    assert shown(page) == there == "Birman_09.jpg"
    page.locator("nav").get_by_text("Models").click()
    expect(page.locator("#models-title")).to_be_visible()
    page.go_back()
    expect(page.locator("#review-stage img")).to_be_visible()
    expect(page.locator("#tray-list li")).to_have_count(3)
    decide(page, "Enter", "Birman → Abyssinian")
    page.keyboard.press("/")
    page.keyboard.type("birm")
    page.keyboard.press("Enter")
    expect(page.locator("#review-stage .search input")).to_have_attribute("aria-invalid", "true")
    page.keyboard.type("an")
    page.keyboard.press("Enter")
    expect(page.locator("#tray-counts")).to_have_text("3 relabelled, 1 dropped, 1 kept")
    page.keyboard.press("u")
    expect(page.locator("#tray-list li")).to_have_count(4)
    page.keyboard.press("1")
    expect(page.locator("#tray-list li").first).to_contain_text("Abyssinian → pug")
    saved(page, records)
    assert visits.complaints == []


def saved(page: Page, records: Records) -> None:
    """Save what was decided, and wait until the revision is there."""
    page.locator("#tray-save").click()
    expect(page.locator("#save-counts")).to_have_text("3 relabelled, 1 dropped, 1 kept.")
    page.locator("#save-name").fill("Ada")
    page.locator("#save-go").click()
    expect(page.locator("#review-saved")).to_contain_text("queued")
    with records.sessions.begin() as session:
        rows = session.scalars(select(LabelReview).order_by(LabelReview.id)).all()
        job = session.scalars(select(Job).where(Job.kind == "import")).one()
    assert [(row.path, row.action, row.label) for row in rows] == [
        ("pug_20.jpg", "relabel", "Abyssinian"),
        ("pug_17.jpg", "keep", "pug"),
        ("Birman_12.jpg", "drop", None),
        ("Birman_09.jpg", "relabel", "Abyssinian"),
        ("Abyssinian_03.jpg", "relabel", "pug"),
    ]
    assert {row.reviewer for row in rows} == {"Ada"}
    page.reload()
    expect(page.locator("#review-saved")).to_contain_text("queued")
    revise(records, job)
    expect(page.locator("#review-saved")).to_contain_text("Saved")
    train = page.locator("#review-saved").get_by_text("Train on it")
    expect(train).to_have_attribute(
        "href", re.compile(r"/ui/train\?dataset=pets&recipe=fine_tune&set=.*arch.*base_lr.*lr_mult")
    )
    expect(page.locator("#tray-list li")).to_have_count(0)


def revise(records: Records, job: Job) -> None:
    """What the job does when it succeeds, as far as the page sees it."""
    with records.sessions.begin() as session:
        assert claim(session, job.id, worker="a worker", lease_seconds=60)
    records.move(job, State.SUCCEEDED)


@pytest.mark.thorough
def test_many_are_decided_at_once_and_compared_once_trained(visits: Visits, records: Records, pets: Dataset) -> None:
    page = visits.page("/ui/data/pets/review?view=grid")
    boxes = page.locator("#grid-photos input")
    expect(boxes).to_have_count(len(WRONG))
    boxes.nth(0).check()
    boxes.nth(1).check()
    expect(page.locator("#grid-count")).to_have_text("2 photos ticked")
    page.get_by_text("Labels are right").click()
    expect(page.locator("#tray-counts")).to_have_text("2 kept")
    page.get_by_text("Tick all").click()
    expect(page.locator("#grid-count")).to_have_text("4 photos ticked")
    page.get_by_text("Accept suggestions").click()
    expect(page.locator("#tray-counts")).to_have_text("4 relabelled, 2 kept")
    page.locator("#tray-undo").click()
    expect(page.locator("#tray-counts")).to_have_text("3 relabelled, 2 kept")
    page.get_by_text("One by one").click()
    expect(page.locator("#review-stage img")).to_be_visible()
    page.go_back()
    expect(boxes.first).to_be_visible()
    page.reload()
    expect(page.locator("#tray-counts")).to_have_text("3 relabelled, 2 kept")
    # Kept labels alone are remembered at once, and do not come again.
    page.evaluate("localStorage.clear()")
    page.reload()
    boxes.nth(0).check()
    page.get_by_text("Labels are right").click()
    page.locator("#tray-save").click()
    page.locator("#save-go").click()
    expect(boxes).to_have_count(len(WRONG) - 1)
    expect(page.locator("#review-saved")).to_contain_text("Once it has trained")
    later = predicted_run(records, pets)
    page.reload()
    expect(page.locator("#review-saved a").last).to_have_attribute(
        "href", f"/ui/compare?runs={later.id - 1}%2C{later.id}"
    )
    assert visits.complaints == []


@pytest.mark.parametrize("width", [390, *(pytest.param(wide, marks=pytest.mark.thorough) for wide in (1024, 1600))])
def test_nothing_is_cut_and_axe_finds_nothing(visits: Visits, pets: Dataset, width: int) -> None:
    assert pets.items
    for view, there in (
        ("", "#review-stage img"),
        ("?view=grid", "#grid-photos img"),
        ("?source=feedback", "#review-empty h3"),
    ):
        page = visits.page(f"/ui/data/pets/review{view}", width, scheme="dark" if width == 390 else "light")
        expect(page.locator(there).first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(CUT) == []
        assert violations(page) == [], view
    assert visits.complaints == []


def test_before_a_training_one_is_led_to_it(visits: Visits, records: Records, tmp_path: Path) -> None:
    photos(records, tmp_path / "pets")
    page = visits.page("/ui/data/pets/review")
    expect(page.locator("#review-empty h3")).to_have_text("Train a classifier first")
    expect(page.locator("#review-empty a")).to_have_attribute("href", "/ui/train?dataset=pets")
    page.goto(f"{visits.address}/ui/data/none/review")
    expect(page.locator("#review-empty")).to_contain_text("There is no dataset")


def test_what_is_decided_while_a_revision_is_made_comes_along(
    visits: Visits, records: Records, pets: Dataset, tmp_path: Path
) -> None:
    page = visits.page("/ui/data/pets/review")
    expect(page.locator("#review-stage img")).to_be_visible()
    sent = decide(page, "d", "Dropped")
    page.locator("#tray-save").click()
    page.locator("#save-go").click()
    expect(page.locator("#review-saved")).to_contain_text("queued")
    later = decide(page, "k", "The label is right")
    # The revision lacks a photo: all that follow have other numbers.
    folder = tmp_path / "pets"
    (folder / sent).unlink()
    (folder / "Abyssinian_00.jpg").unlink()
    records.dataset_of(folder, pets.name)
    with records.sessions.begin() as session:
        job = session.scalars(select(Job).where(Job.kind == "import")).one()
    revise(records, job)
    expect(page.locator("#review-carried")).to_contain_text("1 unsaved decision came along")
    expect(page.locator("#tray-list li")).to_have_count(1)
    expect(page.locator("#tray-list li")).to_contain_text(later)


def test_two_tabs_keep_what_the_other_has_decided(visits: Visits, pets: Dataset) -> None:
    assert pets.items
    context = visits.context()
    one, other = context.new_page(), context.new_page()
    for tab in (one, other):
        tab.goto(f"{visits.address}/ui/data/pets/review")
        expect(tab.locator("#review-stage img")).to_be_visible()
    decide(one, "d", "Dropped")
    other.keyboard.press("ArrowRight")
    decide(other, "k", "The label is right")
    expect(other.locator("#tray-counts")).to_have_text("1 dropped, 1 kept")


@pytest.mark.thorough
@pytest.mark.usefixtures("pets")
def test_a_reload_finds_the_photo_pages_on_and_one_moves_on_when_no_page_comes(visits: Visits) -> None:
    page = visits.context().new_page()
    page.route("**/review?*", lambda route: route.continue_(url=route.request.url.replace("limit=50", "limit=2")))
    page.goto(f"{visits.address}/ui/data/pets/review")
    expect(page.locator("#review-stage img")).to_be_visible()
    for _ in range(4):
        decide(page, "k", "The label is right")
    there = shown(page)
    page.reload()
    expect(page.locator("#review-stage .file")).to_contain_text(there)
    page.goto(f"{visits.address}/ui/data/pets/review")
    expect(page.locator("#review-stage .file")).to_contain_text(there)
    page.evaluate("localStorage.clear()")
    page.route("**/review?*cursor=*", lambda route: route.abort())
    page.goto(f"{visits.address}/ui/data/pets/review")
    first = decide(page, "k", "The label is right")
    expect(page.locator("#review-stage .file")).not_to_contain_text(first)
    expect(page.locator("#trouble")).to_contain_text("The service does not answer")


@pytest.mark.thorough
@pytest.mark.usefixtures("pets")
def test_what_is_typed_stays_while_the_same_photo_is_drawn_again(visits: Visits) -> None:
    page = visits.page("/ui/data/pets/review")
    typed = page.locator("#review-stage .search input")
    expect(page.locator("#review-stage img")).to_be_visible()
    page.keyboard.press("/")
    page.keyboard.type("birm")
    page.locator("#review-stage img").evaluate("image => { image.className = 'before'; }")
    page.evaluate("dispatchEvent(new PopStateEvent('popstate'))")
    expect(page.locator("#review-stage img.before")).to_have_count(0)
    expect(typed).to_have_value("birm")
    page.keyboard.type("an")
    page.keyboard.press("Enter")
    expect(page.locator("#tray-counts")).to_have_text("1 relabelled")
    expect(typed).to_have_value("")


def test_worst_mistakes_lead_to_the_review_of_their_labels(visits: Visits, records: Records, tmp_path: Path) -> None:
    world = busy(records, tmp_path)
    page = visits.page(f"/ui/runs/{world.good.id}?tab=mistakes")
    with page.expect_request(re.compile(r"/datasets/pets/review\?")) as asked:
        page.get_by_role("link", name="Review these labels").click()
    query = parse_qs(urlsplit(asked.value.url).query)
    assert (query["source"], query["run"]) == (["top_losses"], [str(world.good.id)])
    expect(page).to_have_url(f"{visits.address}/ui/data/pets/review?source=top_losses&run={world.good.id}")
