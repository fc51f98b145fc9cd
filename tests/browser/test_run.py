"""What a run's view says, and that it asks for nothing that is known not to be there."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import FilePayload, Page, Route, expect
from sqlalchemy import select

from store.db.jobs import create_job, mark_published, request_cancel, save_progress
from store.db.models import Job
from store.states import State
from tests.api.records import Records, jpeg
from tests.browser.visits import Visits, attach
from tests.browser.worlds import busy

pytestmark = pytest.mark.browser


@pytest.mark.thorough
def test_a_run_tells_how_it_was_asked_to_train_and_when(visits: Visits, records: Records, tmp_path: Path) -> None:
    world = busy(records, tmp_path)
    page = visits.page(f"/ui/runs/{world.good.id}?tab=config")
    rows = page.locator("#settings > .scroll").nth(1).locator("tr")
    expect(rows).to_have_count(8)
    told = [" ".join(row.split()) for row in rows.all_inner_texts()]
    assert told == [
        "arch resnet18 default resnet34",
        "pretrained true",
        "size 128 default 224",
        "presize 160 default 460",
        "batch_size 8 default 64",
        "loss cross_entropy",
        "valid_pct 0.2",
        "precision auto",
    ]
    phases = [" ".join(row.split()) for row in page.locator("#settings tbody").first.locator("tr").all_inner_texts()]
    assert phases == ["1 frozen 1 2e-4, 2e-4, 2e-3", "2 unfrozen 2 1e-5, 1e-4, 1e-3"]
    rest = page.locator("#settings details")
    expect(rest.get_by_text("augment.max_warp")).to_be_hidden()
    rest.locator("summary").click()
    expect(rest.get_by_text("augment.max_warp")).to_be_visible()
    # In Berlin, where this browser is.
    expect(page.locator("#run-times")).to_have_text(
        re.compile(r"^Created \d+ \w+ \d{4}, \d\d:\d\d GMT\+[12]; started .+; ended .+; took \d+ s$")
    )
    page.locator("nav").get_by_text("Runs").click()
    expect(page.locator("#runs tbody time").first).to_have_text(re.compile(r"\d\d:\d\d|\d{4}"))


@pytest.mark.thorough
def test_a_failed_run_asks_for_nothing_that_it_does_not_have(visits: Visits, records: Records, tmp_path: Path) -> None:
    world = busy(records, tmp_path)
    asked: list[int] = []
    page = visits.context().new_page()
    page.on("response", lambda answer: asked.append(answer.status))
    for run, last in (
        (world.failed, "#run-error"),
        (world.queued, "#run-no-curves"),
        (world.search, "#rates table"),
        (world.good, "[data-figure=schedule] .main-svg >> nth=0"),
        (world.running, "[data-figure=schedule] .main-svg >> nth=0"),
    ):
        page.goto(f"{visits.address}/ui/runs/{run.id}")
        expect(page.locator("#run-title")).to_contain_text(f"Run {run.id}")
        expect(page.locator(last)).to_be_visible()
    assert max(asked) < 400
    page.goto(f"{visits.address}/ui/runs/{world.failed.id}")
    expect(page.locator("#run-error")).to_contain_text("NaN at step 3.")
    expect(page.locator("#run-error")).to_contain_text("Lower the learning rate.")
    page.goto(f"{visits.address}/ui/runs/{world.search.id}")
    expect(page.locator("#rates")).to_contain_text("minimum/10 (a tenth of the rate at the lowest loss)")
    assert visits.complaints == []


def asks_about_a_worse_one(page: Page, worse: int) -> None:
    """Both rates are told; the run comes into production by a second button only, which says that the model loads."""
    button, told = page.locator("#register"), page.locator("#register-facts")
    rates = f"Run {worse} is wrong on 58.8 % of its validation photos; version 1 is wrong on 10.0 % of its validation"
    expect(told).to_contain_text(rates)
    expect(button).to_have_class("secondary")
    page.get_by_role("button", name="Register").click()
    expect(told).to_contain_text("As version 2 it then names the breeds of photos, in place of version 1")
    button.click()
    expect(page.get_by_role("dialog")).to_contain_text(rates)
    page.get_by_role("button", name="Keep it").click()
    expect(page.locator("#served")).to_contain_text("In production: version 1")
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/models", hold, times=1)
    button.click()
    page.get_by_role("dialog").get_by_role("button", name=f"Put run {worse} into production").click()
    expect(page.locator("#run-message")).to_have_text("The service loads the model …")
    expect(page.locator("#served")).to_have_text("The service loads the model …")
    expect(button).to_be_disabled()
    held[0].continue_()
    expect(page.locator("#run-message")).to_have_text(f"Run {worse} is in production as version 2.")
    expect(page.locator("#served")).to_contain_text("In production: version 2")


@pytest.mark.thorough
def test_production_is_offered_to_a_run_that_is_not_there_yet(visits: Visits, records: Records, tmp_path: Path) -> None:
    world = busy(records, tmp_path)
    worse = records.finished(world.pets, error_rate=0.588)
    records.model(worse)
    page = visits.page(f"/ui/runs/{world.good.id}")
    button, told = page.locator("#register"), page.locator("#register-facts")
    expect(button).to_have_text(f"Put run {world.good.id} into production")
    expect(told).to_contain_text("from then on names the breeds of photos")
    button.click()
    expect(page.locator("#run-message")).to_have_text(f"Run {world.good.id} is in production as version 1.")
    expect(button).to_be_hidden()
    expect(told).to_contain_text("This run is in production, as version 1")
    page.goto(f"{visits.address}/ui/runs/{world.other.id}")
    expect(told).to_contain_text(f"in place of version 1 (run {world.good.id}), which stays registered")
    expect(button).not_to_have_class("secondary")
    page.goto(f"{visits.address}/ui/runs/{worse.id}")
    asks_about_a_worse_one(page, worse.id)
    page.goto(f"{visits.address}/ui/runs/{world.good.id}")
    button.click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(told).to_contain_text("This run is in production")
    expect(button).to_be_hidden()
    page.goto(f"{visits.address}/ui/runs/{world.failed.id}")
    expect(page.locator("#run-title")).to_contain_text(f"Run {world.failed.id}")
    expect(button).to_be_hidden()
    expect(told).to_be_hidden()


@pytest.mark.parametrize(
    ("colour", "headline"),
    [
        ((0, 220, 0), r"^Birman, a cat$"),
        # Every colour a little: the classifier of these tests has no favourite.
        ((120, 118, 116), r"^Not sure between \w+, \w+ and \w+$"),
    ],
)
def test_a_breed_is_the_answer_only_where_the_service_is_sure(
    visits: Visits, records: Records, colour: tuple[int, int, int], headline: str
) -> None:
    run = records.served()
    page = visits.page(f"/ui/runs/{run.id}")
    page.locator("#register").click()
    expect(page.locator("#served")).to_contain_text("In production: version 1")
    page.locator("nav").get_by_text("Predict").click()
    attach(page, "#photo", FilePayload(name="it.jpg", mimeType="image/jpeg", buffer=jpeg(colour)))
    expect(page.locator("#answer h3")).to_have_text(re.compile(headline))


def test_an_empty_service_says_how_to_begin_by_command(visits: Visits, records: Records) -> None:
    page = visits.page("/ui/runs")
    expect(page.locator("#no-runs")).to_contain_text("pedigree train --dataset NAME")
    expect(page.locator("#runs")).to_be_hidden()
    page.locator("nav").get_by_text("Data").click()
    expect(page.locator("#no-datasets")).to_contain_text("pedigree datasets add NAME FOLDER")
    expect(page.locator("#datasets")).to_be_hidden()
    assert records is not None


def tell_workers(records: Records) -> None:
    with records.sessions.begin() as session:
        for job in session.scalars(select(Job).where(Job.state == State.QUEUED)):
            mark_published(session, job.id)


@pytest.mark.thorough
def test_what_waits_says_behind_what(visits: Visits, records: Records, tmp_path: Path) -> None:
    world = busy(records, tmp_path)
    tell_workers(records)
    page = visits.page("/ui/runs")
    last, first = page.locator("#runs .progress").nth(0), page.locator("#runs .progress").nth(1)
    held = f"behind job {world.job.id} (train, run {world.running.id})"
    expect(first).to_have_text(held)
    with records.sessions.begin() as session:
        assert save_progress(session, world.job.id, 1, {"stage": "train", "eta_seconds": 812.4})
        create_job(session, kind="import", max_attempts=1)
    tell_workers(records)
    expect(first).to_have_text(f"{held}, about 13 min 32 s left")
    expect(last).to_have_text(f"{held}, about 13 min 32 s left; 1 more ahead")
    with records.sessions.begin() as session:
        request_cancel(session, world.job.id)
    expect(first).to_have_text(f"{held}, which is being cancelled")
    expect(last).to_have_text(f"{held}, which is being cancelled; 1 more ahead")
    first.locator("a").click()
    expect(page.locator("#run-title")).to_contain_text(f"Run {world.running.id}")
    page.goto(f"{visits.address}/ui/data")
    expect(page.locator("#imports")).to_have_text(re.compile(r"^Import \d+ queued, no worker of the light lane runs$"))


@pytest.mark.thorough
def test_cells_of_the_confusion_are_read_in_words(visits: Visits, records: Records, tmp_path: Path) -> None:
    world = busy(records, tmp_path)
    page = visits.page(f"/ui/runs/{world.good.id}?tab=mistakes")
    matrix = page.get_by_role("application")
    matrix.focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#cell")).to_have_text("american pit bull terrier recognised: 29 of 30, 96.7 %")
    expect(page.locator(".hoverlayer")).to_contain_text(["american pit bull terrier recognised: 29 of 30, 96.7 %"])
    page.keyboard.press("ArrowRight")
    expect(page.locator("#cell")).to_have_text(
        "american pit bull terrier taken for american cocker spaniel: 1 of 30, 3.3 %"
    )
