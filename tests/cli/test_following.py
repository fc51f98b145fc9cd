"""Jobs that are followed by a script or into a file: lines that stay, and JSON lines."""

import json
from io import StringIO
from itertools import pairwise
from typing import Any

import pytest

from cli import live_line, pace
from cli.epochs import LAYOUTS, layout_for
from cli.live_line import LiveLine
from cli.progress_line import Look, progress_line
from cli.watch_views import Lines
from pedigree.events import Event
from tests.cli.service import Answer
from tests.cli.test_commands import JOB, ask

Capture = pytest.CaptureFixture[str]
Patch = pytest.MonkeyPatch
EVENTS: list[tuple[str, dict[str, Any]]] = [
    ("state", {"state": "queued", "attempt": 0}),
    ("state", {"state": "running", "attempt": 1}),
    ("progress", {"stage": "train", "step": 1, "steps": 4}),
    ("batch", {"step": [0], "train_loss": [2.5]}),
    ("log", {"message": "GET /datasets/pets shows which, ü"}),
]
STREAM = "".join(
    f"id: {number}\nevent: {name}\ndata: {json.dumps(data)}\n\n" for number, (name, data) in enumerate(EVENTS, 7)
)
DONE = {**JOB, "state": "succeeded"}
DIVERGED = {"code": "loss_diverged", "detail": "the loss is NaN at step 3", "hint": "Lower the rate."}


@pytest.mark.parametrize(
    ("words", "posts"),
    [
        (("jobs", "watch", "4"), None),
        (("train", "--dataset", "pets", "--follow"), "POST /jobs"),
        (("datasets", "add", "sample"), "POST /datasets/builtin"),
        (("runs", "interpret", "2", "--follow"), "POST /jobs"),
    ],
)
@pytest.mark.parametrize("ended", [DONE, {**JOB, "state": "failed", "error": DIVERGED}])
def test_json_is_a_line_for_each_event_and_the_job_last(
    capsys: Capture, monkeypatch: Patch, words: tuple[str, ...], posts: str | None, ended: dict[str, Any]
) -> None:
    answers = {"GET /jobs/4/events": [Answer(STREAM, kind="text/event-stream")], "GET /jobs/4": [Answer(ended)]}
    queued = {posts: [Answer({**JOB, "state": "queued"}, 202)]} if posts else {}
    code, out, err, _ = ask(capsys, monkeypatch, answers | queued, *words, "--json")
    *events, last = [json.loads(line) for line in out.splitlines()]
    assert [(line["job"], line["event"], line["data"]) for line in events] == [(4, *event) for event in EVENTS]
    assert [line["id"] for line in events] == [7, 8, 9, 10, 11]
    assert last == ended
    failed = "pedigree: Job 4 failed: the loss is NaN at step 3. Lower the rate.\n"
    assert (code, err) == ((0, "") if ended is DONE else (1, failed))


def test_pictures_that_are_not_waited_for_are_one_json(capsys: Capture, monkeypatch: Patch) -> None:
    answers = {"POST /datasets/builtin": [Answer(JOB, 202)]}
    _, out, _, _ = ask(capsys, monkeypatch, answers, "datasets", "add", "sample", "--no-wait", "--json")
    assert json.loads(out) == JOB


def test_a_break_in_the_middle_is_told_beside_the_lines(capsys: Capture, monkeypatch: Patch) -> None:
    first, second = STREAM.split("id: 9\n")
    answers = {
        "GET /jobs/4/events": [
            Answer(first, kind="text/event-stream", breaks=True),
            Answer(f"id: 9\n{second}", kind="text/event-stream"),
        ],
        "GET /jobs/4": [Answer(DONE)],
    }
    code, out, err, _ = ask(capsys, monkeypatch, answers, "jobs", "watch", "4", "--json")
    assert code == 0
    assert [json.loads(line).get("id") for line in out.splitlines()] == [7, 8, 9, 10, 11, 4]
    said = ["the service does not answer; trying again for up to 60 s", "the service answers again"]
    assert err.splitlines() == said


def progress(stage: str, step: int = 0, steps: int = 0) -> Event:
    return Event("1", "progress", {"stage": stage, "step": step, "steps": steps})


def test_lines_that_stay_come_with_a_stage_and_then_ever_more_rarely(capsys: Capture, monkeypatch: Patch) -> None:
    now = 0.0
    monkeypatch.setattr(pace, "monotonic", lambda: now)
    lines = Lines()
    said: dict[float, str] = {}
    for second in range(1200):
        now = float(second)
        # Each minute ends with a validation, and with a checkpoint that is stored in parts.
        stage = {57: "validate", 58: "store", 59: "store"}.get(second % 60, "train")
        lines.show(progress(stage, second, 1200) if stage != "store" else progress("store", 8, 24))
        if line := capsys.readouterr().out.rstrip():
            said[now] = line
    assert list(said)[:3] == [0.0, 5.0, 10.0]
    assert (said[57.0], said[58.0]) == ("validate  57/1200", "store  8/24")
    assert list(said.values()).count("store  8/24") == 1
    assert len(said) < 50
    assert max(after - before for before, after in pairwise(said)) <= 60


def test_a_next_attempt_says_its_stages_again(capsys: Capture) -> None:
    lines = Lines()
    for event in (progress("train", 1, 4), Event("2", "state", {"state": "running", "attempt": 2})):
        lines.show(event)
    lines.show(progress("train", 2, 4))
    assert capsys.readouterr().out.splitlines() == ["train  1/4", "running (attempt 2)", "train  2/4"]


def test_a_job_that_is_being_cancelled_has_no_time_left(capsys: Capture) -> None:
    lines = Lines()
    lines.show(Event("1", "state", {"state": "cancelling", "attempt": 1}))
    lines.show(Event("2", "progress", {"stage": "store", "step": 8, "steps": 24, "eta_seconds": 137.0}))
    assert capsys.readouterr().out.splitlines() == ["cancelling", "store  8/24"]


def test_what_a_job_says_does_nothing_to_the_terminal(capsys: Capture) -> None:
    Lines().show(Event("1", "log", {"message": "one\x1b[2J\ntwo"}))
    assert capsys.readouterr().out == "one\\x1b[2J\ntwo\n"


@pytest.mark.parametrize("width", range(5, 201))
def test_a_line_of_progress_fits_and_keeps_what_matters(width: int) -> None:
    whole = {"stage": "presize", "step": 2893, "steps": 3389, "images_per_second": 1234.5, "stage_eta_seconds": 3725.0}
    for look in (Look(colours=False), Look(unicode=False, colours=False)):
        line = progress_line(whole, width, look)
        assert len(line) <= width
        assert line.startswith("presize"[:width])
        assert ("2893/3389" in line) == (width >= len("presize  2893/3389"))
        assert ("1 h 2 min left of this stage" in line) == (
            width >= len("presize  2893/3389  1 h 2 min left of this stage")
        )


@pytest.mark.parametrize("width", [10, 12, 26, 27, 38, 39, 63, 64, 200])
def test_a_table_of_epochs_fits(width: int) -> None:
    epoch = {"phase": 0, "epoch": 0, "train_loss": 1.0, "valid_loss": 1.0, "error_rate": 0.5}
    layout = layout_for(width)
    for line in (layout.header(), layout.row({**epoch, "seconds": 3599.0, "images_per_second": 12345.6})):
        assert len(line) == layout.width
        assert len(line) <= max(width, LAYOUTS[-1].width)
    assert LAYOUTS[0].width <= 80
    assert layout_for(40).width > layout_for(27).width


@pytest.mark.parametrize("width", [26, 38, 64])
def test_lines_as_wide_as_the_terminal_are_not_erased_behind_their_last_letter(monkeypatch: Patch, width: int) -> None:
    """On a real one the cursor stays on the last letter of such a line, and what erases the rest takes that too."""
    monkeypatch.setattr(live_line, "columns", lambda _: width)
    epoch = {"phase": 0, "epoch": 0, "train_loss": 1.0, "valid_loss": 1.0, "error_rate": 0.5}
    layout = layout_for(width)
    rows = [layout.header(), layout.row({**epoch, "seconds": 3599.0, "images_per_second": 12345.6})]
    assert {len(row) for row in rows} == {width}
    written = StringIO()
    line = LiveLine(written, lambda room: "x" * room)
    line.print("\n".join(rows))
    line._draw()
    above = "".join(f"\x1b[K{row}\n" for row in rows)
    assert written.getvalue() == f"\r{above}\x1b[?7l\x1b[K{'x' * (width - 1)}\x1b[?7h\r"


@pytest.mark.parametrize(
    ("words", "known"),
    [
        (("jobs", "list", "--kind", "foo"), "'train', 'lr_find', 'interpret', 'forecast', 'predict'"),
        (("jobs", "list", "--state", "foo"), "'queued', 'running', 'cancelling', 'succeeded', 'failed', 'cancelled'"),
        (("runs", "list", "--state", "foo"), "'queued', 'running', 'cancelling', 'succeeded', 'failed', 'cancelled'"),
        (("runs", "list", "--arch", "resnet19"), "resnet18"),
        (("demo", "--arch", "resnet19"), "resnet18"),
        (("train", "--dataset", "pets", "--arch", "resnet19"), "resnet18"),
        (("weights", "fetch", "resnet19"), "resnet18"),
        (("weights", "fetch", "vgg16"), "'vgg16' is not an architecture."),
    ],
)
def test_a_word_of_a_fixed_set_is_checked_and_the_others_are_named(
    capsys: Capture, monkeypatch: Patch, words: tuple[str, ...], known: str
) -> None:
    code, out, err, service = ask(capsys, monkeypatch, {}, *words)
    assert (code, out, service.asked) == (2, "", [])
    assert known in err
