"""What people write on runs by command, how they find them by it, and runs beside each other."""

import json
from typing import Any

import pytest

from store.settings import Settings
from tests.api.answered import answered
from tests.api.records import Records
from tests.cli.live_api import LiveApi, live_api
from tests.cli.test_commands import pedigree

FIRST = [True] * 3 + [False] * 9 + [True] + [False] * 2
SECOND = [True] * 3 + [True] * 9 + [False] + [False] * 2


@pytest.fixture
def records(sessions: Any, artifacts: Any) -> Records:  # noqa: ANN401 - as in tests/api/conftest.py
    return Records(sessions, artifacts)


@pytest.fixture
def typed(
    settings: Settings, records: Records, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Any:  # noqa: ANN401 - pytest's generator of a function
    """Types words of ``pedigree runs`` at a service with two finished runs and one that waits."""
    dataset = records.dataset()
    answered(records, dataset, FIRST, arch="resnet18")
    answered(records, dataset, SECOND, arch="resnet34")
    records.run(dataset)
    with live_api(settings) as api:
        assert isinstance(api, LiveApi)
        monkeypatch.setenv("PEDIGREE_URL", api.url)
        yield lambda *words: pedigree(capsys, monkeypatch, "runs", *words)


def test_a_run_is_tagged_noted_and_renamed_and_found_by_it(typed: Any) -> None:  # noqa: ANN401 - as above
    assert typed("tag", "1", "Good", "first try") == (0, "run 1 has the tags first-try, good\n", "")
    assert typed("tag", "1", "keep", "--remove", "FIRST try")[1] == "run 1 has the tags good, keep\n"
    assert typed("tag", "1")[1] == "run 1 has the tags good, keep\n"
    assert typed("note", "1", "as in the book") == (0, "as in the book\n", "")
    assert typed("note", "1")[1] == "as in the book\n"
    assert typed("rename", "1", "baseline")[1] == "run 1 is called baseline\n"
    shown = typed("show", "1")[1]
    assert "good, keep" in shown
    assert "as in the book" in shown
    for wish in (("--tag", "good", "--tag", "keep"), ("--search", "BOOK baseline")):
        code, out, _ = typed("list", *wish, "--json")
        assert (code, [run["id"] for run in json.loads(out)]) == (0, [1])
    assert "without options lists all" in typed("list", "--tag", "none")[1]
    assert [run["id"] for run in json.loads(typed("list", "--sort", "arch", "--json")[1])] == [1, 3, 2]
    assert [run["id"] for run in json.loads(typed("list", "--sort", "arch", "--reverse", "--json")[1])] == [2, 3, 1]
    assert [run["id"] for run in json.loads(typed("list", "--reverse", "--json")[1])] == [1, 2, 3]
    assert typed("list")[1].splitlines()[0].split()[-1] == "tags"
    assert typed("note", "1", "--remove")[1] == "run 1 has no note\n"
    assert typed("rename", "1", "--remove")[1] == "run 1 has no name\n"
    assert json.loads(typed("tag", "1", "--remove", "good", "--remove", "keep", "--json")[1])["tags"] == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("tag", "1", "--remove", "old"), "Run 1 has no tag 'old'. Its tags are: none."),
        (("tag", "1", "a,b"), "Type a-b, for example."),
        (("tag", "9", "a"), "there is no run 9."),
        (("rename", "1"), "Give a name, or --remove."),
        (("note", "1", "x", "--remove"), "Leave --remove or the text out."),
        (("compare", "1"), "Give 2 to 6 numbers with commas between them"),
        (("compare", "1", "9"), "there is no run 9."),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(
    typed: Any,  # noqa: ANN401 - as above
    words: tuple[str, ...],
    said: str,
) -> None:
    code, out, err = typed(*words)
    assert (code, out) == (1, "")
    assert said in err


def test_runs_are_compared_in_words(typed: Any) -> None:  # noqa: ANN401 - as above
    code, out, _ = typed("compare", "1", "2")
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert code == 0
    assert any(line.startswith("Run 2 is better than run 1 beyond chance: of 10 photos") for line in lines)
    assert "3 of 15 photos both got right, 2 neither" in lines
    assert lines[-2:] == ["field run 1 run 2", "arch resnet18 resnet34"]
    assert "augment.flip true true" in " ".join(typed("compare", "1", "2", "--all")[1].split())
    waits = typed("compare", "1", "3")[1]
    assert "Runs 1 and 3: run 3 has no answers for its validation photos yet: it waits for a worker." in waits
    found = json.loads(typed("compare", "1", "2", "--json")[1])
    assert found["pairs"][0]["outcomes"]["verdict"] == "second"
