"""The view of jobs: the queue by lane, its workers, what can be done, and that the address keeps what is chosen."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect
from sqlalchemy import func, update

from store.db.lanes import WorkerDevice, keep_worker
from store.db.models import Job
from store.lanes import Lane
from tests.api.records import Records
from tests.browser.visits import Visits
from tests.browser.worlds import busy, progress

pytestmark = pytest.mark.browser


def at_work(records: Records) -> None:
    with records.sessions.begin() as session:
        session.execute(update(Job).values(published_at=func.now()))
        keep_worker(session, "a worker", {Lane.TRAIN}, 600, WorkerDevice("gpu", "NVIDIA A100-SXM4-40GB", 40 << 30))
        keep_worker(session, "a worker of light jobs", {Lane.LIGHT}, 600, WorkerDevice("cpu", "AMD EPYC", 16 << 30))


def test_the_queue_says_what_runs_what_waits_for_what_and_who_does_it(
    visits: Visits, records: Records, tmp_path: Path
) -> None:
    world = busy(records, tmp_path)
    at_work(records)
    progress(records, world.job, 12)
    page = visits.context().new_page()
    # What happens before the stream begins is told by the next look only.
    with page.expect_response(re.compile(r"/events$")):
        page.goto(f"{visits.address}/ui/jobs")
    expect(page.locator("#jobs-summary")).to_have_text("1 at work, 2 waiting")
    running = page.locator(f'#jobs-lanes [data-job="{world.job.id}"]')
    expect(running).to_contain_text("train 12/30")
    expect(running).to_contain_text("on NVIDIA A100-SXM4-40GB")
    expect(page.locator("#jobs-lanes li").nth(1)).to_contain_text(f"Waits: behind job {world.job.id} (train")
    expect(page.locator('[data-worker="a worker"]')).to_contain_text(
        f"Job {world.job.id}: train run {world.running.id}"
    )
    expect(page.locator('[data-worker="a worker"]')).to_contain_text("GPU, 40 GiB memory")
    expect(page.locator('[data-worker="a worker of light jobs"]')).to_contain_text("Free")
    # By the stream, without another look.
    records.event(
        world.job, "progress", {"stage": "train", "phase": 0, "epoch": 0, "epochs": 3, "step": 29, "steps": 30}
    )
    expect(running).to_contain_text("train 29/30")
    failed = page.locator("#jobs-done li", has_text="failed")
    expect(failed).to_contain_text("NaN at step 3. Lower the learning rate.")
    assert visits.complaints == []


def test_a_job_is_cancelled_and_taken_up_again_with_the_keyboard(
    visits: Visits, records: Records, tmp_path: Path
) -> None:
    world = busy(records, tmp_path)
    at_work(records)
    page = visits.page("/ui/jobs")
    page.locator("#jobs-lanes li", has_text=f"run {world.queued.id}").get_by_role("button").press("Enter")
    cancelled = page.locator("#jobs-done li", has_text=f"run {world.queued.id}")
    expect(cancelled).to_contain_text("cancelled")
    cancelled.get_by_role("button", name="Resume").click()
    expect(page.locator("#jobs-lanes li", has_text=f"run {world.queued.id}")).to_contain_text("Waits")
    page.locator(f'#jobs-lanes [data-job="{world.job.id}"]').get_by_role("button").click()
    expect(page.locator(f'#jobs-lanes [data-job="{world.job.id}"]')).to_contain_text("cancelling")


def test_what_is_chosen_stays_in_the_address(visits: Visits, records: Records, tmp_path: Path) -> None:
    busy(records, tmp_path)
    page = visits.page("/ui/jobs")
    page.locator("#jobs-state").select_option("failed")
    expect(page.locator("#jobs-done li")).to_have_count(1)
    expect(page.locator("#jobs-lanes")).to_be_hidden()
    expect(page).to_have_url(re.compile(r"/ui/jobs\?state=failed$"))
    page.reload()
    expect(page.locator("#jobs-done li")).to_have_count(1)
    expect(page.locator("#jobs-state")).to_have_value("failed")
    page.locator("#jobs-kind").select_option("lr_find")
    expect(page.locator("#no-done")).to_be_visible()


def test_an_empty_queue_and_no_worker_are_said_on_a_telephone_too(visits: Visits) -> None:
    page = visits.page("/ui/jobs", width=390, height=800)
    expect(page.locator("#no-workers")).to_be_visible()
    expect(page.locator("#jobs-lanes")).to_contain_text("Nothing runs and nothing waits here.")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert visits.complaints == []
