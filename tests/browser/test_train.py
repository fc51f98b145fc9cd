"""The view to train from: what is chosen, what is wrong, a rate from a curve, and the start."""

import re
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from playwright.sync_api import Locator, Page, expect
from sqlalchemy import select

from ml.architecture_facts import FACTS
from store.db.jobs import change_state, claim
from store.db.models import Job, Run
from store.db.paces import Machine, ModelKey, record_throughput
from store.states import State
from tests.api.records import Records
from tests.browser.visits import Visits
from tests.browser.worlds import World, busy

pytestmark = pytest.mark.browser


def settled(page: Page) -> None:
    """The service has said what it would do."""
    expect(page.locator("#train-sum dl")).to_be_visible()


def field(page: Page, name: str) -> Locator:
    return page.locator(f'#train-form [data-field="{name}"]')


def newest(records: Records) -> Run:
    with records.sessions.begin() as session:
        return session.scalars(select(Run).order_by(Run.id.desc()).limit(1)).one()


def parameters(page: Page) -> str:
    return page.url.partition("?")[2]


def test_a_training_is_started_from_the_form(visits: Visits, records: Records) -> None:
    records.dataset("drawn", drawn=True)
    page = visits.page("/ui/train")
    expect(page.locator("#train-dataset")).to_have_value("drawn")
    expect(page.locator("#train-dataset")).to_contain_text("21 photos of 3 breeds, drawn sample")
    field(page, "epochs").fill("4")
    page.locator("#train-all summary").click()
    field(page, "batch_size").fill("8")
    field(page, "augment.flip").uncheck()
    settled(page)
    expect(page.locator("#train-sum")).to_contain_text("1 epoch of the head, then 4 epochs of everything")
    field(page, "name").fill("from the form")
    page.get_by_role("button", name="Start training").click()
    expect(page).to_have_title(re.compile(r"^Run \d+"))
    run = newest(records)
    assert page.url.endswith(f"/ui/runs/{run.id}")
    assert (run.name, run.config["batch_size"], run.config["augment"]["flip"]) == ("from the form", 8, False)
    assert [phase["epochs"] for phase in run.config["phases"]] == [1, 4]
    # What is half typed may be refused by the dry run, and a browser notes that by itself.
    assert [one for one in visits.complaints if "dry_run" not in one] == []


def test_what_is_filled_in_is_there_after_a_reload_and_after_back(visits: Visits, records: Records) -> None:
    records.dataset()
    page = visits.page("/ui/train?recipe=head_only&set=batch_size=8")
    expect(page.locator("input[name=preset]:checked")).to_have_value("head_only")
    field(page, "lr_max").fill("1e-6, 1e-4")
    expect(page).to_have_url(re.compile("lr="))
    page.reload()
    expect(field(page, "lr_max")).to_have_value("1e-6, 1e-4")
    expect(page.locator("[data-of=batch_size] input")).to_have_value("8")
    page.locator("nav").get_by_text("Jobs").click()
    expect(page).to_have_title(re.compile("^Jobs"))
    page.go_back()
    expect(field(page, "lr_max")).to_have_value("1e-6, 1e-4")
    assert visits.complaints == []


def test_another_recipe_keeps_what_is_set_but_what_is_the_recipes_own(visits: Visits, records: Records) -> None:
    records.dataset()
    page = visits.page("/ui/train?lr=0.01&set=arch=resnet18;batch_size=8;epochs=7")
    expect(page.locator("input[name=arch]:checked")).to_have_value("resnet18")
    page.locator("input[name=preset][value=head_only]").check()
    expect(field(page, "freeze")).to_be_checked()
    assert parse_qs(parameters(page)) == {"recipe": ["head_only"], "set": ["arch=resnet18;batch_size=8"]}
    expect(page.locator("input[name=arch]:checked")).to_have_value("resnet18")


@pytest.mark.thorough
def test_few_photos_get_batches_that_they_fill(visits: Visits, records: Records) -> None:
    records.dataset()
    page = visits.page("/ui/train")
    settled(page)
    page.locator("#train-all summary").click()
    # Of 21 photos 16 are learned from: 64 at once cannot be.
    expect(field(page, "batch_size")).to_have_value("4")
    field(page, "batch_size").fill("16")
    expect(page).to_have_url(re.compile("set=batch_size%3D16"))
    settled(page)
    field(page, "batch_size").fill("4")
    expect(page).to_have_url(re.compile("/ui/train$"))
    settled(page)
    page.get_by_role("button", name="Start training").click()
    expect(page).to_have_title(re.compile(r"^Run \d+"))
    assert newest(records).config["batch_size"] == 4
    assert visits.complaints == []


@pytest.mark.thorough
def test_a_wrong_rate_is_mended_by_a_suggestion(visits: Visits, records: Records, tmp_path: Path) -> None:
    world = busy(records, tmp_path)
    page = visits.page(f"/ui/train?dataset=pets&search={world.search.id}&set=batch_size=8")
    start = page.get_by_role("button", name="Start training")
    field(page, "base_lr").fill("quick")
    expect(page.locator("#view-train [data-error=base_lr]")).not_to_be_empty()
    expect(start).to_be_disabled()
    page.get_by_role("button", name="valley: 1.2e-3").click()
    expect(page.locator("#view-train [data-error=base_lr]")).to_be_empty()
    expect(field(page, "base_lr")).to_have_value("0.0012")
    expect(start).to_be_enabled()


@pytest.mark.thorough
def test_a_click_on_the_curve_of_a_search_puts_that_rate_into_the_form(
    visits: Visits, records: Records, tmp_path: Path
) -> None:
    world = busy(records, tmp_path)
    page = visits.page(f"/ui/train?dataset=pets&search={world.search.id}&set=batch_size=8")
    chart = page.locator("#rate-figure .js-plotly-plot")
    expect(chart).to_be_visible()
    chart.scroll_into_view_if_needed()
    # On the first sweep's curve at 1e-4, where its loss is hardly below 4.
    x, y = chart.evaluate(
        "chart => { const { xaxis, yaxis } = chart._fullLayout; const box = chart.getBoundingClientRect();"
        " return [box.left + xaxis._offset + xaxis.d2p(1e-4), box.top + yaxis._offset + yaxis.d2p(3.97)]; }"
    )
    page.mouse.move(x, y)
    page.mouse.click(x, y)
    rate = field(page, "base_lr")
    expect(rate).not_to_have_value("0.002")
    taken = float(rate.input_value())
    assert taken == pytest.approx(1e-4, rel=0.2)
    (said,) = parse_qs(parameters(page))["lr"]
    assert float(said) == taken
    page.get_by_role("button", name="valley: 1.2e-3").click()
    expect(rate).to_have_value("0.0012")
    page.go_back()
    page.go_forward()
    expect(rate).to_have_value("0.0012")
    assert visits.complaints == []


@pytest.mark.thorough
def test_a_search_that_is_shown_is_not_asked_for_again_while_somebody_types(
    visits: Visits, records: Records, tmp_path: Path
) -> None:
    world = busy(records, tmp_path)
    page = visits.page(f"/ui/train?dataset=pets&search={world.search.id}&set=batch_size=8")
    expect(page.locator("#rate-figure .js-plotly-plot")).to_be_visible()
    settled(page)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    with page.expect_response(lambda answer: "dry_run" in answer.url):
        field(page, "epochs").fill("9")
    assert not [url for url in asked if f"/runs/{world.search.id}" in url]


def test_a_search_is_started_beside_the_form_and_its_way_is_shown(visits: Visits, records: Records) -> None:
    records.dataset()
    page = visits.page("/ui/train?set=batch_size=8;size=128;presize=160")
    settled(page)
    page.get_by_role("button", name="Find a learning rate first").click()
    expect(page.locator("#rate-said")).to_contain_text("The search waits")
    run = newest(records)
    assert (run.kind, run.config["size"], run.config["freeze"]) == ("lr_find", 128, True)
    assert f"search={run.id}" in parameters(page)
    expect(page.get_by_role("button", name="Find a learning rate first")).to_be_disabled()


def test_what_is_wrong_is_said_at_its_field_and_nothing_can_start(visits: Visits, records: Records) -> None:
    records.dataset()
    page = visits.page("/ui/train?set=batch_size=8")
    settled(page)
    field(page, "epochs").fill("0")
    expect(page.locator("#view-train [data-error=epochs]")).to_have_text("Give a whole number from 1 to 1000.")
    expect(page.get_by_role("button", name="Start training")).to_be_disabled()
    field(page, "epochs").fill("2")
    expect(page.locator("#view-train [data-error=epochs]")).to_be_empty()
    # What only the service knows: a rule over two fields, found where the settings are folded.
    page.goto(f"{visits.address}/ui/train?set=batch_size=8;size=300;presize=200")
    expect(page.locator("#view-train [data-error=size]")).to_have_text(
        "It is larger than presize 200. Raise presize or lower size."
    )
    expect(page.locator("[data-of=size] input")).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_role("button", name="Start training")).to_be_disabled()


@pytest.mark.thorough
def test_a_run_is_gone_on_from_and_one_without_weights_lends_its_settings(
    visits: Visits, records: Records, tmp_path: Path
) -> None:
    world: World = busy(records, tmp_path)
    page = visits.page(f"/ui/train?from={world.good.id}")
    expect(page.locator("#train-from")).to_contain_text(f"Goes on from the weights of run {world.good.id}")
    expect(page.locator("#train-dataset")).to_have_value("pets")
    expect(page.locator("[data-of=size] input")).to_have_value("128")
    expect(page.locator("input[name=arch]:checked")).to_have_value("resnet18")
    settled(page)
    page.get_by_role("button", name="Start training").click()
    expect(page).to_have_title(re.compile(r"^Run \d+"))
    run = newest(records)
    assert (run.parent_id, run.config["size"], run.config["phases"][0]["freeze"]) == (world.good.id, 128, False)
    page.goto(f"{visits.address}/ui/train?from={world.failed.id}&set=batch_size=2")
    expect(page.locator("#train-from")).to_contain_text("Takes the settings of")
    settled(page)
    page.get_by_role("button", name="Start training").click()
    expect(page).to_have_title(re.compile(r"^Run \d+"))
    run = newest(records)
    assert (run.parent_id, run.config["arch"], run.config["batch_size"]) == (None, "resnet18", 2)
    assert run.config["phases"] == world.failed.config["phases"]
    assert visits.complaints == []


def test_it_is_all_there_on_a_telephone(visits: Visits, records: Records) -> None:
    records.dataset()
    page = visits.page("/ui/train?recipe=head_then_all&set=batch_size=8", width=390, height=800)
    settled(page)
    expect(page.locator(".phase")).to_have_count(2)
    page.get_by_role("button", name="Another phase").click()
    expect(page.locator(".phase")).to_have_count(3)
    page.locator("#train-all summary").click()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.get_by_role("button", name="Start training").click()
    expect(page).to_have_title(re.compile(r"^Run \d+"))
    assert [phase["epochs"] for phase in newest(records).config["phases"]] == [3, 12, 3]
    assert visits.complaints == []


def test_a_forecast_is_measured_and_said_once_it_is_there(visits: Visits, records: Records) -> None:
    records.dataset()
    page = visits.page("/ui/train?set=batch_size=8")
    settled(page)
    expect(page.locator("#train-sum")).to_contain_text("not known yet")
    page.get_by_role("button", name="Measure a few steps").click()
    expect(page.locator("#measure")).to_have_text("Measuring…")
    page.locator("nav").get_by_text("Jobs").click()
    expect(page).to_have_title(re.compile("^Jobs"))
    page.go_back()
    expect(page.locator("#measure")).to_have_text("Measure a few steps")
    expect(page.locator("#measure")).to_be_enabled()
    page.locator("#measure").click()
    expect(page.locator("#measure")).to_have_text("Measuring…")
    with records.sessions.begin() as session:
        job = session.scalars(select(Job).where(Job.kind == "forecast").order_by(Job.id.desc()).limit(1)).one()
        assert claim(session, job.id, worker="a worker", lease_seconds=60)
        for freeze in (True, False):
            record_throughput(
                session,
                ModelKey("resnet34", 460, 224, 8),
                Machine("cpu", "fp32"),
                precision_asked="auto",
                freeze=freeze,
                images_per_second=10.0,
                valid_images_per_second=20.0,
                step_images_per_second=[10.0, 11.0],
                step_pictures=8,
                accumulation=1,
                peak_memory_bytes=1 << 30,
            )
        job.payload = {**job.payload, "device": "cpu", "precision": "fp32"}
        assert change_state(session, job.id, State.SUCCEEDED)
    expect(page.locator("#train-sum")).to_contain_text("about ")
    expect(page.locator("#train-sum")).to_contain_text("1.0 GiB")
    expect(page.locator("#measure")).to_be_hidden()
    assert visits.complaints == []


@pytest.mark.thorough
def test_a_network_whose_weights_are_here_is_offered_where_the_usual_one_s_are_not(
    visits: Visits, records: Records, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "torch" / "hub" / "checkpoints"
    cache.mkdir(parents=True)
    (cache / FACTS["resnet18"].files[0]).touch()
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    records.dataset("drawn", drawn=True)
    page = visits.page("/ui/train")
    expect(page.locator("input[name=arch]:checked")).to_have_value("resnet18")
    page.locator("input[name=arch][value=resnet34]").check()
    expect(page.locator("input[name=arch]:checked")).to_have_value("resnet34")
    page = visits.page("/ui/train?recipe=mixed_precision")  # a recipe that names its network means it
    expect(page.locator("input[name=arch]:checked")).to_have_value("resnet50")
    page = visits.page("/ui/train")
    settled(page)
    page.get_by_role("button", name="Start training").click()
    expect(page).to_have_title(re.compile(r"^Run \d+"))
    assert newest(records).config["arch"] == "resnet18"
