"""What the command tells of a run and of lists that are empty."""

import json
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from api.schemas.run_query import RunListQuery
from ml.config import FineTune, LrFind, resolve
from tests.cli.service import Answer
from tests.cli.test_commands import ask

CONFIG = resolve(FineTune(arch="resnet18", size=160, batch_size=48, seed=7, epochs=3)).model_dump(mode="json")
RUN: dict[str, Any] = {
    "id": 3,
    "kind": "train",
    "recipe": "fine_tune",
    "name": "baseline",
    "state": "succeeded",
    "job": 5,
    "arch": "resnet18",
    "dataset": {
        "name": "pets",
        "revision": "0" * 64,
        "revision_number": 1,
        "drawn": False,
        "breeds": 37,
        "items": 3389,
    },
    "parent": None,
    "tags": ["baseline", "good"],
    "note": "as in the book",
    "spark": [0.2, 0.125],
    "error_rate_margin": 0.0254,
    "train_loss": 0.5,
    "valid_loss": 0.4,
    "error_rate": 0.125,
    "created_at": "2026-11-27T00:12:00.5Z",
    "started_at": "2026-11-27T00:13:00Z",
    "finished_at": "2026-11-27T00:16:20Z",
    "seconds": 200.0,
    "config": CONFIG,
    "device": "cpu (2 threads)",
    "precision": "fp32",
    "precision_reason": "a CPU",
    "weights": {"file": "resnet18.pth", "sha256": "1" * 64},
    "versions": {"torch": "2.11.0"},
    "plan": {"train_items": 2712, "valid_items": 677, "steps": 171, "accumulation": 2},
    "seed": 7,
    "artifacts": [
        {"name": "model.json", "sha256": "2" * 64, "bytes": 900},
        {"name": "model.safetensors", "sha256": "2" * 64, "bytes": 3 << 20},
    ],
    "lineage": [],
    "children": [],
    "rates": [],
    "curves": [],
    "cautions": [],
}
SEARCH = {**RUN, "kind": "lr_find", "recipe": None, "config": LrFind().model_dump(mode="json"), "error_rate": None}
WAITING = {**RUN, **dict.fromkeys(("started_at", "finished_at", "seconds", "device", "weights", "versions", "plan"))}


@pytest.fixture
def in_berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def words(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:  # noqa: ANN401 - a function
    return lambda answers, *given: ask(capsys, monkeypatch, answers, *given)


def fields(config: dict[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in config.items():
        if isinstance(value, dict):
            yield from fields(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


@pytest.mark.usefixtures("in_berlin")
def test_a_run_is_shown_with_its_whole_configuration_its_dates_and_how_long_it_took(words: Any) -> None:  # noqa: ANN401 - as above
    code, out, err, _ = words({"GET /runs/3": [Answer(RUN)]}, "runs", "show", "3")
    assert (code, err) == (0, "")
    lines = [" ".join(line.split()) for line in out.splitlines()]
    for line in (
        "kind train, fine_tune",
        "created 2026-11-27 01:12 CET",
        "started 2026-11-27 01:13 CET",
        "finished 2026-11-27 01:16 CET",
        "took 3 min 20 s",
        "weights resnet18.pth",
        "photos 2712 to train on, 677 to validate with",
        "batches in 2 parts each, because the memory did not hold a whole one",
        "torch 2.11.0",
        "1 frozen 1 0.0002, 0.0002, 0.002 0.99 25 1e+05 0.95, 0.85, 0.95",
        "2 unfrozen 3 1e-05, 0.0001, 0.001 0.3 5 1e+05 0.95, 0.85, 0.95",
        "file model.json 900 bytes",
        "file model.safetensors 3.0 MiB",
    ):
        assert line in lines, out
    for name, value in fields(CONFIG):
        if name != "phases":
            said = value if isinstance(value, str) else json.dumps(value)
            assert f"{name} {said}" in lines, f"{name} is a field of the configuration too"


def test_a_search_and_a_run_that_waits_are_shown_as_far_as_they_are_known(words: Any) -> None:  # noqa: ANN401 - as above
    _, out, err, _ = words({"GET /runs/3": [Answer(SEARCH)]}, "runs", "show", "3")
    assert err == ""
    assert "lr_sweep.steps" in out
    assert "pct_start" not in out
    _, out, err, _ = words({"GET /runs/3": [Answer(WAITING)]}, "runs", "show", "3")
    assert err == ""
    assert "finished" not in out
    assert "not known before a worker has begun" in out


@pytest.mark.usefixtures("in_berlin")
def test_runs_are_listed_with_recipe_and_date(words: Any) -> None:  # noqa: ANN401 - as above
    answers = {"GET /runs?limit=20": [Answer({"items": [RUN, SEARCH], "next_cursor": None})]}
    _, out, _, _ = words(answers, "runs", "list")
    header, first, second = [line.split() for line in out.splitlines()]
    assert header[:4] == ["run", "name", "recipe", "arch"]
    made = ["2026-11-27", "01:12", "CET", "baseline,", "good"]
    assert first[2:] == ["fine_tune", "resnet18", "pets", "succeeded", "0.125", "±", "0.025", *made]
    assert second[2:] == ["lr_find", "resnet18", "pets", "succeeded", "–", *made]


@pytest.mark.parametrize(
    ("given", "asked", "way_on"),
    [
        (("runs", "list"), "GET /runs?limit=20", "pedigree train --dataset"),
        (("runs", "list", "--state", "failed"), "GET /runs?limit=20&state=failed", "without options"),
        (("models", "list"), "GET /models?limit=20", "pedigree models register RUN --alias production"),
        (("datasets", "list"), "GET /datasets?limit=50", "pedigree datasets add"),
    ],
)
def test_an_empty_list_says_what_to_do_and_as_json_is_empty(
    words: Any,  # noqa: ANN401 - as above
    given: tuple[str, ...],
    asked: str,
    way_on: str,
) -> None:
    answers = {asked: [Answer({"items": [], "next_cursor": None})]}
    code, out, _, _ = words(answers, *given)
    assert (code, len(out.splitlines())) == (0, 1)
    assert way_on in out
    _, out, _, _ = words(answers, *given, "--json")
    assert json.loads(out) == []


def test_a_run_without_an_epoch_says_so(words: Any) -> None:  # noqa: ANN401 - as above
    answers = {"GET /runs/3/metrics?every=1000000": [Answer({"epochs": [], "drawn": False})]}
    _, out, _, _ = words(answers, "runs", "metrics", "3")
    assert out == "No epoch has ended yet.\n"


@pytest.mark.parametrize(("status", "already"), [(201, ""), (200, " already")])
def test_registering_says_whether_the_run_was_a_version_before(words: Any, status: int, already: str) -> None:  # noqa: ANN401 - as above
    version = {"version": 2, "run": 3, "aliases": ["staging"], "drawn": False}
    answers = {"POST /models": [Answer(version, status)]}
    code, out, _, _ = words(answers, "models", "register", "3", "--alias", "staging")
    assert (code, out) == (0, f"run 3 is version 2{already}, known as staging\n")


def test_every_filter_of_the_services_list_can_be_given(words: Any) -> None:  # noqa: ANN401 - as above
    given = {
        "--kind": "train",
        "--state": "failed",
        "--dataset": "pets",
        "--arch": "resnet18",
        "--tag": "good",
        "--study": "5",
        "--error-below": "0.2",
        "--search": "baseline",
        "--sort": "arch",
    }
    options = [word for option in given.items() for word in option]
    _, _, _, service = words({}, "runs", "list", *options, "--reverse", "--limit", "7")
    [(asked, _, _)] = service.asked
    sent = parse_qs(urlsplit(asked.removeprefix("GET ")).query)
    assert sent.keys() == RunListQuery.model_fields.keys() - {"cursor"}, "a page's cursor is the service's to give"
    assert (sent["error_below"], sent["q"], sent["order"]) == (["0.2"], ["baseline"], ["desc"])


@pytest.mark.parametrize("rate", ["0", "1.5", "low"])
def test_an_error_rate_that_none_can_have_is_refused_here(words: Any, rate: str) -> None:  # noqa: ANN401 - as above
    code, _, err, service = words({}, "runs", "list", "--error-below", rate)
    assert (code, service.asked) == (2, [])
    assert "--error-below" in err
