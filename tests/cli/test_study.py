import json
from pathlib import Path
from typing import Any

import pytest

from cli.errors import CommandError
from cli.study import read_varied
from tests.cli.service import Answer
from tests.cli.test_commands import JOB, ask

BEST = {"trial": 2, "run": 8, "value": 0.125, "settings": {"size": 128, "base_lr": 0.002}}
STUDY: dict[str, Any] = {
    "name": None,
    "asked": {"space": {"size": [96, 128], "base_lr": {"low": 1e-4, "high": 1e-2}}},
    "best": BEST,
    "version": 3,
}
SEARCH = {**JOB, "kind": "search", "run": None, "state": "succeeded", "study": STUDY}


def trial(number: int, run: int | None, outcome: str | None, value: float | None, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - any field
    settings = {"size": 128, "base_lr": 0.002}
    about = {"trial": number, "run": run, "settings": settings, "state": "running", "outcome": outcome, "value": value}
    return {**about, "best": False, "epochs": 2, **more}


TRIALS: dict[str, Any] = {
    "objective": "error_rate",
    "items": [
        trial(1, 7, "pruned", 0.5),
        trial(2, 8, "done", 0.125, best=True),
        trial(3, None, "refused", None),
        trial(4, 9, None, None),
    ],
}


@pytest.fixture
def words(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:  # noqa: ANN401 - a function
    return lambda answers, *given: ask(capsys, monkeypatch, answers, *given)


def test_what_is_varied_is_a_list_or_a_range() -> None:
    written = ("size=96,128", "base_lr=1e-4..1e-2:log", "batch_size=8..64:8", "augment.max_rotate=0..20", "arch=a,b")
    assert read_varied(written) == {
        "size": [96, 128],
        "base_lr": {"low": 1e-4, "high": 1e-2, "log": True},
        "batch_size": {"low": 8, "high": 64, "step": 8},
        "augment.max_rotate": {"low": 0, "high": 20},
        "arch": ["a", "b"],
    }


@pytest.mark.parametrize("written", ["size", "=1,2", "size=", "size=low..high", "size=1..2:lin"])
def test_what_is_written_otherwise_is_told(written: str) -> None:
    with pytest.raises(CommandError, match="size=128,160"):
        read_varied([written])


def test_a_search_is_asked_for_in_the_contracts_words(words: Any, tmp_path: Path) -> None:  # noqa: ANN401 - as above
    space = tmp_path / "space.json"
    space.write_text('{"size": [96, 128]}')
    given = (
        "--space",
        str(space),
        "--vary",
        "base_lr=1e-4..1e-2:log",
        "--trials",
        "5",
        "--minutes",
        "9",
        "--arch",
        "resnet18",
    )
    more = ("--set", "epochs=3", "--answer-ms", "50", "--no-register", "--pruner", "hyperband", "--seed", "7")
    code, out, err, service = words(
        {"POST /jobs": [Answer({**SEARCH, "state": "queued"}, 202)]}, "search", "pets", *given, *more
    )
    assert (code, err) == (0, "")
    assert out.startswith("job 4: queued")
    assert json.loads(service.asked[0][2]) == {
        "kind": "search",
        "dataset": "pets",
        "space": {"size": [96, 128], "base_lr": {"low": 1e-4, "high": 1e-2, "log": True}},
        "config": {"arch": "resnet18", "epochs": 3},
        "name": None,
        "trials": 5,
        "minutes": 9.0,
        "pruner": "hyperband",
        "seed": 7,
        "limits": {"answer_ms": 50.0},
        "register_best": False,
    }


def test_a_search_is_followed_trial_by_trial_and_shown(words: Any) -> None:  # noqa: ANN401 - as above
    begins = {**TRIALS["items"][1], "outcome": None, "value": None}
    told = [("trial", begins), ("trial", TRIALS["items"][1]), ("state", {"state": "succeeded"})]
    stream = "".join(f"id: {n}\nevent: {name}\ndata: {json.dumps(data)}\n\n" for n, (name, data) in enumerate(told, 1))
    answers = {
        "POST /jobs": [Answer(SEARCH, 202)],
        "GET /jobs/4/events": [Answer(stream, kind="text/event-stream")],
        "GET /jobs/4": [Answer(SEARCH)],
        "GET /jobs/4/trials": [Answer(TRIALS)],
    }
    code, out, err, _ = words(answers, "search", "pets", "--vary", "size=96,128", "--follow")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert "trial 2 (run 8): begins; size 128, base_lr 0.002" in lines
    assert "trial 2 (run 8): done 0.125; size 128, base_lr 0.002" in lines
    row = next(line for line in lines if line.startswith("    2"))
    assert row.split() == ["2", "8", "128", "0.002", "best", "2", "0.125"]
    assert "version" in out
    assert "3, without an alias" in out


@pytest.mark.parametrize("content", ["{", "[1]", '"size"'])
def test_a_space_that_is_none_is_one_line(words: Any, tmp_path: Path, content: str) -> None:  # noqa: ANN401 - as above
    space = tmp_path / "space.json"
    space.write_text(content)
    code, _, err, service = words({}, "search", "pets", "--space", str(space))
    assert (code, len(err.splitlines()), service.asked) == (1, 1, [])


def test_nothing_to_search_is_told(words: Any) -> None:  # noqa: ANN401 - as above
    code, _, err, _ = words({}, "search", "pets")
    assert code == 1
    assert "--vary" in err


def test_trials_are_shown_and_are_json_for_scripts(words: Any) -> None:  # noqa: ANN401 - as above
    answers = {"GET /jobs/4/trials": [Answer(TRIALS)], "GET /jobs/4": [Answer(SEARCH)]}
    code, out, _, _ = words(answers, "jobs", "trials", "4")
    assert code == 0
    assert "0.125 in run 8, trial 2" in out
    code, out, _, _ = words(answers, "jobs", "trials", "4", "--json")
    assert (code, json.loads(out)) == (0, TRIALS)
