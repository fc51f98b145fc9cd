from typing import Any

import pytest

from cli.waiting import waiting_line, waiting_words, where_it_waits
from tests.cli.service import Answer
from tests.cli.test_commands import JOB, ask

HELD = {"job": 5, "kind": "train", "run": 3, "state": "running", "eta_seconds": 812.4}


def job(**waiting: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    behind = {"lane": "train", "reason": "busy", "ahead": 0, "behind": HELD}
    return {**JOB, "state": "queued", "progress": None, "waiting": behind | waiting}


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (job(), "queued behind job 5 (train, run 3), about 13 min 32 s left"),
        (job(ahead=1), "queued behind job 5 (train, run 3), about 13 min 32 s left; 1 more ahead"),
        (job(behind={**HELD, "eta_seconds": None}), "queued behind job 5 (train, run 3)"),
        (job(behind={**HELD, "state": "cancelling"}), "queued behind job 5 (train, run 3), which is being cancelled"),
        (
            job(behind={**HELD, "kind": "import", "run": None, "eta_seconds": 7.4}),
            "queued behind job 5 (import), about 7 s left",
        ),
        (job(behind=None, ahead=2), "queued behind 2 others"),
        (job(behind=None, ahead=1), "queued behind 1 other"),
        (job(reason="starting", behind=None), "queued: about to start"),
        (job(reason="no_worker", behind=None, lane="light"), "queued: no worker of the light lane runs"),
        (job(reason="resting", behind=None), "queued: tried again in a moment, as its last attempt broke off"),
        (
            job(reason="unpublished", behind=None),
            "queued: the broker has not been told of it yet; the repair process will",
        ),
    ],
)
def test_a_queued_job_says_behind_what(asked: dict[str, Any], words: str) -> None:
    assert waiting_words(asked) == words
    assert words.endswith(where_it_waits(asked))


LONG = {**HELD, "job": 2, "run": 1, "eta_seconds": 1385.0}


@pytest.mark.parametrize(
    ("waiting", "width", "line"),
    [
        (job(behind=LONG), 120, "queued behind job 2 (train, run 1), about 23 min 5 s left  waited 3 s"),
        (job(behind=LONG), 79, "queued behind job 2 (train, run 1), about 23 min 5 s left  waited 3 s"),
        (job(behind=LONG, ahead=1), 79, "queued behind job 2 (train, run 1), about 23 min 5 s left; 1 more ahead"),
        (job(behind=LONG), 60, "queued behind job 2 (train, run 1), about 23 min 5 s left"),
        (job(behind=LONG, ahead=1), 39, "behind job 2, about 23 min 5 s left"),
        (job(behind={**LONG, "eta_seconds": 780}), 39, "behind job 2, about 13 min 0 s left"),
        (job(behind={**LONG, "eta_seconds": 45}), 39, "queued behind job 2, about 45 s left"),
        (job(behind={**LONG, "eta_seconds": None}), 39, "queued behind job 2 (train, run 1)"),
        (job(behind={**LONG, "eta_seconds": None}), 30, "queued behind job 2"),
        (job(reason="no_worker", behind=None), 79, "queued: no worker of the train lane runs  waited 3 s"),
        (job(reason="no_worker", behind=None), 39, "queued: no worker of the train lane run"),
        (job(behind=None, ahead=2), 39, "queued behind 2 others  waited 3 s"),
    ],
)
def test_a_live_line_of_what_waits_keeps_how_long_it_takes(waiting: dict[str, Any], width: int, line: str) -> None:
    assert waiting_line(waiting["waiting"], width, 3.2) == line


@pytest.mark.parametrize("width", range(5, 121))
def test_a_live_line_of_what_waits_fits(width: int) -> None:
    for waiting in (job(behind=LONG, ahead=3), job(reason="resting", behind=None), job(behind=None, ahead=2)):
        assert len(waiting_line(waiting["waiting"], width, 3700.0, "forecast")) <= width


@pytest.mark.parametrize("asked", [JOB, {**JOB, "waiting": None}])
def test_a_job_that_does_not_wait_says_nothing(asked: dict[str, Any]) -> None:
    assert (waiting_words(asked), where_it_waits(asked)) == ("", "")


def test_lists_and_a_job_show_what_is_waited_for(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = {
        "GET /jobs?limit=20": [Answer({"items": [job(ahead=1)], "next_cursor": None})],
        "GET /jobs/4": [Answer(job())],
    }
    _, listed, _, _ = ask(capsys, monkeypatch, answers, "jobs", "list")
    assert "queued  behind job 5 (train, run 3), about 13 min 32 s left; 1 more ahead" in listed
    _, shown, _, _ = ask(capsys, monkeypatch, answers, "jobs", "show", "4")
    assert ["waits", "behind", "job", "5"] in [line.split()[:4] for line in shown.splitlines()]
