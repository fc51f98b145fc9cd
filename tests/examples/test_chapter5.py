"""The walk against a service of fixed answers: what it asks for and what it prints."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from examples.chapter5 import (
    Result,
    Walk,
    averaged,
    compare,
    deeper,
    first_model,
    look,
    make_parser,
    position,
    steps_of_a_picture,
)

REASON = "the loss fell by no more than chance"
RUN = {
    "id": 1,
    "kind": "train",
    "device": "cpu",
    "precision": "bf16",
    "precision_reason": "this CPU has amx_bf16",
    "error_rate": 0.25,
    "curves": [{"sentence": "One epoch."}],
}
JOB = {
    "id": 7,
    "run": 1,
    "state": "succeeded",
    "started_at": "2026-01-01T00:00:00Z",
    "finished_at": "2026-01-01T00:01:05.5Z",
}
EPOCHS = [
    {"phase": phase, "epoch": 0, "train_loss": 1.0, "valid_loss": 0.5, "error_rate": 0.25, "seconds": 20.0}
    for phase in (0, 1)
]
STEP = {"name": "presize", "does": "a square", "type": "numpy.ndarray", "shape": [8, 8, 3], "dtype": "uint8"}
FAILS = {"fits": False, "paths": ["a.jpg", "b.jpg"], "reason": "two shapes", "fix": "Add a resize."}


class Service:
    """Answers by path, and remembers what was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {
            "/jobs/7": JOB,
            "/runs/1": RUN,
            "/runs/1/metrics": {"epochs": EPOCHS},
        }
        self.asked: list[str] = []
        self.posted: list[dict[str, Any]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.raw_path.decode())
        if request.method == "POST":
            self.posted.append(json.loads(request.content))
            return httpx.Response(202, json=JOB)
        if request.url.path.endswith(".png"):
            return httpx.Response(200, content=b"png")
        return httpx.Response(200, json=self.answers[request.url.path])


@pytest.fixture
def walked(tmp_path: Path) -> Callable[..., Walk]:
    def make(service: Service, *words: str) -> Walk:
        options = make_parser().parse_args(["--dataset", "pets", "--out", str(tmp_path), *words])
        return Walk(httpx.Client(transport=httpx.MockTransport(service), base_url="http://service"), options)

    return make


def test_a_title_tells_the_epochs_that_run_and_the_chapters_where_these_are_others(
    walked: Callable[..., Walk],
) -> None:
    short, whole = walked(Service(), "--scale", "0.25"), walked(Service())
    text = "Head: {}, then unfrozen: {} at 1e-6 to 1e-4"
    assert short.title(text, 3, 12) == "Head: 1, then unfrozen: 3 at 1e-6 to 1e-4 [3 and 12 in the chapter]"
    assert whole.title(text, 3, 12) == "Head: 3, then unfrozen: 12 at 1e-6 to 1e-4"


def test_a_training_counts_phases_and_epochs_from_one_and_its_times_are_the_records(
    walked: Callable[..., Walk], capsys: pytest.CaptureFixture[str]
) -> None:
    service = Service()
    walk = walked(service)
    walk.train("fine_tune(1)", {"recipe": "fine_tune", "epochs": 1})
    compare(walk)
    said = capsys.readouterr().out
    assert "| 1 | 1 | 1.000000 | 0.500000 | 0.250000 | 00:20 |\n| 2 | 1 |" in said
    assert "Run 1, cpu, bf16 (this CPU has amx_bf16): " in said
    assert "| fine_tune(1) | 1 | 0.250000 | 00:40 | 01:05 |" in said
    assert service.posted[0]["name"] == "fine_tune(1)"
    assert walk.results == [Result("fine_tune(1)", 1, 0.25, 40.0, 65.5)]


def test_a_reason_that_suggestions_share_is_printed_once(
    walked: Callable[..., Walk], capsys: pytest.CaptureFixture[str]
) -> None:
    names = ("slide", "steep", "valley", "minimum")
    found = {
        "suggestions": dict.fromkeys(names),
        "spread_decades": dict.fromkeys(names),
        "reasons": {**dict.fromkeys(names, REASON), "slide": "too few points"},
        "agreement": "none",
        "agreement_reason": REASON,
        "advice": None,
    }
    service = Service()
    service.answers |= {"/runs/1": {**RUN, "kind": "lr_find"}, "/runs/1/metrics": {"epochs": []}}
    service.answers["/runs/1/lr-find"] = found
    walked(service).find_rate("Find", freeze=False)
    said = capsys.readouterr().out
    assert said.count(REASON) == 1
    assert "| minimum/10 | none |  |\n| steep | none |" in said
    assert "- slide: too few points" in said


def test_the_summary_is_asked_for_without_a_resize_and_then_at_the_walks_own_sizes(
    walked: Callable[..., Walk], capsys: pytest.CaptureFixture[str]
) -> None:
    service = Service()
    summary = {"steps": [{**STEP, "low": 0.0, "high": 254.0}], "collated": FAILS}
    service.answers["/datasets/pets/summary"] = summary
    steps_of_a_picture(walked(service, "--size", "96", "--presize", "128"))
    assert service.asked == [
        "/datasets/pets/summary?presize=128&size=96&resize=false",
        "/datasets/pets/summary?presize=128&size=96",
    ]
    said = capsys.readouterr().out
    assert "| presize | a square | numpy.ndarray | 8 x 8 x 3 | uint8 | 0 to 254 |" in said
    assert "a.jpg and b.jpg do not fit into one batch." in said
    assert "**Why**: two shapes\n\n**What to do**: Add a resize." in said


def test_the_looks_may_be_of_another_dataset_and_drawn_ones_are_said_to_be_drawn(
    walked: Callable[..., Walk], capsys: pytest.CaptureFixture[str]
) -> None:
    service = Service()
    service.answers["/datasets/pets"] = {"items": 3, "vocab": ["a"], "revision": "r", "drawn": False}
    service.answers["/datasets/sample"] = {"drawn": True}
    look(walked(service, "--looks-dataset", "sample"))
    assert service.asked[-2:] == ["/datasets/sample/batch.png", "/datasets/sample/presizing.png"]
    assert "drawn pictures of 'sample'" in capsys.readouterr().out


def test_a_loss_without_a_bound_is_said_to_be_infinite(
    walked: Callable[..., Walk], capsys: pytest.CaptureFixture[str]
) -> None:
    service = Service()
    service.answers["/runs/1/confusion"] = {"most_confused": []}
    worst = {"actual": "a", "predicted": "b", "probability_predicted": 1.0, "probability_actual": 0.0}
    service.answers["/runs/1/top-losses"] = [{**worst, "loss": None}, {**worst, "loss": 2.5}]
    first_model(walked(service))
    said = capsys.readouterr().out
    assert "| a | b | infinite | 1.000 | 0.00000 |\n| a | b | 2.50 | 1.000 | 0.00000 |" in said


@pytest.mark.parametrize(
    ("progress", "said"),
    [
        ({}, ""),
        ({"stage": "start", "step": None, "steps": None}, " start"),
        ({"stage": "train", "step": 3, "steps": 9, "eta_seconds": 65.0}, " train 3/9, 01:05 left"),
        (
            {"stage": "presize", "step": 0, "steps": 9, "stage_eta_seconds": 1.0},
            " presize 0/9, 00:01 left of this stage",
        ),
    ],
)
def test_only_what_is_known_of_a_jobs_position_is_said(progress: dict[str, Any], said: str) -> None:
    assert position(progress) == said


def test_tta_of_a_run_is_set_beside_its_plain_error_rate(
    walked: Callable[..., Walk], capsys: pytest.CaptureFixture[str]
) -> None:
    service = Service()
    service.answers["/runs/1/confusion"] = {"n": 40, "error_rate": 0.2}
    averaged(walked(service), RUN)
    assert service.posted == [{"kind": "interpret", "run": 1, "config": {"tta": True}}]
    said = capsys.readouterr().out
    assert "| 0.250000 | 10 of 40 |" in said
    assert "| 0.200000 | 8 of 40 |" in said


@pytest.mark.parametrize(
    ("chosen", "title"),
    [
        ("bf16", "resnet50 in bf16 mixed precision, fine_tune(6, freeze_epochs=3)"),
        ("fp32", "resnet50 in fp32: no mixed precision on this device, fine_tune(6, freeze_epochs=3)"),
    ],
)
def test_the_deeper_model_asks_for_the_precision_that_auto_chose(
    walked: Callable[..., Walk], capsys: pytest.CaptureFixture[str], chosen: str, title: str
) -> None:
    service = Service()
    deeper(walked(service), {**RUN, "precision": chosen, "precision_reason": "this CPU has no bf16"})
    assert (service.posted[0]["name"], service.posted[0]["config"]["precision"]) == (title, chosen)
    assert ("not asked for: this CPU has no bf16" in capsys.readouterr().out) == (chosen == "fp32")
