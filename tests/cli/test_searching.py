import json
from typing import Any

import pytest

from tests.cli.service import Answer
from tests.cli.test_commands import JOB, ask

FOUND: dict[str, Any] = {
    "run": 2,
    "phase": 0,
    "rate": 1.2e-3,
    "agreement": "agree",
    "agreement_reason": "the valleys lie 0.25 decades apart",
    "lrs": [1e-7],
    "losses": [4.0],
    "smoothed": [4.0],
    "stopped_early": False,
    "suggestions": {"minimum": 1e-2, "steep": None, "valley": 1.2e-3, "slide": 3e-3},
    "reasons": {"steep": "the loss is flat"},
    "spread_decades": {"minimum": 0.5, "steep": None, "valley": 0.25, "slide": 0.125},
    "agreements": {"minimum": "weak", "steep": "none", "valley": "agree", "slide": "agree"},
    "agreement_of": "valley",
    "rises_at": 3.4e-2,
    "rises_at_spread_decades": 0.25,
    "rises_at_sweeps": 2,
    "advice": None,
    "freeze": False,
    "sweeps": [{}, {}, {}],
}
FORECAST: dict[str, Any] = {
    "seconds_per_epoch": [30.0, 90.0],
    "rate_search_seconds": 60.0,
    "total_seconds": 270.0,
    "total_seconds_low": 240.0,
    "total_seconds_high": 300.0,
    "peak_memory_bytes": 3 << 29,
    "device": "cpu (2 threads)",
    "precision": "bf16",
    "from": "stored",
    "basis": "On cpu (2 threads) in bf16: frozen from 3 epochs of run 12.",
}
CONFIG: dict[str, Any] = {
    "arch": "resnet18",
    "recipe": "fine_tune",
    "batch_size": 64,
    "phases": [
        {"freeze": True, "epochs": 1, "lr_max": [0.1, 0.1, 1.0], "auto": "find"},
        {"freeze": False, "epochs": 2, "lr_max": [1e-5, 1e-4, 1e-3], "auto": None},
    ],
}


@pytest.fixture
def words(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:  # noqa: ANN401 - a function
    return lambda answers, *given: ask(capsys, monkeypatch, answers, *given)


def test_a_search_is_queued_watched_and_shown(words: Any) -> None:  # noqa: ANN401 - as above
    job = {**JOB, "kind": "lr_find", "state": "succeeded"}
    answers = {
        "POST /jobs": [Answer(job, 202)],
        "GET /jobs/4/events": [
            Answer('id: 1\nevent: state\ndata: {"state": "succeeded"}\n\n', kind="text/event-stream")
        ],
        "GET /jobs/4": [Answer(job)],
        "GET /runs/2/lr-find": [Answer(FOUND)],
    }
    given = ("jobs", "lr-find", "pets", "--unfreeze", "--set", "lr_sweep.sweeps=2", "--from-run", "7")
    code, out, err, service = words(answers, *given)
    assert (code, err) == (0, "")
    assert json.loads(service.asked[0][2]) == {
        "kind": "lr_find",
        "dataset": "pets",
        "config": {"freeze": False, "lr_sweep": {"sweeps": 2}},
        "from_run": 7,
        "name": None,
    }
    lines = out.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("suggestion"))
    assert [line.split()[0] for line in lines[start + 1 : start + 5]] == ["minimum/10", "steep", "valley", "slide"]
    assert lines[start + 2].split() == ["steep", "–", "none", "–"]
    assert lines[start + 3].split() == ["valley", "1.20e-03", "agree", "0.25"]
    assert pairs(lines[start + 5 :]) == [
        ("run", "2, before phase 1, unfrozen"),
        ("sweeps", "3"),
        ("no steep", "the loss is flat"),
        ("agreement of valley", "agree: the valleys lie 0.25 decades apart"),
        ("rises at", "3.40e-02 in 2 of 3 sweeps, 0.25 decades apart"),
        ("rate", "1.20e-03"),
    ]


def pairs(lines: list[str]) -> list[tuple[str, str]]:
    """Names and values of a list of pairs."""
    width = len("agreement of valley")
    return [(line[:width].rstrip(), line[width:].strip()) for line in lines]


def test_a_reason_that_all_suggestions_share_is_said_once(words: Any) -> None:  # noqa: ANN401 - as above
    names = ("minimum", "steep", "valley", "slide")
    why = "2 of 3 sweeps have no answer; the first of them because the loss is flat"
    advice = "no rate lowers this model's loss beyond chance; from about 0.034 it rises in 2 of 3 sweeps: go on lower"
    none = {
        "suggestions": dict.fromkeys(names),
        "reasons": dict.fromkeys(names, why),
        "agreements": dict.fromkeys(names, "none"),
        "agreement": "none",
        "agreement_reason": why,
        "rate": None,
        "advice": advice,
    }
    _, out, _, _ = words({"GET /runs/2/lr-find": [Answer({**FOUND, **none})]}, "runs", "lr-find", "2")
    assert out.count(why) == 1
    told = dict(line.split("  ", 1) for line in out.splitlines()[5:])
    assert told["no minimum/10, steep, valley, slide"].strip() == why
    assert out.splitlines()[-1].split(maxsplit=1) == ["advice", advice]


def test_the_search_before_a_phase_is_asked_for_by_its_number_from_one(words: Any) -> None:  # noqa: ANN401 - as above
    found = {**FOUND, "phase": 1, "rate": None, "agreement": "none"}
    code, out, _, _ = words({"GET /runs/2/lr-find?phase=1": [Answer(found)]}, "runs", "lr-find", "2", "--phase", "2")
    assert code == 0
    assert "2, before phase 2, unfrozen" in out
    assert out.splitlines()[-1].split() == ["rate", "none"]


def test_there_is_no_phase_of_number_zero(words: Any) -> None:  # noqa: ANN401 - as above
    code, _, err, service = words({}, "runs", "lr-find", "2", "--phase", "0")
    assert (code, service.asked) == (2, [])
    assert "0 is not in the range x>=1" in err


def test_a_dry_run_is_told_in_words(words: Any) -> None:  # noqa: ANN401 - as above
    answer = {"config": CONFIG, "forecast": FORECAST, "forecast_reason": None}
    answers = {"POST /jobs?dry_run=true": [Answer(answer)]}
    code, out, _, service = words(answers, "jobs", "train", "--from-run", "12", "--set", "size=160", "--dry-run")
    assert code == 0
    body = json.loads(service.asked[0][2])
    assert (body["dataset"], body["from_run"], body["config"]) == (None, 12, {"size": 160})
    assert out.splitlines() == [
        "resnet18, fine_tune, batches of 64",
        "phase  body      epochs  lr_max                an epoch",
        "    1  frozen         1  auto × (0.1, 0.1, 1)  30 s",
        "    2  unfrozen       2  1e-05, 0.0001, 0.001  1 min 30 s",
        "searching for a rate: at most 1 min 0 s",
        "total: 4 min 30 s (4 min 0 s to 5 min 0 s)",
        "peak memory: 1.50 GiB",
        "stored: On cpu (2 threads) in bf16: frozen from 3 epochs of run 12.",
    ]


def test_a_dry_run_says_that_its_weights_are_not_here(words: Any) -> None:  # noqa: ANN401 - as above
    missing = {"in_reach": False, "place": None, "file": None, "hint": "Put them there, or set pretrained to false."}
    for weights, told in ((missing, True), ({**missing, "in_reach": True}, False), (None, False)):
        answer = {"config": CONFIG, "forecast": FORECAST, "forecast_reason": None, "weights": weights}
        _, out, _, _ = words({"POST /jobs?dry_run=true": [Answer(answer)]}, "train", "--dataset", "pets", "--dry-run")
        said = "THE PRETRAINED WEIGHTS OF resnet18 ARE NOT HERE. Put them there, or set pretrained to false: "
        said += "--set pretrained=VALUE."
        assert (said in out.splitlines()) == told


def test_a_dry_run_that_rests_on_one_measurement_has_no_range(words: Any) -> None:  # noqa: ANN401 - as above
    once = {**FORECAST, "total_seconds_low": None, "total_seconds_high": None}
    answer = {"config": CONFIG, "forecast": once, "forecast_reason": None}
    answers = {"POST /jobs?dry_run=true": [Answer(answer)]}
    _, out, _, _ = words(answers, "jobs", "train", "--from-run", "12", "--dry-run")
    assert "total: 4 min 30 s" in out.splitlines()


def test_a_forecast_jobs_forecast_is_shown(words: Any) -> None:  # noqa: ANN401 - as above
    job = {**JOB, "kind": "forecast", "run": None, "state": "succeeded", "forecast": FORECAST}
    _, out, _, _ = words({"GET /jobs/4": [Answer(job)]}, "jobs", "show", "4")
    pairs = dict(line.split(maxsplit=1) for line in out.splitlines())
    assert (pairs["kind"], pairs["forecast"]) == ("forecast", "4 min 30 s (4 min 0 s to 5 min 0 s)")
    assert pairs["stored"].startswith("On cpu (2 threads) in bf16")


def unknown(ended: dict[str, Any]) -> dict[str, list[Answer]]:
    """A service without anything on record, whose forecast job ends like that."""
    config = {"arch": "resnet18", "freeze": True, "lr_sweep": {"sweeps": 3, "steps": 100}}
    answer = {"config": config, "forecast": None, "forecast_reason": "nothing is on record"}
    job = {**JOB, "kind": "forecast", "run": None, "forecast": None}
    stream = Answer('id: 1\nevent: state\ndata: {"state": "succeeded"}\n\n', kind="text/event-stream")
    return {
        "POST /jobs?dry_run=true": [Answer(answer)],
        "POST /jobs": [Answer({**job, "state": "queued"}, 202)],
        "GET /jobs/4/events": [stream],
        "GET /jobs/4": [Answer({**job, **ended})],
    }


def test_what_is_not_on_record_is_measured_by_a_job(words: Any) -> None:  # noqa: ANN401 - as above
    measured = {**FORECAST, "seconds_per_epoch": [], "from": "measured"}
    answers = unknown({"state": "succeeded", "forecast": measured})
    code, out, _, service = words(answers, "jobs", "lr-find", "pets", "--dry-run")
    assert code == 0
    asked, queued = (json.loads(request[2]) for request in service.asked[:2])
    assert queued == {"kind": "forecast", "of": asked}
    first, *_, last = out.splitlines()
    assert (first, last.split(":")[0]) == ("resnet18, frozen: 3 sweeps of 100 steps", "measured")
    _, out, _, _ = words(answers, "jobs", "lr-find", "pets", "--dry-run", "--json")
    found = json.loads(out)
    assert (found["forecast"], found["forecast_reason"]) == (measured, None)


@pytest.mark.parametrize(
    ("ended", "said"),
    [
        (
            {
                "state": "failed",
                "error": {
                    "code": "precision_unsupported",
                    "detail": "fp16 does not train here",
                    "hint": "Set precision to bf16.",
                },
            },
            "fp16 does not train here. Set precision to bf16: --set precision=VALUE.",
        ),
        ({"state": "cancelled"}, "job 4 was cancelled."),
    ],
)
def test_a_dry_run_without_a_forecast_says_why(words: Any, ended: dict[str, Any], said: str) -> None:  # noqa: ANN401 - as above
    code, out, _, _ = words(unknown(ended), "jobs", "lr-find", "pets", "--dry-run")
    assert code == 0
    assert out.splitlines() == ["resnet18, frozen: 3 sweeps of 100 steps", f"no forecast: {said}"]


@pytest.mark.parametrize("given", [("train",), ("jobs", "train"), ("jobs", "lr-find")])
def test_a_job_of_nothing_is_refused(words: Any, given: tuple[str, ...]) -> None:  # noqa: ANN401 - as above
    code, _, err, service = words({}, *given)
    assert code == 1
    assert "--from-run" in err
    assert service.asked == []


def test_a_run_tells_its_story(words: Any) -> None:  # noqa: ANN401 - as above
    dataset = {"name": "pets", "revision": "0" * 64, "revision_number": 1, "drawn": False, "breeds": 37, "items": 100}
    names = ("name", "job", "arch", "device", "recipe", "started_at", "finished_at", "seconds")
    run = {
        **dict.fromkeys((*names, "train_loss", "valid_loss")),
        "id": 3,
        "kind": "train",
        "created_at": "2026-11-27T00:12:00Z",
        "config": {"arch": "resnet18"},
        "state": "succeeded",
        "dataset": dataset,
        "weights": None,
        "error_rate": 0.05,
        "artifacts": [],
        "tags": ["good"],
        "note": None,
        "parent": 2,
        "lineage": [
            {"id": 1, "name": None, "kind": "train", "recipe": "one_cycle", "error_rate": 0.125},
            {"id": 2, "name": None, "kind": "train", "recipe": "phases", "error_rate": None},
        ],
        "children": [4, 5],
        "rates": [
            {"phase": 0, "rate": 2e-3, "agreement": "weak", "lr_max": [2e-4, 2e-4, 2e-3], "searched_in": 0},
            {"phase": 1, "rate": None, "agreement": "none", "lr_max": None, "searched_in": 1},
        ],
        "curves": [
            {"phase": 0, "word": "flat", "sentence": "Nothing moved."},
            {"phase": None, "word": "flat", "sentence": "Nothing at all."},
        ],
        "cautions": ["run 1 learned from other pictures"],
    }
    code, out, _, _ = words({"GET /runs/3": [Answer(run)]}, "runs", "show", "3")
    assert code == 0
    width = len("curves of phase 1")
    told = {line[:width].strip(): line[width:].strip() for line in out.splitlines()}
    assert told["lineage"] == "run 1 (one_cycle, error rate 0.1250) → run 2 (phases) → run 3"
    assert told["children"] == "run 4, run 5"
    assert told["rate of phase 1"] == "2.00e-03 (weak), lr_max 2.00e-04, 2.00e-04, 2.00e-03"
    assert told["rate of phase 2"] == "none found (none)"
    assert told["curves of phase 1"] == "flat: Nothing moved."
    assert told["curves"] == "flat: Nothing at all."
    assert told["caution"] == "run 1 learned from other pictures"


@pytest.mark.parametrize(("given", "sent"), [("2", 2), ("all", "all"), ("two", "two")])
def test_devices_are_a_number_or_a_word_and_a_dry_run_of_several_measures_nothing(
    words: Any,  # noqa: ANN401 - as above
    given: str,
    sent: object,
) -> None:
    answer = {"config": {**CONFIG, "devices": sent}, "forecast": None, "forecast_reason": "not forecast"}
    answers = {"POST /jobs?dry_run=true": [Answer(answer)]}
    code, out, _, service = words(answers, "train", "--dataset", "pets", "--devices", given, "--dry-run")
    assert code == 0
    assert json.loads(service.asked[0][2])["config"] == {"devices": sent}
    assert out.splitlines()[-1] == "no forecast: not forecast"
