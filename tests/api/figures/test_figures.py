import io
import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageColor

from api.figures.catalogue import FIGURES
from api.figures.heading import rate_text
from api.figures.palette import BLUE, BLUES, GREY, GROUND, INK, PALE, VERMILION
from api.figures.steps import MOST_POINTS
from ml.reading.metrics import reliability
from store.db.models import Interpretation, Run
from store.db.records import record_batches
from store.states import State
from tests.api.figure_records import searched, searching, step_record, trained
from tests.api.records import VOCAB, Records
from tests.api.web import TestClient

PICTURE = {"Accept": "image/png"}
NAMES = tuple(FIGURES)


def figure(client: TestClient, run: Run, name: str, query: str = "") -> dict[str, Any]:
    answer = client.get(f"/runs/{run.id}/figures/{name}{query}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def traces(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The legend's traces by name."""
    return {trace["name"]: trace for trace in found["data"] if trace.get("showlegend") is not False}


def texts(found: dict[str, Any]) -> list[str]:
    title = found["layout"]["title"]
    heading = f"{title['text']}<br>{title['subtitle']['text']}".split("<br>")
    return [*heading, *(text["text"] for text in found["layout"]["annotations"])]


def picture(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data)).convert("RGB")


def colours(image: Image.Image) -> set[tuple[int, ...]]:
    return set(map(tuple, np.asarray(image).reshape(-1, 3).tolist()))


@pytest.fixture
def run(records: Records) -> Run:
    """A finished run with two phases."""
    found = records.finished(records.dataset(), epochs=2)
    trained(records, found, steps=30)
    return found


@pytest.mark.parametrize("name", ["loss", "schedule", "confusion", "reliability"])
def test_each_figure_is_one_for_plotly_and_a_picture_without_a_browser(client: TestClient, run: Run, name: str) -> None:
    found = figure(client, run, name)
    assert found["data"]
    assert found["layout"]["meta"]["title"].endswith(f"run {run.id} · a run")
    assert "resnet18 on pets" in found["layout"]["meta"]["subtitle"]
    answer = client.get(f"/runs/{run.id}/figures/{name}.png")
    assert answer.headers["content-type"] == "image/png"
    assert len(colours(picture(answer.content))) > 20


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("image/png", "image/png"),
        ("image/avif,image/webp,image/*;q=0.8,*/*;q=0.5", "image/png"),
        ("application/json", "application/json"),
        ("application/json, image/png", "application/json"),
        ("*/*", "application/json"),
    ],
)
def test_what_is_accepted_decides_between_picture_and_plotly(
    client: TestClient, run: Run, accept: str, kind: str
) -> None:
    answer = client.get(f"/runs/{run.id}/figures/loss", headers={"Accept": accept})
    assert answer.headers["content-type"] == kind
    assert answer.headers["vary"] == "Accept"


def test_a_picture_has_the_size_that_is_asked_for_within_limits(client: TestClient, run: Run) -> None:
    address = f"/runs/{run.id}/figures/loss"
    answer = client.get(f"{address}?width=600&height=400&scale=2", headers=PICTURE)
    assert picture(answer.content).size == (1200, 800)
    for query in ("width=319", "width=2001", "height=0", "scale=2.1", "scale=nan", "width=x"):
        assert client.get(f"{address}?{query}", headers=PICTURE).status_code == 422
    # The smallest that can be asked for still has room for the labels.
    small = client.get(f"/runs/{run.id}/figures/confusion?width=320&height=200", headers=PICTURE)
    assert small.status_code == 200


def test_the_loss_figure_has_steps_their_smoothed_course_and_each_epochs_validation(
    client: TestClient, run: Run
) -> None:
    found = figure(client, run, "loss")
    by_name = traces(found)
    smoothed = by_name["training, smoothed"]
    # A phase begins its smoothed loss anew: a gap stands between.
    assert smoothed["x"] == [*range(10), 10, *range(10, 30)]
    assert smoothed["y"][10] is None
    assert smoothed["y"][:2] == [2.0, pytest.approx(2 - 1 / 30, abs=1e-5)]
    assert by_name["training, each step"]["y"][0] == pytest.approx(2.2)
    valid = by_name["validation, each epoch"]
    assert valid["x"] == [9, 19, 29]
    assert valid["y"] == pytest.approx([0.5, 0.4, 0.3])
    assert "Validation loss of each epoch: 0.5, 0.4, 0.3." in found["layout"]["meta"]["alt"]
    assert [shape["x0"] for shape in found["layout"]["shapes"]] == [0, 10]
    assert {"phase 1, frozen", "phase 2, unfrozen"} <= set(texts(found))
    assert "error rate 10.0 %" in found["layout"]["meta"]["subtitle"]


def test_the_losses_axis_is_logarithmic_where_they_span_a_decade(client: TestClient, records: Records) -> None:
    near, _ = records.run(records.dataset(), epochs=2)
    trained(records, near, steps=10, losses=[2.0] * 5 + [1.0] * 5)
    assert figure(client, near, "loss")["layout"]["yaxis"]["type"] == "linear"
    far, _ = records.run(records.dataset(), epochs=2)
    trained(records, far, steps=10, losses=[5.0] * 5 + [0.1] * 5)
    axis = figure(client, far, "loss")["layout"]["yaxis"]
    assert axis["type"] == "log"
    assert axis["range"][0] < math.log10(0.1)
    assert axis["range"][1] > math.log10(5.0)
    # Plotly's own ticks, at 1, 2 and 5 of each power of ten.
    assert (axis["dtick"], axis["tickformat"]) == ("D2", "~g")


def test_a_loss_that_is_no_number_is_a_gap(client: TestClient, records: Records) -> None:
    run, _ = records.run(records.dataset(), epochs=2)
    trained(records, run, steps=4, losses=[2.0, 1.5, float("inf"), float("nan")])
    found = figure(client, run, "loss")
    assert traces(found)["training, smoothed"]["y"] == [2.0, 1.5, None, None]
    assert found["layout"]["meta"]["notes"] == ["A loss that is not a number is a gap; the first is at step 2."]
    assert client.get(f"/runs/{run.id}/figures/loss.png").status_code == 200


@pytest.mark.parametrize("name", ["loss", "schedule"])
def test_a_running_run_has_its_loss_and_schedule_as_far_as_it_has_come(
    client: TestClient, records: Records, name: str
) -> None:
    run, job = records.run(records.dataset(), epochs=2)
    records.move(job, State.RUNNING)
    answer = client.get(f"/runs/{run.id}/figures/{name}")
    assert (answer.status_code, answer.json()["code"]) == (409, "not_ready")
    assert f"job {job.id}" in answer.json()["detail"]
    for steps in (1, 4, 12):
        trained(records, run, steps=steps)
        assert figure(client, run, name)["data"][0]["x"][-1] == steps - 1
        assert client.get(f"/runs/{run.id}/figures/{name}.png").status_code == 200


def test_the_schedule_has_each_groups_rate_and_the_momentum_below(client: TestClient, run: Run) -> None:
    found = figure(client, run, "schedule")
    by_name = traces(found)
    assert by_name["head"]["y"][-1] == 1e-4
    assert by_name["late body layers"]["y"][-1] == 1e-5
    assert by_name["early body layers"]["y"][-1] == 1e-6
    assert found["layout"]["yaxis"]["type"] == "log"
    momentum = next(trace for trace in found["data"] if trace["name"] == "momentum")
    assert momentum["yaxis"] == "y2"
    assert found["layout"]["yaxis2"]["domain"][1] < found["layout"]["yaxis"]["domain"][0]
    assert "highest rate 1e-3, then 1e-6 / 1e-5 / 1e-4" in found["layout"]["meta"]["subtitle"]


def test_rates_that_never_differ_are_one_line_on_a_linear_axis(client: TestClient, records: Records) -> None:
    run, _ = records.run(records.dataset(), epochs=2)
    trained(records, run, steps=10)
    found = figure(client, run, "schedule")
    assert list(traces(found)) == ["all groups"]
    assert found["layout"]["yaxis"]["type"] == "linear"


def test_the_confusion_figure_has_actual_rows_predicted_columns_and_blank_zeros(client: TestClient, run: Run) -> None:
    heat, deep = (found := figure(client, run, "confusion"))["data"]
    assert (heat["x"], heat["y"]) == (VOCAB, VOCAB)
    # A breed is not "taken for" itself.
    assert heat["hovertext"][0] == [
        "Abyssinian recognised: 5 of 7, 71.4 %",
        "Abyssinian taken for Birman: 2 of 7, 28.6 %",
        "Abyssinian taken for pug: 0 of 7, 0.0 %",
    ]
    assert heat["hoverinfo"] == "text"
    assert heat["text"] == [["", "2", ""], ["1", "", ""], ["", "", ""]]
    assert deep["text"] == [["5", "", ""], ["", "6", ""], ["", "3", "4"]]
    assert [[z is not None for z in row] for row in deep["z"]] == [[bool(text) for text in row] for row in deep["text"]]
    assert (heat["textfont"]["color"], deep["textfont"]["color"]) == (INK, GROUND)
    assert heat["z"][0][0] == pytest.approx(math.sqrt(5))
    assert (heat["zmin"], heat["zmax"]) == (0, pytest.approx(math.sqrt(6)))
    axes = found["layout"]
    assert (axes["xaxis"]["title"]["text"], axes["yaxis"]["title"]["text"]) == ("predicted", "actual")
    assert axes["yaxis"]["autorange"] == "reversed"
    assert "6 of 21 validation photos wrong, 28.6 %" in axes["meta"]["subtitle"]
    drawn = picture(client.get(f"/runs/{run.id}/figures/confusion.png").content)
    # The cell with the most is darkest, and its count is white.
    assert {ImageColor.getrgb(BLUES[0]), ImageColor.getrgb(BLUES[-1]), (255, 255, 255)} <= colours(drawn)


def luminance(colour: str) -> float:
    """Of WCAG 2, from 0 to 1."""
    parts = [part / 255 for part in ImageColor.getrgb(colour)[:3]]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_every_count_can_be_read_on_its_shade_in_both_schemes() -> None:
    style = (Path(__file__).parents[3] / "api" / "page" / "frame" / "page.css").read_text()
    schemes = [dict(re.findall(r"(--chart-[a-z]+): ([^;]+);", part)) for part in style.split("@media", 2)[:2]]
    found = [(one["--chart-shades"].split(", "), one["--chart-ink"], one["--chart-ground"]) for one in schemes]
    for shades, ink, ground in [(list(BLUES), INK, GROUND), *found]:
        # In between they are mixed, and none is lighter or darker than both of its ends.
        assert min(contrast(ink, shade) for shade in shades[:PALE]) >= 4.5
        assert min(contrast(ground if len(ground) == 7 else GROUND, shade) for shade in shades[PALE:]) >= 4.5


def test_thirty_seven_breeds_have_cells_to_read_a_count_in(client: TestClient, records: Records) -> None:
    vocab = [f"a_rather_long_breed_{number}" for number in range(37)]
    run = records.finished(records.dataset("many", vocab=vocab))
    with records.sessions.begin() as session:
        stored = session.get_one(Interpretation, (run.id, run.dataset_id))
        stored.vocab, stored.matrix = vocab, np.eye(37, dtype=int).tolist()
    found = figure(client, run, "confusion")
    heat, layout = found["data"][0], found["layout"]
    assert heat["y"] == [name.replace("_", " ") for name in vocab]
    inner = layout["width"] - layout["margin"]["l"] - layout["margin"]["r"]
    assert inner / 37 > 20
    assert heat["texttemplate"] == "%{text}"


def test_the_reliability_figure_has_accuracy_by_confidence_with_its_intervals(client: TestClient, run: Run) -> None:
    # The record's three items were all guessed at 0.9 and wrong.
    found = figure(client, run, "reliability")
    expected = reliability(np.full(3, 0.9), np.zeros(3, bool), 10)
    filled = expected.bins[-1]
    points = traces(found)["accuracy with its 95 % interval"]
    assert (points["x"], points["y"]) == ([0.9], [0.0])
    assert points["error_y"]["array"] == [pytest.approx(filled.accuracy_high)]
    assert points["error_y"]["arrayminus"] == [0.0]
    assert traces(found)["perfectly calibrated"]["y"] == [0, 1]
    bars = next(trace for trace in found["data"] if trace["type"] == "bar")
    assert bars["y"] == [0] * 9 + [3]


def test_a_search_for_a_rate_shows_its_sweeps_the_suggestions_and_the_word(
    client: TestClient, records: Records
) -> None:
    run, _ = records.run(records.dataset(), kind="lr_find")
    found = searched(records, run)
    shown = figure(client, run, "lr-find")
    by_name = traces(shown)
    assert shown["layout"]["xaxis"]["type"] == "log"
    assert f"valley agrees ({found.judged['valley'].spread_decades:.2f} decades)" in shown["layout"]["meta"]["title"]
    first = by_name["first sweep"]
    assert first["line"]["color"] == BLUE
    # Without the first tenth and the last five points, which stay in grey.
    assert len(first["x"]) == 85
    grey = by_name["not looked at"]
    assert (grey["line"]["color"], len(grey["x"])) == (GREY, 100)
    assert sum(trace["name"] == "other sweeps" for trace in shown["data"]) == 2
    assert found.rate is not None
    valley = next(trace for name, trace in by_name.items() if name.startswith("valley"))
    assert valley["x"] == [pytest.approx(found.rate, rel=1e-5)]
    assert {name.split()[0] for name in by_name} >= {"minimum/10", "steep", "valley", "slide"}
    (answers, _) = shown["layout"]["meta"]["notes"]
    assert [answer.split()[0] for answer in answers.split("; ")] == ["minimum/10", "steep", "valley", "slide"]
    assert answers.count(" decades)") == 4
    assert (
        f"steep {rate_text(found.judged['steep'].rate or 0)} ({found.judged['steep'].spread_decades:.2f} decades)"
        in answers
    )
    assert shown["layout"]["shapes"][0]["x0"] == found.rate
    assert any(text.startswith("“auto” takes") for text in texts(shown))
    drawn = colours(picture(client.get(f"/runs/{run.id}/figures/lr-find.png").content))
    assert {ImageColor.getrgb(colour) for colour in (BLUE, VERMILION)} <= drawn


def test_a_search_without_an_answer_says_why(client: TestClient, records: Records) -> None:
    run, _ = records.run(records.dataset(), kind="lr_find")
    searched(records, run, broken=2)
    shown = figure(client, run, "lr-find")
    assert "valley has no answer" in shown["layout"]["meta"]["title"]
    assert not any("auto" in text for text in texts(shown))
    (note,) = shown["layout"]["meta"]["notes"]
    assert note.startswith("No answer from minimum/10, steep, valley, slide: 2 of 3 sweeps have no answer")
    assert client.get(f"/runs/{run.id}/figures/lr-find.png").status_code == 200


def test_a_training_with_an_automatic_rate_has_its_search_by_phase(client: TestClient, records: Records) -> None:
    run = searching(records)
    answer = client.get(f"/runs/{run.id}/figures/lr-find")
    assert (answer.status_code, answer.json()["code"]) == (409, "not_ready")
    searched(records, run)
    assert figure(client, run, "lr-find")["data"] == figure(client, run, "lr-find", "?phase=0")["data"]
    assert client.get(f"/runs/{run.id}/figures/lr-find?phase=1").json()["code"] == "wrong_kind"
    assert client.get(f"/runs/{run.id}/figures/lr-find?phase=7").status_code == 404


def test_what_a_run_never_has_is_the_wrong_kind(client: TestClient, records: Records, run: Run) -> None:
    search, _ = records.run(records.dataset(), kind="lr_find")
    for asked, names in ((search, ("loss", "schedule", "confusion", "reliability")), (run, ("lr-find",))):
        for name in names:
            answer = client.get(f"/runs/{asked.id}/figures/{name}")
            assert (answer.status_code, answer.json()["code"]) == (409, "wrong_kind"), name


@pytest.mark.parametrize("name", ["confusion", "reliability"])
def test_what_is_not_interpreted_yet_is_not_ready(client: TestClient, records: Records, name: str) -> None:
    run, job = records.run(records.dataset())
    answer = client.get(f"/runs/{run.id}/figures/{name}.png")
    assert (answer.status_code, answer.json()["code"]) == (409, "not_ready")
    assert f"job {job.id}" in answer.json()["detail"]


def test_an_unknown_figure_is_not_found_and_the_known_ones_are_named(client: TestClient, run: Run) -> None:
    for name in ("roc", "roc.png", "loss.svg", "Loss", ".png"):
        answer = client.get(f"/runs/{run.id}/figures/{name}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
        assert all(known in answer.json()["hint"] for known in NAMES)
    assert client.get("/runs/999/figures/loss").status_code == 404


def test_drawn_pictures_are_said_to_be_drawn_in_every_figure(client: TestClient, records: Records) -> None:
    run = records.finished(records.dataset(drawn=True), epochs=2)
    trained(records, run, steps=30)
    for name in ("loss", "schedule", "confusion", "reliability"):
        meta = figure(client, run, name)["layout"]["meta"]
        assert meta["drawn"] is True
        assert "drawn pictures, not photos" in meta["subtitle"]


def test_a_runs_name_is_text_in_both_renderers(client: TestClient, records: Records, run: Run) -> None:
    with records.sessions.begin() as session:
        session.get_one(Run, run.id).name = '<a href="x">$x^2$</a> \N{CJK UNIFIED IDEOGRAPH-732B}'
    found = figure(client, run, "loss")
    assert "&lt;a href=" in " ".join(texts(found))
    assert not any("<a" in text for text in texts(found))
    assert client.get(f"/runs/{run.id}/figures/loss.png").status_code == 200


def test_long_runs_are_thinned_to_what_a_line_can_show(client: TestClient, records: Records) -> None:
    run, _ = records.run(records.dataset())
    trained(records, run, steps=30)
    steps = 3 * MOST_POINTS
    with records.sessions.begin() as session:
        session.get_one(Run, run.id).plan = {"steps": steps}
        record_batches(session, run.id, [step_record(n, [9.0 if n == 777 else 1.0] * steps) for n in range(30, steps)])
    raw = figure(client, run, "loss")["data"][0]
    assert MOST_POINTS / 3 < len(raw["x"]) < 1.1 * MOST_POINTS
    # A gap between phases has no height.
    peak = raw["y"].index(max(y for y in raw["y"] if y is not None))
    assert (raw["x"][0], raw["x"][-1], raw["x"][peak]) == (0, steps - 1, 777)


PAINTED = """
import json, sys
from pathlib import Path
from api.figures.chart import Axis, Chart, Line, Panel
from api.figures.png import Painter
before = "matplotlib" in sys.modules
line = Line(name="a", x=[0, 1], y=[0, 1], colour="#000000")
chart = Chart(title="t", facts=["s"], drawn=False, x=Axis(title="x"), panels=[Panel(y=Axis(title="y"), marks=[line])])
data = Painter(Path(sys.argv[1])).as_png(chart)
print(json.dumps([before, len(data), "matplotlib.pyplot" in sys.modules]))
"""


@pytest.mark.thorough
def test_matplotlib_comes_in_with_the_first_picture_and_keeps_its_cache_in_ours(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MPL", "XDG"))}
    command = [sys.executable, "-W", "error", "-c", PAINTED, str(tmp_path / "cache")]
    done = subprocess.run(
        command,
        env={**kept, "HOME": str(home)},
        cwd=Path(__file__).parent.parent.parent.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    before, size, pyplot = json.loads(done.stdout)
    assert (before, pyplot) == (False, False)
    assert size > 1000
    assert list(home.iterdir()) == []
    assert list((tmp_path / "cache" / "matplotlib").iterdir())
