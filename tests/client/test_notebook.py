"""What a notebook shows. IPython and pandas are no part of this environment: their doors are played."""

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from pedigree import Client, Run
from pedigree.curve import curve
from pedigree.html import table
from pedigree.schemas import TopLoss
from tests.api.records import Records
from tests.cli.live_api import Worker


class Handle:
    """One output of a cell."""

    def __init__(self) -> None:
        self.shown: list[str] = []

    def update(self, shown: str) -> None:
        self.shown.append(shown)


@pytest.fixture
def cell(monkeypatch: pytest.MonkeyPatch) -> Handle:
    """A kernel that this runs in."""
    handle = Handle()
    ipython, display = ModuleType("IPython"), ModuleType("IPython.display")
    vars(ipython).update(get_ipython=lambda: SimpleNamespace(kernel=object()))
    vars(display).update(HTML=str, display=lambda _, display_id: handle if display_id else None)
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    return handle


def test_a_run_that_is_waited_for_is_drawn_in_its_cell(client: Client, records: Records, cell: Handle) -> None:
    _, job = records.run(records.dataset())
    worker = Worker(records, job)
    worker.starts()
    records.event(job, "batch", {"step": [1, 2, 3], "train_loss": [2.0, 1.5, 1.0]})
    worker.epoch(0, 0, 0.5)
    worker.ends()
    client.runs.get(1).wait()
    assert "succeeded" in cell.shown[-1]
    assert "<svg" in cell.shown[-1]
    assert '<td style="text-align:right">0.5</td>' in cell.shown[-1]


def test_metrics_are_a_data_frame_where_pandas_is(
    client: Client, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    pandas = ModuleType("pandas")
    vars(pandas).update(DataFrame=lambda rows: ("a frame of", rows))
    monkeypatch.setitem(sys.modules, "pandas", pandas)
    kind, rows = client.runs.get(records.finished().id).metrics
    assert (kind, rows[0]["error_rate"]) == ("a frame of", 0.25)


def test_names_are_shown_as_text() -> None:
    shown = table(
        ("<b>",),
        [
            [
                "<script>",
            ],
            [None],
        ],
    )
    assert shown.count("&lt;") == 2
    assert "<script>" not in shown
    assert "&lt;" in curve({"<x>": [(0, 1.0), (1, 2.0)]}, label="losses")


@pytest.mark.parametrize("lines", [{}, {"a": []}, {"a": [(1.0, 2.0)]}])
def test_a_line_needs_two_points(lines: dict[str, Any]) -> None:
    assert curve(lines, label="nothing") == ""


def test_a_level_line_is_drawn_too() -> None:
    assert "polyline" in curve({"a": [(0, 1.0), (1, 1.0)]}, label="level")


def test_worst_mistakes_are_shown_with_their_photos(
    client: Client, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = client.runs.get(records.finished().id)
    fetched: list[int] = []

    def photo(call: Any) -> Any:  # noqa: ANN401 - any call
        if call.answer is bytes:
            fetched.append(call.places["item"])
            return b"a photo"
        return found

    found = [TopLoss.model_validate(one.model_dump()) for one in run.worst(photos=False)]
    monkeypatch.setattr(client, "send", photo)
    worst = Run(client, run.record).top_losses
    assert fetched == [row.item for row in worst]
    assert worst._repr_html_().count("data:image/jpeg;base64,") == len(worst)
