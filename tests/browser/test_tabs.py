"""Many tabs while a run trains: one stream for all, and every tab goes on by itself."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from store.db.jobs import save_progress
from store.db.records import record_batches, record_epoch
from store.states import State
from tests.api.conftest import until
from tests.api.figure_records import STEPS_AN_EPOCH, step_record
from tests.api.records import Records
from tests.browser.conftest import Streams
from tests.browser.visits import PATIENCE_MS, Visits
from tests.browser.worlds import World, busy

pytestmark = pytest.mark.browser

PATIENCE = PATIENCE_MS / 1000
TABS = 7
"""More than the six connections that a browser opens; benchmarks/ten_tabs.py is the large one."""


def epoch_ends(records: Records, world: World, number: int) -> None:
    """The running run has another epoch behind it, as a worker writes it."""
    figures = {"train_loss": 0.5, "valid_loss": 0.4, "error_rate": 0.01 * number, "seconds": 2.0}
    epoch = {"phase": 1, "epoch": number, **figures, "images_per_second": 10.0}
    with records.sessions.begin() as session:
        steps = range(STEPS_AN_EPOCH * (number + 1), STEPS_AN_EPOCH * (number + 2))
        record_batches(session, world.running.id, [step_record(step, ()) for step in steps])
        record_epoch(session, world.running.id, epoch)
    records.event(world.job, "epoch", epoch)


def progress(records: Records, world: World, step: int) -> None:
    at = {"stage": "train", "phase": 0, "epoch": 0, "epochs": 3, "step": step, "steps": 30}
    with records.sessions.begin() as session:
        assert save_progress(session, world.job.id, 1, at)


def shows_step(page: Page, step: int) -> None:
    expect(page.locator("#runs .progress")).to_contain_text([f"train {step}/30"])


def test_more_tabs_than_connections_share_a_stream_and_all_stay_live_even_reloaded(
    visits: Visits, records: Records, streams: Streams, tmp_path: Path
) -> None:
    world = busy(records, tmp_path)
    context = visits.context()
    tabs = [context.new_page() for _ in range(TABS)]
    for tab in tabs:
        tab.goto(visits.address, wait_until="commit")
    for tab in tabs:
        tab.reload(wait_until="commit")
    # Of all that came first, none keeps a connection that this one needs.
    tabs.append(context.new_page())
    tabs[-1].goto(f"{visits.address}/?run={world.running.id}")
    expect(tabs[-1].locator("#epochs tbody tr")).to_have_count(1)
    until(lambda: streams.open == 1, PATIENCE)
    epoch_ends(records, world, 1)
    progress(records, world, 17)
    expect(tabs[-1].locator("#epochs tbody tr")).to_have_count(2)
    for tab in tabs:
        shows_step(tab, 17)
    assert streams.open == 1
    # Only while one tab hands the stream to another are there two.
    assert streams.most <= 2


def test_when_the_tab_with_the_stream_goes_another_goes_on_without_a_gap(
    visits: Visits, records: Records, streams: Streams, tmp_path: Path
) -> None:
    world = busy(records, tmp_path)
    context = visits.context()
    tabs = [context.new_page() for _ in range(3)]
    for tab in tabs:
        tab.goto(visits.address)
        expect(tab.locator("#runs tbody tr")).to_have_count(7)
    until(lambda: streams.open == 1, PATIENCE)
    for step in range(1, len(tabs)):
        progress(records, world, step)
        for tab in tabs[step - 1 :]:
            shows_step(tab, step)
        tabs[step - 1].close()
        # While nobody may be listening.
        progress(records, world, 10 + step)
        for tab in tabs[step:]:
            shows_step(tab, 10 + step)
        until(lambda: streams.open == 1, PATIENCE)


def test_a_page_that_is_left_keeps_no_stream_and_lives_on_when_it_is_shown_again(
    visits: Visits, records: Records, streams: Streams, tmp_path: Path
) -> None:
    world = busy(records, tmp_path)
    page = visits.page("/")
    until(lambda: streams.open == 1, PATIENCE)
    for _ in range(2):
        page.goto(f"{visits.address}/openapi.json")
        page.goto(visits.address)
        expect(page.locator("#runs tbody tr")).to_have_count(7)
    page.goto(f"{visits.address}/openapi.json")
    until(lambda: streams.open == 0, PATIENCE)
    progress(records, world, 5)
    page.evaluate("history.back()")
    until(lambda: streams.open == 1, PATIENCE)
    progress(records, world, 6)
    shows_step(page, 6)


def test_there_is_no_stream_where_nothing_is_at_work(
    visits: Visits, records: Records, streams: Streams, tmp_path: Path
) -> None:
    run = records.finished(records.dataset_with_photos(tmp_path / "photos"))
    page = visits.page(f"/?run={run.id}")
    expect(page.locator("#worst li")).to_have_count(3)
    assert streams.most == 0
    # Something begins, and ends.
    _, job = records.run(records.dataset("other"))
    until(lambda: streams.open == 1, PATIENCE)
    records.move(job, State.RUNNING, State.SUCCEEDED)
    until(lambda: streams.open == 0, PATIENCE)
    expect(page.locator("#runs tbody tr").first).to_contain_text("succeeded")
