"""That every text of a figure has its place at every width, and that what an axis shows can be read."""

import html
import json
import math
from collections.abc import Sequence

import numpy as np
import pytest
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox, BboxBase

from api.figures.catalogue import Asked, chart_of
from api.figures.chart import Chart, Line
from api.figures.confusion import confusion_chart
from api.figures.drawable import drawable
from api.figures.lines import rule_labels, text_width, wrapped
from api.figures.loss import loss_chart
from api.figures.paper import LEAST_WIDTH, paper_for
from api.figures.plotly_json import NARROWED_TO, as_plotly
from api.figures.png import STYLE, draw
from api.figures.schedule import schedule_chart
from api.runs.interpretations import StoredInterpretation
from ml.config import FineTune, resolve
from store.db.models import Batch, Dataset, Epoch, Interpretation, Run
from tests.api.figure_records import searched, trained
from tests.api.records import Records

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


@pytest.fixture
def odd() -> dict[str, Chart]:
    """Charts of what is too long, too little, too much or no number."""
    endless = transient("W" * 150 + " \N{CJK UNIFIED IDEOGRAPH-67F4}" * 20 + " <b>$x$</b>")
    steps = [batch(step, phase=int(step > 1500)) for step in range(0, 20_000, 10)]
    broken = [batch(step, loss=[math.nan, math.inf, -math.inf, 1.0][step % 4]) for step in range(12)]
    long_names = ["W" * 60, "\N{CJK UNIFIED IDEOGRAPH-72AC}" * 12, "$a_b$", "<i>x", "a"]
    return {
        "endless name": loss_chart(endless, [batch(0), batch(1)], []),
        "one step": loss_chart(transient(), [batch(0)], []),
        "one step's schedule": schedule_chart(transient(), [batch(0)]),
        "20,000 steps": loss_chart(transient(), steps, [epoch(0.5), epoch(1e-3)]),
        "no numbers": loss_chart(transient(), broken, [epoch(math.nan)]),
        "no number at all": loss_chart(transient(), [batch(0, loss=math.nan), batch(1, loss=math.inf)], []),
        "long breeds": confusion_chart(endless, read(long_names)),
        "37 breeds": confusion_chart(transient(), read([f"a_rather_long_breed_{i}" for i in range(37)])),
        "one breed": confusion_chart(transient(), read(["pug"])),
        "200 breeds": confusion_chart(transient(), read([f"breed_{i}" for i in range(200)])),
    }


def drawn(chart: Chart, width: int) -> tuple[Figure, BboxBase]:
    written, _ = drawable(chart)
    with rc_context(STYLE):
        figure = draw(written, paper_for(written, width=width))
        figure.draw_without_rendering()
    return figure, figure.bbox


def extents(figure: Figure) -> list[Bbox]:
    """Where every text is."""
    texts = [*figure.texts, *(text for legend in figure.legends for text in legend.get_texts())]
    for axes in figure.axes:
        texts += [*axes.texts, axes.xaxis.label, axes.yaxis.label]
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            texts += [tick.label1 for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]
    found = [text.get_window_extent() for text in texts if text.get_text() and text.get_visible()]
    return [box for box in found if box.width]


@pytest.mark.parametrize("width", WIDTHS)
def test_no_text_is_cut_or_lies_on_another(charts: dict[str, Chart], width: int) -> None:
    check_room(charts, width)


@pytest.mark.parametrize("width", [LEAST_WIDTH, 1200])
def test_what_is_too_long_too_little_or_no_number_has_room_too(odd: dict[str, Chart], width: int) -> None:
    check_room(odd, width)


def check_room(charts: dict[str, Chart], width: int) -> None:
    for name, chart in charts.items():
        figure, whole = drawn(chart, width)
        left, low, right, high = np.array([place.extents for place in extents(figure)]).T
        assert whole.x0 - 1 <= left.min() < right.max() <= whole.x1 + 1, (name, width)
        assert whole.y0 - 1 <= low.min() < high.max() <= whole.y1 + 1, (name, width)
        for axes in figure.axes:
            assert axes.get_window_extent().width > 90, (name, width)
            assert axes.get_window_extent().height > 60, (name, width)
        beside = left[:, None] + 2 >= right
        above = low[:, None] + 2 >= high
        apart = beside | beside.T | above | above.T | np.eye(len(left), dtype=bool)
        assert apart.all(), (name, width)


@pytest.mark.parametrize("width", [None, *WIDTHS])
def test_plotlys_texts_fit_the_width_that_is_asked_for_and_the_narrowest_where_none_is(
    charts: dict[str, Chart], odd: dict[str, Chart], width: int | None
) -> None:
    for chart in [*charts.values(), *odd.values()]:
        layout = as_plotly(chart, width=width)["layout"]
        room = (width or NARROWED_TO) if chart.heatmap is None else layout["width"]
        title, facts = layout["title"], layout["title"]["subtitle"]
        for text, size, bold in ((title["text"], 17, True), (facts["text"], 13, False)):
            for line in text.split("<br>"):
                assert text_width(html.unescape(line), size, bold=bold) <= room - 32
        for text in layout.get("annotations", []):
            for line in text["text"].split("<br>"):
                assert text_width(html.unescape(line), 12) <= room - 64
        # Nothing in it is NaN: no browser would read that.
        json.dumps(layout, allow_nan=False)


def test_widths_of_texts_are_no_less_than_the_fonts(charts: dict[str, Chart]) -> None:
    for chart in charts.values():
        figure, _ = drawn(chart, 1200)
        for text in figure.texts:
            size, bold = float(text.get_fontsize()) * 100 / 72, text.get_fontweight() == "bold"
            widest = max(text.get_text().split("\n"), key=len)
            assert text.get_window_extent().width <= 1.02 * text_width(widest, size, bold=bold)


def test_a_word_that_no_line_has_room_for_is_broken() -> None:
    assert "".join(wrapped("x" * 100, 12, 80)) == "x" * 100
    assert max(text_width(line, 12) for line in wrapped("aa " + "W" * 50 + " b", 12, 80)) <= 80
    assert wrapped("", 12, 80) == []
    assert not any(line.startswith(("·", "%")) for line in wrapped("aaa · 12 % " * 9, 12, 60))
    assert wrapped("W", 12, 1) == ["W"]


def test_a_rule_has_the_label_that_fits_before_the_next(charts: dict[str, Chart]) -> None:
    texts = [text for _, text in rule_labels(charts["loss"], 800)]
    assert texts == ["phase 1, frozen", "phase 2, unfrozen"]
    assert [text for _, text in rule_labels(charts["loss"], 250)] == ["1", "phase 2, unfrozen"]
    assert rule_labels(charts["loss"], 10) == []


@pytest.mark.parametrize("width", [None, 400, 500, 800, 1200])
def test_a_confusion_keeps_square_cells_with_room_for_its_names(odd: dict[str, Chart], width: int | None) -> None:
    chart = odd["37 breeds"]
    layout = as_plotly(chart, width=width)["layout"]
    assert (layout["yaxis"]["scaleanchor"], layout["yaxis"]["constrain"]) == ("x", "domain")
    assert layout["width"] >= max(width or 0, 37 * 13)
    figure, _ = drawn(chart, layout["width"])
    (axes,) = figure.axes
    cells = axes.get_window_extent()
    assert cells.width == pytest.approx(cells.height, abs=1)
    assert cells.width / 37 >= (20 if width is None else 12)
    assert len(axes.get_xticklabels()) == 37


def test_loss_and_schedule_have_one_axis_of_whole_steps(charts: dict[str, Chart]) -> None:
    axes = [as_plotly(charts[name])["layout"]["xaxis"]["range"] for name in ("loss", "schedule")]
    assert axes[0] == axes[1] == [pytest.approx(-0.435), pytest.approx(29.435)]


@pytest.mark.parametrize("last", [0, 1, 2, 6, 9, 12, 99, 275, 12345])
def test_steps_have_whole_ticks_in_both_renderers(last: int) -> None:
    chart = schedule_chart(transient(), [batch(0), batch(last)] if last else [batch(0)])
    figure, _ = drawn(chart, 800)
    names = [text.get_text().replace("\N{MINUS SIGN}", "-") for text in figure.axes[-1].get_xticklabels()]
    ticks = [float(name) for name in names if name]
    assert 0 in ticks
    assert all(tick == round(tick) for tick in ticks)
    # Beyond so many steps Plotly's own ticks are whole.
    assert as_plotly(chart)["layout"]["xaxis"].get("dtick") == (1 if last < 10 else None)


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


def batch(step: int, *, phase: int = 0, lr: Sequence[float] = (1e-5, 1e-4, 1e-3), loss: float = 1.0) -> Batch:
    return Batch(step=step, phase=phase, raw_loss=loss, train_loss=loss, lr=list(lr), momentum=0.9)


def epoch(loss: float) -> Epoch:
    return Epoch(phase=0, epoch=0, train_loss=1.0, valid_loss=loss, error_rate=0.5)


def read(vocab: list[str]) -> StoredInterpretation:
    """An interpretation that knows these breeds."""
    matrix = [[40 if i == j else (i + j) % 3 for j in range(len(vocab))] for i in range(len(vocab))]
    dataset = Dataset(id=1, name="pets", drawn=False)
    return StoredInterpretation(
        Interpretation(vocab=vocab, matrix=matrix, items=[], tta=False), dataset, 1, "cross_entropy"
    )


def transient(name: str = "a run") -> Run:
    """A run of two phases that no database knows."""
    config = resolve(FineTune(arch="resnet18")).model_dump(mode="json")
    return Run(id=1, kind="train", name=name, config=config, dataset=Dataset(name="pets", drawn=False))
