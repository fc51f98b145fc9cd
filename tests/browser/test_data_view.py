"""Adding photos and looking at them: uploads that are broken off, label rules tried, breeds, near-duplicates."""

import io
import os
import re
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Page, Request, Route, expect
from sqlalchemy.orm import Session, sessionmaker

from ml.unpack.archive import extract_archive
from store.artifacts import ArtifactStore
from store.db.reading import list_jobs
from store.settings import Settings
from tests.api.records import Records, jpeg
from tests.browser.test_looks import CUT, violations
from tests.browser.visits import PATIENCE_MS, Visits, attach

pytestmark = pytest.mark.browser

PIECE = 8 * 1024 * 1024


def archive(path: Path, *, filler: int = 0) -> bytes:
    """A zip of four photos of two breeds, and of bytes that make it long."""
    with zipfile.ZipFile(path, "w") as file:
        for name in ("Birman_1.jpg", "Birman_2.jpg", "pug_1.jpg", "pug_2.jpg", "odd.jpg"):
            file.writestr(name, jpeg())
        if filler:
            file.writestr("filler.bin", os.urandom(filler))
    return path.read_bytes()


def folder(path: Path) -> Path:
    """Photos in a folder for each breed, with names that say nothing, and a hidden file."""
    for breed in ("Birman", "Ägyptische Mau"):
        (path / breed).mkdir(parents=True)
        for number in range(3):
            (path / breed / f"{number}.jpg").write_bytes(jpeg((40 * number, 90, 200)))
    (path / ".DS_Store").write_bytes(b"x")
    (path / "Birman" / f"{'long' * 30}.jpg").write_bytes(jpeg((9, 9, 9)))
    return path


def bytes_of(settings: Settings, page: Page) -> Path:
    found = re.search(r"upload=([0-9a-f]{32})", page.url)
    assert found is not None
    return settings.cache / "uploads" / f"tus-{found[1]}" / "bytes"


def imports(sessions: sessionmaker[Session]) -> list[dict[str, object]]:
    with sessions.begin() as session:
        return [dict(job.payload) for job in list_jobs(session).items if job.kind == "import"]


def wait_until(page: Page, holds: Callable[[], bool]) -> None:
    """Wait for what the page is about to do, while it is served."""
    for _ in range(PATIENCE_MS // 50):
        if holds():
            return
        page.wait_for_timeout(50)
    raise AssertionError


def choose(page: Page, path: Path) -> None:
    attach(page, "#archive-file", path)


def test_an_archive_is_sent_a_rule_is_tried_and_the_import_begins(
    visits: Visits, sessions: sessionmaker[Session], artifacts: ArtifactStore, tmp_path: Path
) -> None:
    data = archive(tmp_path / "My Pets.zip")
    page = visits.page("/ui/data")
    choose(page, tmp_path / "My Pets.zip")
    expect(page.locator("#sent-state")).to_have_text("Arrived")
    expect(page.locator("#rule-outcome .verdict")).to_have_text("4 of 5 photos get a label: 2 breeds.")
    expect(page.locator("#dataset-name")).to_have_value("my-pets")
    page.locator("#rule").select_option("pattern")
    page.locator("#rule-regex").fill("^([^_.]+)")
    expect(page.locator("#rule-outcome .verdict")).to_have_text("All 5 photos get a label: 3 breeds.")
    page.locator("#rule-regex").fill("(")
    expect(page.locator("#rule-outcome .bad")).to_contain_text("no regular expression")
    expect(page.locator("#import")).to_be_disabled()
    page.locator("#patterns").get_by_text("Oxford-IIIT Pet").click()
    expect(page.locator("#rule-outcome .verdict")).to_have_text("4 of 5 photos get a label: 2 breeds.")
    page.locator("#dataset-name").fill("Not A Name")
    expect(page.locator("#import")).to_be_disabled()
    page.locator("#dataset-name").fill("mine")
    page.locator("#import").click()
    expect(page.locator("#importing")).to_contain_text("queued")
    (payload,) = imports(sessions)
    assert payload["name"] == "mine"
    assert payload["rule"]["regex"] == r"^(.+)_\d+\.jpg$"  # type: ignore[index]  # JSON
    assert artifacts.get_bytes(payload["source"]["key"]) == data  # type: ignore[index]  # as above
    page.reload()
    expect(page.locator("#importing")).to_contain_text("queued")
    page.locator("#add-another").click()
    expect(page.locator("#drop-data")).to_be_visible()
    expect(page.locator("#unfinished li")).to_have_count(0)


@pytest.mark.thorough
def test_a_closed_tab_goes_on_where_it_stood(visits: Visits, settings: Settings, tmp_path: Path) -> None:
    data = archive(tmp_path / "pets.zip", filler=3 * PIECE)
    context = visits.context()
    page = context.new_page()
    page.goto(visits.address + "/ui/data")
    sent: list[str] = []

    def first_alone(route: Route, request: Request) -> None:
        sent.append(request.headers["upload-offset"])
        if len(sent) == 1:
            route.continue_()

    page.route(
        "**/uploads/*",
        lambda route, request: first_alone(route, request) if request.method == "PATCH" else route.continue_(),
    )
    choose(page, tmp_path / "pets.zip")
    wait_until(page, lambda: len(sent) == 2)
    address, kept = page.url, bytes_of(settings, page)
    page.close()
    page = context.new_page()
    page.goto(visits.address + "/ui/data")
    page.locator("#unfinished a").click()
    assert page.url == address
    expect(page.locator("#sent-state")).to_contain_text("Choose the same file")
    offsets: list[str] = []
    page.on("request", lambda one: offsets.append(one.headers["upload-offset"]) if one.method == "PATCH" else None)
    choose(page, tmp_path / "pets.zip")
    expect(page.locator("#sent-state")).to_have_text("Arrived")
    assert page.url == address
    # Of the second piece a part may have come before the tab was closed.
    assert PIECE <= int(offsets[0]) <= 2 * PIECE
    assert kept.read_bytes() == data


@pytest.mark.thorough
def test_a_broken_connection_is_waited_for(visits: Visits, settings: Settings, tmp_path: Path) -> None:
    data = archive(tmp_path / "pets.zip", filler=3 * PIECE)
    context = visits.context()
    page = context.new_page()
    page.goto(visits.address + "/ui/data")
    held: list[Route] = []

    def hold_second(route: Route, request: Request) -> None:
        if request.method == "PATCH" and request.headers["upload-offset"] == str(PIECE) and not held:
            held.append(route)
        else:
            route.continue_()

    page.route("**/uploads/*", hold_second)
    choose(page, tmp_path / "pets.zip")
    wait_until(page, lambda: bool(held))
    context.set_offline(offline=True)
    held[0].abort("internetdisconnected")
    expect(page.locator("#sent-state")).to_contain_text("The connection is broken")
    context.set_offline(offline=False)
    expect(page.locator("#sent-state")).to_have_text("Arrived")
    assert bytes_of(settings, page).read_bytes() == data


@pytest.mark.thorough
def test_an_upload_is_paused_looked_away_from_and_cancelled(visits: Visits, settings: Settings, tmp_path: Path) -> None:
    archive(tmp_path / "pets.zip", filler=2 * PIECE)
    page = visits.page("/ui/data")
    held: list[Route] = []
    page.route(
        "**/uploads/*",
        lambda route, one: held.append(route) if one.method == "PATCH" and not held else route.continue_(),
    )
    choose(page, tmp_path / "pets.zip")
    wait_until(page, lambda: bool(held))
    page.locator("#pause").click()
    expect(page.locator("#sent-state")).to_have_text("Paused")
    page.locator("nav").get_by_text("Runs").click()
    page.go_back()
    expect(page.locator("#sent-state")).to_have_text("Paused")
    page.locator("#pause").click()
    expect(page.locator("#sent-state")).to_have_text("Arrived")
    kept = bytes_of(settings, page)
    page.locator("#stop-upload").click()
    expect(page.locator("#drop-data")).to_be_visible()
    expect(page.locator("#sending")).to_be_hidden()
    assert not kept.exists()


def test_a_folder_is_packed_as_it_is_sent_and_its_rule_tried_meanwhile(
    visits: Visits, settings: Settings, tmp_path: Path
) -> None:
    photos = folder(tmp_path / "pets")
    page = visits.page("/ui/data")
    held: list[Route] = []
    page.route("**/uploads/*", lambda route, one: held.append(route) if one.method == "PATCH" else route.continue_())
    attach(page, "#photo-folder", photos)
    expect(page.locator("#rule")).to_have_value("folder")
    expect(page.locator("#rule-outcome .verdict")).to_have_text("All 7 photos get a label: 2 breeds.")
    expect(page.locator("#import")).to_be_disabled()
    expect(page.locator("#import-missing")).to_contain_text("once it has arrived")
    held[0].continue_()
    expect(page.locator("#sent-state")).to_have_text("Arrived")
    expect(page.locator("#import")).to_be_enabled()
    sent = bytes_of(settings, page)
    extract_archive(sent, tmp_path / "unpacked")
    found = {path.relative_to(tmp_path / "unpacked" / "pets") for path in (tmp_path / "unpacked").rglob("*.jpg")}
    assert found == {path.relative_to(photos) for path in photos.rglob("*.jpg")}
    assert all((tmp_path / "unpacked" / "pets" / path).read_bytes() == (photos / path).read_bytes() for path in found)
    with tarfile.open(fileobj=io.BytesIO(sent.read_bytes())) as packed:
        assert not any(".DS_Store" in name for name in packed.getnames())


def test_what_is_no_archive_is_refused_before_it_is_sent(visits: Visits, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no archive")
    page = visits.page("/ui/data")
    choose(page, tmp_path / "notes.txt")
    expect(page.locator("#add-trouble")).to_contain_text("notes.txt is no archive")
    assert page.url == visits.address + "/ui/data"


def test_an_upload_that_is_gone_is_told(visits: Visits) -> None:
    page = visits.page(f"/ui/data?upload={'0' * 32}")
    expect(page.locator("#add-trouble")).to_contain_text("This upload is gone")
    expect(page.locator("#drop-data")).to_be_visible()


def pets(records: Records, path: Path) -> None:
    """Three breeds of very different counts, one photo twice under two names."""
    path.mkdir()
    for breed, count in (("Birman", 30), ("pug", 3), ("Sphynx", 1)):
        for number in range(count):
            (path / f"{breed}_{number}.jpg").write_bytes(jpeg((7 * number, 90 + 50 * (breed == "pug"), 200), (60, 40)))
    (path / "Sphynx_0.jpg").write_bytes((path / "Birman_3.jpg").read_bytes())
    records.dataset_of(path, "pets")


def test_a_breed_opens_its_photos_and_the_address_keeps_it(visits: Visits, records: Records, tmp_path: Path) -> None:
    pets(records, tmp_path / "pets")
    page = visits.page("/ui/data/pets")
    expect(page.locator("#balance")).to_contain_text("uneven by a factor of 30")
    expect(page.locator("#photos")).to_be_hidden()
    page.locator("#dataset-breeds").get_by_text("Birman").click()
    expect(page.locator("#dataset-photos img")).to_have_count(24)
    page.locator("#more-photos").click()
    expect(page.locator("#dataset-photos img")).to_have_count(30)
    expect(page.locator("#more-photos")).to_be_hidden()
    assert page.url.endswith("/ui/data/pets?breed=Birman")
    page.reload()
    expect(page.locator("#photos-title")).to_have_text("Birman")
    expect(page.locator('#dataset-breeds [aria-current="true"]')).to_have_text("Birman")
    loaded = page.locator("#dataset-photos img").first
    loaded.scroll_into_view_if_needed()
    page.wait_for_function("(image) => image.naturalWidth === 60", arg=loaded.element_handle())
    page.go_back()
    expect(page.locator("#photos")).to_be_hidden()


def test_near_duplicates_are_shown_side_by_side(visits: Visits, records: Records, tmp_path: Path) -> None:
    pets(records, tmp_path / "pets")
    page = visits.page("/ui/data/pets")
    first = page.locator("#near-duplicates .pairs li").first
    expect(first.locator("img")).to_have_count(2)
    expect(first).to_contain_text("Birman_3.jpg")
    expect(first).to_contain_text("Sphynx")
    expect(first).to_contain_text("The same file")


def test_a_dataset_is_deleted_once_no_run_hangs_on_it(visits: Visits, records: Records, tmp_path: Path) -> None:
    pets(records, tmp_path / "pets")
    records.finished(records.dataset("trained"))
    page = visits.page("/ui/data/trained")
    page.locator("#delete-dataset").click()
    expect(page.get_by_role("dialog")).to_contain_text("1 run hangs on it")
    expect(page.get_by_role("dialog").get_by_role("button", name="Delete")).to_have_count(0)
    page.get_by_role("dialog").get_by_role("button", name="Close").click()
    page.goto(visits.address + "/ui/data")
    page.locator("#datasets").get_by_text("pets").click()
    page.locator("#delete-dataset").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page).to_have_url(visits.address + "/ui/data")
    expect(page.locator("#datasets tbody tr")).to_have_count(1)
    page.go_back()
    expect(page).to_have_url(visits.address + "/ui/data")


def test_a_datasets_runs_are_a_click_away_and_all_datasets_are_listed(visits: Visits, records: Records) -> None:
    run = records.finished(records.dataset("trained"))
    records.finished(records.dataset("others"))
    for number in range(205):
        records.dataset(f"set-{number}")
    page = visits.page("/ui/data")
    expect(page.locator("#datasets tbody tr")).to_have_count(207)
    page.get_by_role("link", name="1 run with trained").click()
    expect(page).to_have_url(f"{visits.address}/ui/runs?dataset=trained")
    expect(page.locator("#runs tbody tr")).to_have_count(1)
    expect(page.locator("#runs tbody tr")).to_have_attribute("data-run", str(run.id))


def test_the_sample_is_a_button(visits: Visits, sessions: sessionmaker[Session]) -> None:
    page = visits.page("/ui/data")
    page.locator("#add-sample").click()
    expect(page.locator("#imports")).to_contain_text("queued")
    expect(page.locator("#add-sample")).to_be_disabled()
    expect(page.locator("#add-oxford")).to_be_enabled()
    assert [payload["name"] for payload in imports(sessions)] == ["sample"]


BESIDE = """name => {
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(new File(["a"], "a.jpg"));
  const event = new DragEvent(name, { bubbles: true, cancelable: true, dataTransfer });
  return !document.getElementById("datasets-title").dispatchEvent(event);
}"""


def test_a_file_dropped_beside_the_zone_does_not_leave_the_page(visits: Visits) -> None:
    page = visits.page("/ui/data")
    expect(page.locator("#no-datasets")).to_be_visible()
    assert [page.evaluate(BESIDE, name) for name in ("dragover", "drop")] == [True, True]


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), pytest.param(1600, "light", marks=pytest.mark.thorough)])
def test_the_form_and_a_dataset_fit_and_can_be_read_by_everybody(
    visits: Visits, records: Records, tmp_path: Path, width: int, scheme: Literal["light", "dark"]
) -> None:
    pets(records, tmp_path / "pets")
    archive(tmp_path / "pets.zip")
    page = visits.page("/ui/data", width, scheme=scheme)
    choose(page, tmp_path / "pets.zip")
    expect(page.locator("#rule-outcome .verdict")).to_be_visible()
    page.locator("#rule").select_option("pattern")
    expect(page.locator("#patterns button")).to_have_count(3)
    assert (violations(page), page.evaluate(CUT)) == ([], [])
    page.goto(visits.address + "/ui/data/pets?breed=Birman")
    expect(page.locator("#dataset-photos img")).to_have_count(24)
    expect(page.locator("#presizing img")).to_be_visible()
    assert (violations(page), page.evaluate(CUT)) == ([], [])
    assert visits.complaints == []
