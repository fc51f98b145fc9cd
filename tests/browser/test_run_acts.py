"""What people do with a run: look at the photos behind a mistake, stop it, take it up again, name it, delete it."""

import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, Route, expect

from store.db.jobs import change_state
from store.db.models import Run
from store.db.reading import get_job, state_of_run
from store.states import State
from tests.api.conftest import until
from tests.api.records import Records
from tests.browser.conftest import Streams
from tests.browser.visits import PATIENCE_MS, Visits
from tests.browser.worlds import BREEDS, batches_come, busy

pytestmark = pytest.mark.browser


@pytest.mark.thorough
def test_a_cell_opens_its_photos_one_of_them_opens_larger_and_back_closes_each(
    visits: Visits, records: Records, tmp_path: Path
) -> None:
    world = busy(records, tmp_path)
    page = visits.page(f"/ui/runs/{world.good.id}?tab=mistakes")
    matrix = page.get_by_role("application")
    matrix.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    shots, dialog = page.locator("#shots"), page.locator("#photo-view")
    expect(page.locator("#shots-title")).to_have_text("american pit bull terrier, taken for american cocker spaniel")
    expect(page.locator("#shots-title")).to_be_focused()
    expect(page.locator("#shots-grid li")).to_have_count(1)
    expect(page.locator("#shots-grid .file")).to_have_text("american_pit_bull_terrier_0.jpg")
    page.locator("#shots-grid a").click()
    expect(page.locator("#photo-title")).to_have_text("american_pit_bull_terrier_0.jpg")
    page.reload()
    expect(dialog).to_be_visible()
    page.go_back()
    expect(dialog).to_be_hidden()
    expect(shots).to_be_visible()
    page.go_back()
    expect(shots).to_be_hidden()
    assert page.url.endswith("?tab=mistakes")
    assert visits.complaints == []


@pytest.mark.thorough
def test_a_click_on_the_heat_map_a_pair_and_a_breed_open_their_photos(
    visits: Visits, records: Records, tmp_path: Path
) -> None:
    world = busy(records, tmp_path)
    page = visits.page(f"/ui/runs/{world.good.id}?tab=mistakes")
    expect(page.get_by_role("application")).to_be_visible()
    chart = page.locator("[data-figure=confusion] .js-plotly-plot")
    place: dict[str, float] = chart.evaluate(
        """part => {
          part.scrollIntoView({ block: "center" });
          const { xaxis, yaxis } = part._fullLayout;
          return { x: xaxis._offset + xaxis.c2p(1), y: yaxis._offset + yaxis.c2p(0) };
        }"""
    )
    chart.click(position={"x": place["x"], "y": place["y"]})
    expect(page.locator("#shots-title")).to_have_text("american pit bull terrier, taken for american cocker spaniel")
    page.locator("#shots-close").click()
    expect(page.locator("#shots")).to_be_hidden()
    page.locator("#confused a").first.click()
    expect(page.locator("#shots-title")).to_contain_text("taken for")
    expect(page.locator("#shots-facts")).not_to_have_text("Looking for them …")
    page.locator("#scores a", has_text=BREEDS[3].replace("_", " ")).first.click()
    expect(page.locator("#shots-title")).to_have_text(f"All photos of {BREEDS[3].replace('_', ' ')}")
    expect(page.locator("#shots-facts")).to_have_text("1 photo, the worst first.")
    # Two were opened after each other: closing leads to neither.
    page.locator("#shots-close").click()
    expect(page).to_have_url(f"{visits.address}/ui/runs/{world.good.id}?tab=mistakes")
    expect(page.locator("#shots")).to_be_hidden()


@pytest.mark.thorough
def test_an_interpretation_on_another_dataset_is_started_beside_the_mistakes(
    visits: Visits, records: Records, tmp_path: Path
) -> None:
    world = busy(records, tmp_path)
    page = visits.page(f"/ui/runs/{world.good.id}?tab=mistakes")
    page.get_by_text("Interpret it on other photos, or once more").click()
    page.locator("#interpret-on").select_option("all photos of more-pets")
    page.get_by_role("button", name="Start the interpretation").click()
    under_way = page.locator("#interprets li")
    expect(under_way).to_contain_text("on dataset more-pets, averaged over augmented copies, queued")
    expect(page.locator("#interpret-form")).to_be_hidden()
    page.goto(f"{visits.address}/ui/runs/{world.running.id}?tab=mistakes")
    expect(page.locator("#no-reading")).not_to_be_empty()
    expect(page.locator("#interpret")).to_be_hidden()
    assert visits.complaints == []


def test_the_arrow_keys_lead_through_the_photos_and_one_back_closes_them(
    visits: Visits, records: Records, tmp_path: Path
) -> None:
    world = busy(records, tmp_path)
    page = visits.page(f"/ui/runs/{world.good.id}?tab=mistakes")
    page.locator("#worst a").first.click()
    title = page.locator("#photo-title")
    for key, name in (("ArrowRight", 1), ("ArrowRight", 2), ("ArrowLeft", 1)):
        page.keyboard.press(key)
        expect(title).to_have_text(f"{BREEDS[name]}_{name}.jpg")
    expect(page.locator("#photo-place")).to_have_text("2 of 9")
    page.go_back()
    expect(page.locator("#photo-view")).to_be_hidden()
    assert page.url.endswith("?tab=mistakes")


@pytest.mark.thorough
def test_a_late_answer_for_a_run_that_was_left_is_dropped(visits: Visits, records: Records, tmp_path: Path) -> None:
    world = busy(records, tmp_path)
    page = visits.page("/ui/runs")
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    # The page's own address ends like this too.
    page.route(f"{visits.address}/runs/{world.good.id}", hold, times=1)
    page.evaluate(f"history.pushState(null, '', 'runs/{world.good.id}'); dispatchEvent(new PopStateEvent('popstate'))")
    until(lambda: page.evaluate("true") and len(held) == 1, PATIENCE_MS / 1000)
    page.evaluate(f"history.pushState(null, '', '{world.other.id}'); dispatchEvent(new PopStateEvent('popstate'))")
    expect(page.locator("#run-title")).to_contain_text(f"Run {world.other.id}")
    with page.expect_response(f"{visits.address}/runs/{world.good.id}"):
        held[0].continue_()
    expect(page.locator("#run-steps")).to_contain_text("Continue from here")
    expect(page.locator("#run-title")).to_contain_text(f"Run {world.other.id}")
    expect(page.locator("#run-steps a").first).to_have_attribute("href", f"/ui/train?from={world.other.id}")


def job_of(records: Records, run: Run) -> int:
    with records.sessions.begin() as session:
        return state_of_run(session, run.id).id


def agree(page: Page, button: str) -> None:
    page.locator("dialog[open]").get_by_role("button", name=button).click()
    expect(page.locator("dialog[open]")).to_have_count(0)


def test_a_run_is_cancelled_and_taken_up_again(visits: Visits, records: Records, tmp_path: Path) -> None:
    world = busy(records, tmp_path)
    page = visits.page(f"/ui/runs/{world.queued.id}")
    page.get_by_role("button", name="Cancel").click()
    agree(page, "Cancel the run")
    expect(page.locator("#run-state")).to_have_text("cancelled")
    expect(page.locator("#run-message")).to_have_text("It is cancelled.")
    expect(page.locator("#view-run")).to_be_focused()
    # From elsewhere: another browser's page notices it.
    assert page.request.post(f"{visits.address}/jobs/{job_of(records, world.queued)}/resume").ok
    expect(page.locator("#run-state")).to_have_text("queued")
    expect(page.locator("#run-message")).to_be_empty()
    page.get_by_role("button", name="Cancel").click()
    agree(page, "Cancel the run")
    page.get_by_role("button", name="Resume").click()
    expect(page.locator("#run-state")).to_have_text("queued")
    expect(page.get_by_role("button", name="Cancel")).to_be_visible()
    page.goto(f"{visits.address}/ui/runs/{world.running.id}")
    page.get_by_role("button", name="Cancel").click()
    agree(page, "Cancel the run")
    expect(page.locator("#run-state")).to_have_text("cancelling")
    expect(page.get_by_role("button", name="Cancel")).to_have_count(0)
    assert visits.complaints == []


@pytest.mark.thorough
def test_a_run_is_named_tagged_and_noted(visits: Visits, records: Records, tmp_path: Path) -> None:
    world = busy(records, tmp_path)
    page = visits.page(f"/ui/runs/{world.good.id}?tab=config")
    page.get_by_role("button", name="Name, tags, note").click()
    page.get_by_role("textbox", name="Name").fill("baseline of spring")
    page.get_by_role("textbox", name="Tags").fill("Good, x y, !")
    page.get_by_role("textbox", name="Note").fill("first line\nsecond line")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#edit-wrong")).not_to_be_empty()
    page.get_by_role("textbox", name="Tags").fill("Good, x y")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#edit-run")).to_be_hidden()
    expect(page.locator("#run-title")).to_contain_text("baseline of spring")
    expect(page.locator("#run-tags li")).to_have_text(["good", "x-y"])
    expect(page.locator("#run-note")).to_have_text("first line\nsecond line")
    page.reload()
    expect(page.locator("#run-title")).to_contain_text("baseline of spring")
    expect(page.locator("#settings")).to_be_visible()


def test_what_hangs_on_a_run_is_told_before_it_is_deleted_and_needs_a_second_choice(
    visits: Visits, records: Records, tmp_path: Path
) -> None:
    world = busy(records, tmp_path)
    page = visits.page("/ui/runs")
    page.locator(f'#runs a[href="/ui/runs/{world.good.id}"]').first.click()
    page.get_by_role("button", name="Register").click()
    expect(page.locator("#run-steps")).to_contain_text("Version 1")
    delete, dialog = page.locator("#run-delete"), page.locator("#delete-run")
    delete.click()
    expect(dialog).to_contain_text("Version 1 goes with it")
    expect(dialog).to_contain_text("Its interpretations of more-pets go with it")
    sure = page.locator("#delete-yes")
    expect(sure).to_be_disabled()
    page.locator("#delete-leave").click()
    expect(dialog).to_be_hidden()
    delete.click()
    page.get_by_label("Delete what goes with it too.").check()
    sure.click()
    expect(page).to_have_url(f"{visits.address}/ui/runs")
    expect(page.locator("#runs tbody tr").first).to_be_visible()
    expect(page.locator(f'#runs a[href="/ui/runs/{world.good.id}"]')).to_have_count(0)
    page.goto(f"{visits.address}/ui/runs/{world.running.id}")
    delete.click()
    expect(page.locator("#delete-wrong")).to_have_text("Cancel what is at work first, or wait for it.")
    expect(sure).to_be_disabled()
    assert visits.complaints == []


@pytest.mark.thorough
def test_a_late_answer_about_one_run_does_not_make_the_question_about_another_delete_it(
    visits: Visits, records: Records, tmp_path: Path
) -> None:
    world = busy(records, tmp_path)
    page = visits.page(f"/ui/runs/{world.other.id}")
    page.locator("#run-tabs a").first.wait_for()
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    late = f"{visits.address}/runs/{world.other.id}/dependents"
    page.route(late, hold, times=1)
    page.locator("#run-delete").click()
    until(lambda: page.evaluate("true") and len(held) == 1, PATIENCE_MS / 1000)
    page.locator("#delete-leave").click()
    page.evaluate(f"history.pushState(null, '', '{world.failed.id}'); dispatchEvent(new PopStateEvent('popstate'))")
    expect(page.locator("#run-title")).to_contain_text(f"Run {world.failed.id}")
    page.locator("#run-delete").click()
    expect(page.locator("#delete-yes")).to_be_enabled()
    with page.expect_response(late):
        held[0].continue_()
    with page.expect_request(lambda request: request.method == "DELETE") as sent:
        page.locator("#delete-yes").click()
    assert sent.value.url == f"{visits.address}/runs/{world.failed.id}"
    expect(page).to_have_url(f"{visits.address}/ui/runs")


FAILURES: list[tuple[str, str, dict[str, str]]] = [
    ("out_of_memory", "Start again with batches of 8", {"batch_size": "8"}),
    ("loss_diverged", "Start again with a tenth of the rate", {"batch_size": "16"}),
    ("weights_missing", "Start again without these weights", {"pretrained": "false"}),
    ("dataset_unusable", "Start again with other settings", {"batch_size": "16"}),
]


@pytest.mark.parametrize(("code", "button", "set_anew"), FAILURES)
def test_a_failure_has_a_button_that_does_the_one_thing(
    visits: Visits,
    records: Records,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    code: str,
    button: str,
    set_anew: dict[str, str],
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))  # no network's weights are here
    run = failed(records, code, batch_size=16, base_lr=0.02)
    page = visits.page(f"/ui/runs/{run.id}")
    card = page.locator("#run-error")
    expect(card).to_contain_text("What went wrong.")
    expect(card).to_contain_text("What to change.")
    expect(card.get_by_role("button", name="Resume it")).to_have_count(int(code == "weights_missing"))
    card.get_by_role("button", name=button).click()
    expect(page).to_have_url(re.compile(r"/ui/train\?"))
    query = parse_qs(urlsplit(page.url).query)
    set_to = dict(pair.split("=") for pair in query["set"][0].split(";"))
    assert set_to | set_anew == set_to
    assert (query["dataset"], query["recipe"], set_to["arch"]) == (["pets"], ["fine_tune"], "resnet18")
    assert float(query["lr"][0]) == pytest.approx(0.002 if code == "loss_diverged" else 0.02)
    page.go_back()
    expect(card).to_be_visible()


def test_a_failure_of_a_training_without_a_phase_of_the_head_is_begun_again_as_it_was_asked(
    visits: Visits, records: Records
) -> None:
    run = failed(records, "loss_diverged", freeze_epochs=0, base_lr=0.02, lr_mult=50, epochs=3)
    page = visits.page(f"/ui/runs/{run.id}")
    expect(page.locator("#run-error")).to_contain_text("Code: loss_diverged")
    page.get_by_role("button", name="Start again with a tenth of the rate").click()
    expect(page).to_have_url(re.compile(r"/ui/train\?"))
    query = parse_qs(urlsplit(page.url).query)
    set_to = dict(pair.split("=") for pair in query["set"][0].split(";"))
    assert (set_to["freeze_epochs"], set_to["epochs"], set_to["lr_mult"]) == ("0", "3", "50")
    assert float(query["lr"][0]) == pytest.approx(0.002)


def test_a_failure_from_outside_is_resumed_with_its_button(visits: Visits, records: Records) -> None:
    run = failed(records, "worker_lost")
    page = visits.page(f"/ui/runs/{run.id}")
    page.locator("#run-error").get_by_role("button", name="Resume it").click()
    expect(page.locator("#run-state")).to_have_text("queued")
    expect(page.locator("#run-error")).to_be_hidden()
    with records.sessions.begin() as session:
        assert get_job(session, state_of_run(session, run.id).id).state == State.QUEUED


def failed(records: Records, code: str, **config: Any) -> Run:  # noqa: ANN401 - config fields
    run, job = records.run(records.dataset(), **config)
    records.move(job, State.RUNNING)
    error = {"code": code, "detail": "what went wrong", "hint": "What to change."}
    with records.sessions.begin() as session:
        assert change_state(session, job.id, State.FAILED, error=error)
    return run


@pytest.mark.thorough
def test_whatever_holds_a_model_can_be_registered_and_nothing_else(
    visits: Visits, records: Records, tmp_path: Path
) -> None:
    world = busy(records, tmp_path)
    kept = failed(records, "no_rate_found")
    records.model(kept)
    for run, is_offered in ((world.good, True), (kept, True), (world.failed, False), (world.running, False)):
        page = visits.page(f"/ui/runs/{run.id}")
        expect(page.locator("#run-state")).not_to_be_empty()
        expect(page.locator("#run-tabs a").first).to_be_visible()
        count = 1 if is_offered else 0
        expect(page.get_by_role("button", name="Register")).to_have_count(count)
        expect(page.get_by_role("link", name="Continue from here")).to_have_count(count)
        expect(page.locator("#register")).to_be_visible(visible=is_offered)


@pytest.mark.thorough
def test_production_is_rolled_back_from_the_run_that_answers(visits: Visits, records: Records, tmp_path: Path) -> None:
    world = busy(records, tmp_path)
    page = visits.page(f"/ui/runs/{world.other.id}")
    page.locator("#register").click()
    expect(page.locator("#served")).to_contain_text("version 1")
    page.goto(f"{visits.address}/ui/runs/{world.good.id}")
    page.locator("#register").click()
    page.get_by_role("button", name="Roll back to version 1").click()
    agree(page, "Roll back to version 1")
    expect(page.locator("#served")).to_contain_text("version 1")
    expect(page.locator("#register")).to_be_visible()


def test_files_can_be_taken_away(visits: Visits, records: Records, tmp_path: Path) -> None:
    world = busy(records, tmp_path)
    page = visits.page(f"/ui/runs/{world.good.id}?tab=files")
    with page.expect_download() as taken:
        page.get_by_role("link", name="model.safetensors").click()
    assert taken.value.suggested_filename == f"run-{world.good.id}-model.safetensors"
    assert Path(taken.value.path()).read_bytes() == b"weights"


def test_the_curve_grows_while_it_trains_and_a_reload_in_the_middle_keeps_it(
    visits: Visits, records: Records, tmp_path: Path
) -> None:
    world = busy(records, tmp_path)
    page = visits.page(f"/ui/runs/{world.running.id}")
    rows = page.locator("#epochs tbody tr")
    expect(rows).to_have_count(1)
    page.locator("#run-tabs").get_by_text("Configuration").click()
    expect(page.locator("#settings table").first).to_be_visible()
    expect(rows).to_be_hidden()
    page.reload()
    expect(page.locator("#settings table").first).to_be_visible()
    page.go_back()
    expect(rows).to_have_count(1)
    expect(page.locator("[data-figure=schedule] .main-svg").first).to_be_visible()
    page.locator("#run-tabs").get_by_text("Mistakes").click()
    expect(page.locator("#no-reading")).to_have_text("What it takes for what is known when it has ended.")


def test_batch_by_batch_only_the_curves_in_sight_are_asked_for(
    visits: Visits, records: Records, streams: Streams, tmp_path: Path
) -> None:
    world = busy(records, tmp_path)
    page = visits.page(f"/ui/runs/{world.running.id}", width=390)
    expect(page.locator("[data-figure=schedule] .main-svg").first).to_be_visible()
    page.locator("[data-figure=loss]").scroll_into_view_if_needed()
    schedule = page.locator("[data-figure=schedule]")
    assert schedule.evaluate("figure => figure.getBoundingClientRect().top > innerHeight")
    until(lambda: streams.open == 1, PATIENCE_MS / 1000)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(urlsplit(request.url).path))
    with page.expect_request("**/figures/loss**"):
        batches_come(records, world, 10)
    assert {path for path in asked if path.startswith("/runs/")} == {f"/runs/{world.running.id}/figures/loss"}
    with page.expect_request("**/figures/schedule**"):
        schedule.scroll_into_view_if_needed()
