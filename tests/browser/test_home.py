"""Predict in a browser: photos come in several ways, each gets its answer, and nothing of it is lost on the way."""

import base64
import re
import shlex
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import FilePayload, Page, expect

from ml.run_files import JUDGEMENT
from store.db.models import Run
from tests.api.records import Records, jpeg
from tests.api.serving.test_judged import PURPLE, written
from tests.browser.visits import Visits, attach, stands

pytestmark = pytest.mark.browser

RED, GREEN, BLUE = jpeg((220, 10, 10)), jpeg((0, 220, 0)), jpeg((0, 0, 220))
GREY = jpeg((120, 118, 116))
CARDS, HEADLINES = "#answer > li", "#answer h3"

GIVE = """([kind, target, files]) => {
  const sent = new DataTransfer();
  for (const [name, content] of files) {
    const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
    sent.items.add(new File([bytes], name, { type: "image/jpeg" }));
  }
  const options = { bubbles: true, cancelable: true };
  const event = kind === "paste" ? new ClipboardEvent("paste", { ...options, clipboardData: sent })
    : new DragEvent("drop", { ...options, dataTransfer: sent });
  document.querySelector(target).dispatchEvent(event);
  return event.defaultPrevented;
}"""
"""A gesture with files, as a browser tells the page of it."""


def photo(content: bytes, name: str = "it.jpg") -> FilePayload:
    return FilePayload(name=name, mimeType="image/jpeg", buffer=content)


def give(page: Page, kind: str, target: str, **files: bytes) -> Any:  # noqa: ANN401 - what the script says
    sent = [[f"{name}.jpg", base64.b64encode(content).decode()] for name, content in files.items()]
    stands(page, target)
    return page.evaluate(GIVE, [kind, target, sent])


def choose(page: Page, *files: FilePayload) -> None:
    attach(page, "#photo", list(files))


def judged(records: Records, folder: Path) -> Run:
    """A run whose answers are calibrated, and that tells what it knows."""
    run = records.served()
    records.artifact(run, JUDGEMENT, written(folder))
    return run


def serve(visits: Visits, run: Run, alias: str | None = "production") -> None:
    sent = {"run": run.id, "alias": alias}
    assert httpx.post(f"{visits.address}/models", json=sent, timeout=60).status_code == 201


def test_the_first_minute_leads_from_nothing_to_an_answer_its_run_and_the_next(
    visits: Visits, records: Records
) -> None:
    run = records.served()
    page = visits.page("/")
    expect(page.locator("#drop")).to_be_hidden()
    expect(page.locator("#no-model")).to_contain_text(f"Run {run.id} has learned to name breeds")
    page.get_by_role("button", name="Let it answer photos").click()
    expect(page.locator("#drop")).to_be_visible()
    expect(page.locator("#no-model")).to_be_hidden()
    choose(page, photo(RED))
    expect(page.locator(HEADLINES)).to_have_text("Abyssinian, a cat")
    expect(page.locator("#answer-status")).to_have_text("Abyssinian, a cat")
    expect(page.locator("#answer .bar")).to_have_count(3)
    page.get_by_role("link", name="See the run that made it").click()
    expect(page.locator("#run-title")).to_contain_text(f"Run {run.id}")
    page.go_back()
    # The photo and its answer are still there.
    expect(page.locator(HEADLINES)).to_have_text("Abyssinian, a cat")
    page.get_by_role("link", name="Start a training").click()
    expect(page).to_have_url(f"{visits.address}/ui/train")
    assert visits.complaints == []


def test_before_any_training_the_page_says_where_to_begin(visits: Visits, records: Records) -> None:
    page = visits.page("/")
    expect(page.locator("#no-model")).to_contain_text("No model has been trained yet")
    expect(page.locator("#terms")).to_be_hidden()
    expect(page.get_by_role("link", name="Start a training")).to_be_hidden()
    page.get_by_role("link", name="Bring photos in").click()
    page.locator("#add-sample").click()
    expect(page.locator("#imports")).to_contain_text("Import of sample queued")
    for area, place in (("Jobs", "#jobs-lanes"), ("Train", "#train-imports"), ("Predict", "#awaited-imports")):
        page.locator("nav").get_by_text(area).click()
        expect(page.locator(place)).to_contain_text(re.compile("[Ii]mport of sample"))
    expect(page.locator("#no-model")).to_contain_text("Photos are being brought in")
    run, _ = records.run(records.dataset())
    page.reload()
    expect(page.locator("#no-model")).to_contain_text(f"Run {run.id} is queued")
    expect(page.locator("#latest li")).to_have_count(1)
    page.get_by_role("link", name="Watch it learn").click()
    expect(page).to_have_url(f"{visits.address}/ui/runs/{run.id}")


def test_photos_are_dropped_pasted_and_chosen_and_each_has_a_card(visits: Visits, records: Records) -> None:
    serve(visits, records.served())
    page = visits.page("/")
    expect(page.locator("#drop")).to_be_visible()
    # Beside the zone too, where a browser would leave the page.
    assert give(page, "drop", "#latest-title", one=RED, two=GREEN)
    expect(page.locator(HEADLINES)).to_have_text(["Abyssinian, a cat", "Birman, a cat"])
    assert give(page, "paste", "body", three=BLUE)
    choose(page, photo(b"no picture", "four.txt"))
    expect(page.locator(CARDS).first).to_contain_text("The bytes are none of")
    expect(page.locator(f"{CARDS}.bad")).to_have_count(1)
    expect(page.locator("#answer-status")).to_have_text("3 of 4 photos answered, 1 not readable or refused.")
    expect(page.locator(f"{CARDS} .file")).to_have_text(["four.txt", "three.jpg", "one.jpg", "two.jpg"])
    page.get_by_role("button", name="Remove four.txt").click()
    expect(page.locator("#answer-status")).to_have_text("3 of 3 photos answered.")
    page.get_by_role("button", name="Clear").click()
    expect(page.locator(CARDS)).to_have_count(0)
    # What is pasted into another view is not for this one.
    page.locator("nav").get_by_text("Runs").click()
    assert not give(page, "paste", "body", five=RED)


def test_of_more_photos_than_fit_the_first_are_answered_and_it_is_said(visits: Visits, records: Records) -> None:
    serve(visits, records.served())
    page = visits.page("/")
    choose(page, *(photo(RED, f"{number}.jpg") for number in range(40)))
    expect(page.locator("#answer-status")).to_have_text("32 of 32 photos answered.")
    expect(page.locator("#photos-told")).to_contain_text("These are 40 photos; the first 32 of them are answered.")
    choose(page, photo(GREEN, "new.jpg"))
    expect(page.locator(CARDS)).to_have_count(32)
    expect(page.locator(f"{CARDS} .file").first).to_have_text("new.jpg")
    expect(page.locator("#answer")).not_to_contain_text("31.jpg")


def test_what_is_not_sure_or_unknown_is_said_in_words(visits: Visits, records: Records, tmp_path: Path) -> None:
    serve(visits, judged(records, tmp_path))
    page = visits.page("/")
    choose(page, photo(GREY, "grey.jpg"), photo(PURPLE, "purple.jpg"))
    expect(page.locator(HEADLINES).nth(1)).to_have_text("Probably none of the 3 breeds")
    expect(page.locator(CARDS).nth(1)).to_contain_text("If it were one of them, it would be:")
    expect(page.locator(CARDS).nth(1)).not_to_contain_text("cannot say")


@pytest.mark.thorough
def test_a_set_is_shown_at_the_coverage_that_is_chosen_and_stays_chosen(
    visits: Visits, records: Records, tmp_path: Path
) -> None:
    serve(visits, judged(records, tmp_path))
    page = visits.page("/")
    choose(page, photo(GREEN))
    expect(page.locator(HEADLINES)).to_have_text("Birman, a cat")
    expect(page.locator("#answer .set")).to_have_count(0)
    page.get_by_label("Set of breeds").select_option("0.95")
    expect(page.locator("#answer .set")).to_have_text(re.compile(r"^In 95\s% of cases it is"))
    expect(page.locator("#answer .tags li").first).to_have_text("Birman")
    assert page.url.endswith("/ui/?coverage=0.95")
    page.get_by_label("Set of breeds").select_option("0.99")
    # 99 photos are too few for it by one, and it says so.
    expect(page.locator("#answer .set")).to_have_text(re.compile(r"^In 99\s% of cases it is"))
    page.reload()
    expect(page.get_by_label("Set of breeds")).to_have_value("0.99")
    page.goto(f"{visits.address}/ui/?coverage=0.7")
    expect(page.locator("#trouble")).to_contain_text("Choose one beside “Set of breeds”.")


@pytest.mark.thorough
def test_where_the_terms_cannot_be_kept_a_button_leads_to_those_that_can(visits: Visits, records: Records) -> None:
    serve(visits, records.served())
    page = visits.page("/ui/?coverage=0.9")
    choose(page, photo(RED))
    expect(page.locator("#answer .bad").last).to_contain_text("left nothing to work out sets of breeds from")
    page.get_by_role("button", name="Ask without a set").click()
    expect(page.locator(HEADLINES)).to_have_text("Abyssinian, a cat")
    page.goto(f"{visits.address}/ui/?model=77")
    choose(page, photo(RED))
    expect(page.locator("#answer")).to_contain_text("There is no model version 77.")
    page.get_by_role("button", name="Ask another model").click()
    expect(page.locator(HEADLINES).first).to_have_text("Abyssinian, a cat")
    assert page.url.endswith("/ui/")


@pytest.mark.thorough
def test_another_version_answers_what_is_shown_and_is_in_the_address(visits: Visits, records: Records) -> None:
    dataset = records.dataset()
    first, second = records.served(dataset), records.served(dataset, content=b"other")
    serve(visits, first)
    serve(visits, second, alias=None)
    page = visits.page("/")
    choose(page, photo(RED))
    expect(page.locator("#answer .by")).to_contain_text("By version 1 (resnet18) of run")
    page.get_by_label("Answered by").select_option("2")
    expect(page.locator("#answer .by")).to_contain_text("By version 2 (resnet18) of run")
    assert page.url.endswith("/ui/?model=2")
    page.locator("#answer .by a").first.click()
    expect(page.locator("#model-title")).to_contain_text("Version 2")
    page.go_back()
    expect(page.locator("#answer .by")).to_contain_text("By version 2")
    expect(page.get_by_label("Answered by")).to_have_value("2")
    page.reload()
    expect(page.get_by_label("Answered by")).to_have_value("2")
    page.goto(f"{visits.address}/ui/?model=a%20b")
    expect(page.locator("#trouble")).to_contain_text("Choose one beside “Answered by”.")


def test_where_versions_are_registered_and_none_is_in_production_the_newest_answers(
    visits: Visits, records: Records
) -> None:
    serve(visits, records.served(), alias=None)
    page = visits.page("/")
    expect(page.locator("#no-model")).to_contain_text("No version is in production.")
    choose(page, photo(RED))
    expect(page.locator(HEADLINES)).to_have_text("Abyssinian, a cat")
    page.get_by_role("button", name="Put version 1 into production").click()
    expect(page.locator("#served")).to_contain_text("In production: version 1")
    expect(page.locator("#no-model")).to_be_hidden()


def test_a_model_of_drawn_pictures_is_tried_on_one_of_its_own(visits: Visits, records: Records, tmp_path: Path) -> None:
    run = records.served(records.dataset_with_photos(tmp_path / "sample", drawn=True))
    serve(visits, run)
    page = visits.page("/")
    page.get_by_role("button", name="Try one of its own drawn pictures").click()
    expect(page.locator(HEADLINES)).to_have_text(re.compile("^(Abyssinian, a cat|Birman, a cat|.*[Pp]ug.*)$"))
    expect(page.locator("#answer .file")).to_have_text(re.compile(r"^(Birman|pug)_\d\.jpg$"))
    expect(page.locator("#answer .by")).to_contain_text("drawn sample")


def test_the_command_that_is_copied_asks_for_the_same(visits: Visits, records: Records, tmp_path: Path) -> None:
    serve(visits, judged(records, tmp_path))
    context = visits.context()
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.goto(f"{visits.address}/ui/?coverage=0.9&model=1")
    choose(page, photo(GREEN, "it's, here.jpg"))
    page.get_by_text("As a command").click()
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == page.locator(".command code").text_content()
    curl, flag, file, address = shlex.split(copied)
    assert (curl, flag, file) == ("curl", "-F", 'file=@"it\'s, here.jpg"')
    answer = httpx.post(address, files={"file": ("it's, here.jpg", GREEN, "image/jpeg")}, timeout=60).json()
    assert (answer["model"]["version"], answer["coverage"]["asked"]) == (1, 0.9)
    assert answer["predictions"][0]["sentence"] == "Birman"


def test_on_a_telephone_a_photo_can_be_taken(visits: Visits, records: Records) -> None:
    serve(visits, records.served())
    context = visits.browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    visits.contexts.append(context)
    page = context.new_page()
    page.goto(f"{visits.address}/")
    expect(page.get_by_text("Take a photo")).to_be_visible()
    expect(page.get_by_text("or paste one")).to_be_hidden()
    attach(page, "#camera", photo(BLUE, "camera.jpg"))
    expect(page.locator(HEADLINES)).to_have_text("pug, a dog")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    desk = visits.page("/")
    expect(desk.get_by_text("or paste one")).to_be_visible()
    expect(desk.get_by_text("Take a photo")).to_be_hidden()


@pytest.mark.thorough
def test_a_reload_and_back_keep_what_was_answered_and_clear_forgets_it(visits: Visits, records: Records) -> None:
    serve(visits, records.served())
    page = visits.page("/")
    expect(page.locator("#drop")).to_be_visible()
    choose(page, photo(RED, "red.jpg"), photo(b"no picture", "four.txt"))
    expect(page.locator("#answer-status")).to_contain_text("1 of 2 photos answered")
    expect(page.locator(CARDS).last).to_contain_text("The bytes are none of")
    for leave in (page.reload, lambda: (page.goto(f"{visits.address}/ui/runs"), page.go_back(wait_until="commit"))):
        leave()
        expect(page.locator(f"{CARDS} .file")).to_have_text(["red.jpg", "four.txt"])
        expect(page.locator(HEADLINES)).to_have_text("Abyssinian, a cat")
        expect(page.locator(f"{CARDS} .bar")).to_have_count(3)
        expect(page.locator(CARDS).last).to_contain_text("The bytes are none of")
        expect(page.locator(f"{CARDS} img").first).to_have_js_property("naturalWidth", 40)
    choose(page, photo(GREEN, "green.jpg"))
    expect(page.locator(HEADLINES)).to_have_text(["Birman, a cat", "Abyssinian, a cat"])
    # Another tab has nothing of it.
    other = page.context.new_page()
    other.goto(visits.address)
    expect(other.locator("#drop")).to_be_visible()
    expect(other.locator(CARDS)).to_have_count(0)
    page.reload()
    expect(page.locator(f"{CARDS} .file")).to_have_text(["green.jpg", "red.jpg", "four.txt"])
    page.get_by_role("button", name="Clear").click()
    page.reload()
    expect(page.locator("#drop")).to_be_visible()
    expect(page.locator(CARDS)).to_have_count(0)
    # What is no record of ours is passed over.
    page.evaluate("sessionStorage.setItem('pedigree-answers', 'no list')")
    page.reload()
    expect(page.locator("#drop")).to_be_visible()
    assert [one for one in visits.complaints if "/predict" not in one] == []  # the refused photo's
