"""That every text of a figure has its place at every width, and that what an axis shows can be read."""

import io
from collections.abc import Sequence

import pytest
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox, BboxBase
from PIL import Image

from api.figures.catalogue import Asked, chart_of
from api.figures.chart import Chart, Line
from api.figures.chart_geometry import LEAST_WIDTH, NARROWED_TO, place
from api.figures.lettering import text_width, wrapped
from api.figures.plotly_json import as_plotly
from api.figures.png import STYLE, draw
from api.figures.schedule import schedule_chart
from api.figures.steps import step_axis
from api.figures.ticks import whole_ticks
from ml.config import FineTune, resolve
from store.db.models import Batch, Dataset, Interpretation, Run
from tests.api.figure_records import searched, trained
from tests.api.records import Records
from tests.api.web import TestClient

WIDTHS = (LEAST_WIDTH, NARROWED_TO, 500, 800, 1200)
NAME = "a rather long name of a run that says all about it, as people do"


@pytest.fixture
def charts(records: Records) -> dict[str, Chart]:
    """One of each, with long names, drawn pictures and test-time augmentation."""
    dataset = records.dataset("a-dataset-with-a-rather-long-name", drawn=True)
    run = records.finished(dataset, epochs=2)
    trained(records, run, steps=30)
    search, _ = records.run(dataset, kind="lr_find")
    broken, _ = records.run(dataset, kind="lr_find")
    searched(records, search)
    searched(records, broken, broken=2)
    with records.sessions.begin() as session:
        session.get_one(Interpretation, (run.id, dataset.id)).tta = True
        for one in (run, search, broken):
            session.get_one(Run, one.id).name = NAME
        session.flush()
        names = ("loss", "schedule", "confusion", "reliability")
        made = {name: chart_of(session, run.id, name, Asked()) for name in names}
        made["lr-find"] = chart_of(session, search.id, "lr-find", Asked())
        made["no rate"] = chart_of(session, broken.id, "lr-find", Asked())
    return made


def drawn(chart: Chart, width: int) -> tuple[Figure, BboxBase]:
    with rc_context(STYLE):
        figure = draw(chart, place(chart, width=width))
        figure.draw_without_rendering()
    return figure, figure.bbox


def extents(figure: Figure) -> list[Bbox]:
    """Where every text is, apart from those beside ticks."""
    texts = [*figure.texts, *(text for legend in figure.legends for text in legend.get_texts())]
    for axes in figure.axes:
        texts += [*axes.texts, axes.xaxis.label, axes.yaxis.label]
    return [text.get_window_extent() for text in texts if text.get_text()]


@pytest.mark.parametrize("width", WIDTHS)
def test_no_text_is_cut_or_lies_on_another(charts: dict[str, Chart], width: int) -> None:
    for name, chart in charts.items():
        figure, whole = drawn(chart, width)
        places = extents(figure)
        for place_ in places:
            assert whole.x0 <= place_.x0 < place_.x1 <= whole.x1, (name, width)
            assert whole.y0 <= place_.y0 < place_.y1 <= whole.y1, (name, width)
        for axes in figure.axes:
            around = axes.get_tightbbox()
            assert around is not None
            assert whole.x0 <= around.x0 < around.x1 <= whole.x1, (name, width)
        for i, one in enumerate(places):
            assert not any(one.padded(-1).overlaps(other) for other in places[:i]), (name, width)


@pytest.mark.parametrize("width", [None, *WIDTHS])
def test_plotlys_texts_fit_the_width_that_is_asked_for_and_the_narrowest_where_none_is(
    charts: dict[str, Chart], width: int | None
) -> None:
    for chart in charts.values():
        layout = as_plotly(chart, width=width)["layout"]
        room = (width or NARROWED_TO) if chart.heatmap is None else layout["width"]
        for text in layout["annotations"]:
            bold = text["font"].get("weight") == "bold"
            assert text_width(text["text"], text["font"]["size"], bold=bold) <= room - 32
        texts = " ".join(text["text"] for text in layout["annotations"])
        assert "drawn pictures, not photos" in texts


def test_widths_of_texts_are_no_less_than_the_fonts(charts: dict[str, Chart]) -> None:
    for chart in charts.values():
        figure, _ = drawn(chart, 1200)
        for text in figure.texts:
            size, bold = float(text.get_fontsize()) * 100 / 72, text.get_fontweight() == "bold"
            width = text.get_window_extent().width
            assert width <= text_width(text.get_text(), size, bold=bold) <= 1.25 * width


def test_a_word_that_no_line_has_room_for_is_broken() -> None:
    assert "".join(wrapped("x" * 100, 12, 80)) == "x" * 100
    assert max(text_width(line, 12) for line in wrapped("aa " + "W" * 50 + " b", 12, 80)) <= 80
    assert wrapped("", 12, 80) == []


def test_a_confusion_keeps_square_cells_with_room_for_its_names(client: TestClient, records: Records) -> None:
    vocab = [f"breed_{number}" for number in range(37)]
    run = records.finished(records.dataset("many", vocab=vocab))
    with records.sessions.begin() as session:
        stored = session.get_one(Interpretation, (run.id, run.dataset_id))
        stored.vocab, stored.matrix = vocab, [[i % 3 for i in range(37)]] * 37
    sizes = {}
    for width in (400, 500, 800, 1200):
        picture = client.get(f"/runs/{run.id}/figures/confusion.png?width={width}")
        layout = client.get(f"/runs/{run.id}/figures/confusion?width={width}").json()["layout"]
        sizes[width] = Image.open(io.BytesIO(picture.content)).size
        assert sizes[width] == (layout["width"], layout["height"])
        margin = layout["margin"]
        cells = layout["width"] - margin["l"] - margin["r"]
        assert cells == pytest.approx(layout["height"] - margin["t"] - margin["b"], abs=1)
        assert cells / 37 >= 13
    assert sizes[400] == sizes[500]
    assert (sizes[800][0], sizes[1200][0]) == (800, 1200)


def test_loss_and_schedule_have_one_axis_of_whole_steps(charts: dict[str, Chart]) -> None:
    axes = [as_plotly(charts[name])["layout"]["xaxis"]["range"] for name in ("loss", "schedule")]
    assert axes[0] == axes[1] == [pytest.approx(-0.435), pytest.approx(29.435)]
    for name in ("loss", "schedule"):
        figure, _ = drawn(charts[name], 800)
        assert list(figure.axes[-1].get_xticks()) == [0, 5, 10, 15, 20, 25]


@pytest.mark.parametrize("last", [0, 1, 2, 6, 9, 12, 99, 275, 12345])
def test_steps_have_whole_ticks_in_both_renderers(last: int) -> None:
    axis = step_axis([batch(last)])
    assert axis.low is not None
    assert axis.high is not None
    ticks = whole_ticks(axis.low, axis.high)
    assert ticks[0] == 0
    assert 1 <= len(ticks) <= 8
    assert all(axis.low <= tick <= axis.high for tick in ticks)
    layout = as_plotly(schedule_chart(transient(), [batch(0), batch(last)] if last else [batch(0)]))["layout"]
    # Beyond so many steps Plotly's own ticks are whole, and follow a reader who looks closer.
    assert layout["xaxis"].get("tickvals") == (ticks if last < 10 else None)


def test_a_single_step_is_a_dot(charts: dict[str, Chart]) -> None:
    found = as_plotly(schedule_chart(transient(), [batch(0)]))
    assert [trace["mode"] for trace in found["data"]] == ["lines+markers"] * 4
    assert found["layout"]["xaxis"]["range"] == [-0.5, 0.5]
    assert found["layout"]["yaxis2"]["range"] == [pytest.approx(0.892), pytest.approx(0.908)]
    (low, high) = as_plotly(schedule_chart(transient(), [batch(0, lr=(2e-5,) * 3)]))["layout"]["yaxis"]["range"]
    assert (low, high) == (0, pytest.approx(2.1e-5))
    assert all(trace["mode"] == "lines" for trace in as_plotly(charts["schedule"])["data"])


def test_a_point_without_neighbours_is_a_dot_among_joined_ones() -> None:
    nan = float("nan")
    line = Line(name="a", x=range(7), y=[1, 2, nan, 3, nan, nan, 4], colour="#000000")
    assert line.dotted() == [3, 6]


def test_the_schedule_says_exactly_what_lies_under_its_axis() -> None:
    ends = [batch(0, lr=(1e-5, 1e-4, 1e-3)), batch(1, lr=(1e-8, 1e-4, 1e-3))]
    (note,) = schedule_chart(transient(), ends).notes
    assert note == ("Rates below 5e-6 lie under this axis: the end of phase 1 for early body layers, down to 1e-8.")
    both = [*ends, batch(2, phase=1, lr=(1e-5, 1e-4, 1e-3)), batch(3, phase=1, lr=(1e-9, 1e-8, 1e-7))]
    (note,) = schedule_chart(transient(), both).notes
    assert note.endswith(
        "the end of phase 1 for early body layers, down to 1e-8; the end of phase 2 for all groups, down to 1e-9."
    )
    assert schedule_chart(transient(), [batch(0, lr=(1e-5, 1e-4, 1e-3)), batch(1, lr=(1e-5, 1e-4, 1e-2))]).notes == []


def test_the_whole_figure_is_told_in_words(charts: dict[str, Chart]) -> None:
    for chart in charts.values():
        alt = as_plotly(chart)["layout"]["meta"]["alt"]
        for said in (NAME, "drawn pictures, not photos", *chart.notes, *chart.told):
            assert said in alt
        assert "·" not in alt
    assert "Most often pug taken for Birman (3)" in charts["confusion"].alt
    assert "0% of 3 at 90% to 100%" in charts["reliability"].alt
    assert "valley" in charts["lr-find"].alt
    assert "No answer from minimum/10, steep, valley, slide" in charts["no rate"].alt


def batch(step: int, *, phase: int = 0, lr: Sequence[float] = (1e-5, 1e-4, 1e-3)) -> Batch:
    return Batch(step=step, phase=phase, raw_loss=1.0, train_loss=1.0, lr=list(lr), momentum=0.9)


def transient() -> Run:
    """A run of two phases that no database knows."""
    config = resolve(FineTune(arch="resnet18")).model_dump(mode="json")
    return Run(id=1, kind="train", name="a run", config=config, dataset=Dataset(name="pets", drawn=False))
