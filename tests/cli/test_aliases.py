"""``pedigree models`` for aliases, against the real API."""

import json
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy.orm import Session, sessionmaker

from store.artifacts import ArtifactStore
from store.settings import Settings
from tests.api.records import Records
from tests.cli.live_api import live_api
from tests.cli.service import Answer
from tests.cli.test_commands import ask, pedigree

WAY = {"engine": "openvino", "precision": "bf16", "input": "direct", "streams": 2}
EXACT = {"engine": "torch", "precision": "fp32", "input": "exact", "streams": 1}
FIGURES = {"images_per_second": 412.5, "latency_ms": 2.6, "top1_equal": 1.0, "most_moved": 0.004, "photos": 300}
VERSION = {
    "version": 3,
    "run": 7,
    "arch": "resnet18",
    "dataset": "pets",
    "aliases": ["production"],
    "canary_of": ["best"],
    "created_at": "2026-11-27T00:12:00Z",
}

Words = Callable[..., tuple[int, str, str]]


@pytest.fixture
def words(
    settings: Settings,
    sessions: sessionmaker[Session],
    artifacts: ArtifactStore,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Words]:
    """The command, before a service whose runs 1 to 3 can be registered."""
    records = Records(sessions, artifacts)
    for content in (b"one", b"two", b"three"):
        records.served(content=content)
    with live_api(settings) as api:
        monkeypatch.setenv("PEDIGREE_URL", api.url)
        yield lambda *given: pedigree(capsys, monkeypatch, *given)


def test_rolling_back_says_where_it_leads_and_what_to_do_where_it_leads_nowhere(words: Words) -> None:
    for run in ("1", "2", "3"):
        assert words("models", "register", run, "--alias", "production")[0] == 0
    assert words("models", "rollback")[1] == "production is version 2 again; a rollback leads to version 1\n"
    assert words("models", "rollback", "production")[1] == "production is version 1 again\n"
    code, _, err = words("models", "rollback")
    assert code == 1
    assert err == (
        "pedigree: alias 'production' pointed at nothing before version 1. "
        "Point it at a version instead: `pedigree models list`.\n"
    )
    moves = words("models", "moves")[1].splitlines()[1:]
    assert [move.split("  ")[-1] for move in moves] == [
        "rolled back to version 1",
        "rolled back to version 2",
        "pointed at version 3",
        "pointed at version 2",
        "pointed at version 1",
    ]
    found = json.loads(words("models", "moves", "--limit", "1", "--json")[1])
    assert [(move["how"], move["version"]) for move in found] == [("rolled_back", 1)]
    assert words("models", "moves", "best")[0] == 1


def test_a_canary_is_set_listed_promoted_and_cancelled(words: Words) -> None:
    for run in ("1", "2"):
        words("models", "register", run, "--alias", "production" if run == "1" else "next")
    code, said, _ = words("models", "canary", "production", "2", "--share", "0.1")
    assert (code, said) == (0, "version 2 answers 10.0% of the requests of production, version 1 the others\n")
    assert "next, production (canary)" in words("models", "list")[1]
    assert words("models", "canary", "production", "--promote")[1] == (
        "production is version 2; a rollback leads to version 1\n"
    )
    code, _, err = words("models", "canary", "production", "--cancel")
    assert (code, "has no canary" in err, "`pedigree models moves production`" in err) == (1, True, True)
    words("models", "canary", "production", "1")
    assert words("models", "canary", "production", "--cancel")[1] == "production has no canary any more\n"
    for wrong in (["1", "--promote"], [], ["--promote", "--cancel"]):
        code, _, err = words("models", "canary", "production", *wrong)
        assert (code, err) == (1, "pedigree: Give a version, --promote or --cancel.\n")
    code, _, err = words("models", "canary", "production", "2")
    assert (code, err.startswith("pedigree: VERSION is 2: it is the version")) == (1, True)


def test_a_version_is_shown_with_what_was_measured(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = [
        {**FIGURES, "way": {**WAY, "precision": "int8"}, "top1_equal": 0.9, "passed": False, "problem": None},
        {**FIGURES, "way": WAY, "passed": True, "problem": None},
        {**dict.fromkeys(FIGURES), "way": EXACT, "photos": 0, "passed": False, "problem": "no such engine"},
    ]
    choices = [
        {"machine": "a Xeon", "way": WAY, "reason": None, "candidates": tried},
        {"machine": "an Arm", "way": None, "reason": "the photos are gone", "candidates": []},
    ]
    answers = {"GET /models/3": [Answer({**VERSION, "choices": choices})]}
    code, out, _, _ = ask(capsys, monkeypatch, answers, "models", "show", "3")
    assert code == 0
    assert "production, best (canary)" in out
    lines = out.splitlines()
    assert [line.split()[-1] for line in lines if line.startswith("openvino")] == ["much", "chosen"]
    assert any(line.endswith("no such engine") for line in lines)
    assert "  the exact way, since nothing could be measured: the photos are gone" in lines
    answers = {"GET /models/3": [Answer({**VERSION, "choices": []})]}
    assert "not chosen on any machine" in ask(capsys, monkeypatch, answers, "models", "show", "3")[1]


def test_what_a_shadow_answered_is_said_in_words(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    against = {
        "version": 2,
        "compared": 40,
        "agreement": {"share": 0.9, "low": 0.769, "high": 0.96},
        "mean_difference": 0.02,
        "max_difference": 0.31,
        "failed": 0,
        "dropped": 3,
        "pairs": [{"served": "pug", "shadow": "Birman", "photos": 4, "mean_difference": 0.25}],
    }
    answers = {
        "GET /models/3/shadow": [Answer({"version": 3, "is_shadow": True, "against": [against]})],
        "GET /models/4/shadow": [Answer({"version": 4, "is_shadow": False, "against": []})],
    }
    _, out, _, _ = ask(capsys, monkeypatch, answers, "models", "shadow", "3")
    first, second, _, row = out.splitlines()
    assert first.startswith("beside version 2: 40 photos compared, 90.0% have the same first breed (between 76.9% and")
    assert second == "0 failed, 3 were left out because the service was busy"
    assert row.split() == ["pug", "Birman", "4", "0.25"]
    assert "pedigree models alias shadow 4" in ask(capsys, monkeypatch, answers, "models", "shadow", "4")[1]
