"""What the commands show of an interpretation and of scores that do not sum to one."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.service import Answer
from tests.cli.test_commands import JOB, ask

Capture = pytest.CaptureFixture[str]
Patch = pytest.MonkeyPatch

CONFUSION: dict[str, Any] = {
    "n": 20,
    "error_rate": 0.25,
    "drawn": False,
    "side": "validation",
    "tta": False,
    "trained_on": 0,
    "dataset": {"name": "pets"},
    "most_confused": [{"actual": "pug", "predicted": "boxer", "count": 3}],
}


def test_a_confusion_says_which_pictures_it_counts(capsys: Capture, monkeypatch: Patch) -> None:
    answers = {"GET /runs/2/confusion?min_val=2": [Answer(CONFUSION)]}
    code, out, _, _ = ask(capsys, monkeypatch, answers, "runs", "confusion", "2")
    assert code == 0
    assert out.splitlines()[0] == "20 validation photos of pets, error rate 0.2500"
    assert "pug" in out


def test_on_another_dataset_it_says_what_the_model_had_seen(capsys: Capture, monkeypatch: Patch) -> None:
    found = {**CONFUSION, "side": "all", "tta": True, "trained_on": 7, "dataset": {"name": "others"}, "drawn": True}
    answers = {"GET /runs/2/confusion?min_val=2&dataset=others": [Answer(found)]}
    _, out, _, _ = ask(capsys, monkeypatch, answers, "runs", "confusion", "2", "--dataset", "others")
    assert out.splitlines()[0] == (
        "20 drawn pictures of others, averaged over copies, error rate 0.2500; the model was trained on 7 of them"
    )


def test_top_losses_are_a_table_with_both_probabilities(capsys: Capture, monkeypatch: Patch) -> None:
    one = {
        "item": 5,
        "path": "dogs/pug_7.jpg",
        "actual": "pug",
        "predicted": "boxer",
        "loss": None,
        "probability_predicted": 0.91,
        "probability_actual": 0.02,
        "image": "/runs/2/items/5/image",
    }
    answers = {"GET /runs/2/top-losses?k=1": [Answer([one])]}
    code, out, _, _ = ask(capsys, monkeypatch, answers, "runs", "top-losses", "2", "--k", "1")
    assert code == 0
    assert out.splitlines()[1].split() == ["dogs/pug_7.jpg", "pug", "boxer", "–", "0.91", "0.02", "5"]


TOP = [{"breed": "pug", "probability": 0.1}]
EPOCH = {
    "phase": 0,
    "epoch": 0,
    "train_loss": 1.0,
    "valid_loss": 1.0,
    "error_rate": 0.5,
    "images_per_second": 9.0,
    "seconds": 2.0,
}
VERSION = {
    "version": 1,
    "run": 2,
    "arch": "resnet18",
    "dataset": "pets",
    "error_rate": 0.5,
    "aliases": ["production"],
    "created_at": "2026-11-27T00:12:00Z",
}


@pytest.mark.parametrize("drawn", [False, True])
@pytest.mark.parametrize(
    ("words", "request_line", "body", "headers"),
    [
        (("runs", "metrics", "2"), "GET /runs/2/metrics?every=1000000", {"epochs": [EPOCH], "batches": {}}, False),
        (("runs", "top-losses", "2"), "GET /runs/2/top-losses?k=9", [], True),
        (("models", "list"), "GET /models?limit=20", {"items": [VERSION], "next_cursor": None}, False),
        (("models", "register", "2"), "POST /models", VERSION, False),
    ],
)
def test_what_shows_drawn_pictures_says_so(
    capsys: Capture,
    monkeypatch: Patch,
    words: tuple[str, ...],
    request_line: str,
    body: Any,  # noqa: ANN401 - JSON
    headers: bool,
    drawn: bool,
) -> None:
    said = body if headers else {**body, "drawn": drawn}
    if words == ("models", "list"):
        said = {**body, "items": [{**VERSION, "drawn": drawn}]}
    answer = Answer(said, headers={"Pedigree-Drawn": str(drawn).lower()} if headers else {})
    code, out, err, _ = ask(capsys, monkeypatch, {request_line: [answer]}, *words)
    assert (code, err) == (0, "")
    assert ("drawn" in out) is drawn


def test_an_interpretation_is_asked_for_in_the_contracts_words(capsys: Capture, monkeypatch: Patch) -> None:
    answers = {"POST /jobs": [Answer({**JOB, "kind": "interpret"}, 202)]}
    words = ("runs", "interpret", "2", "--tta", "--dataset", "others")
    code, out, _, service = ask(capsys, monkeypatch, answers, *words)
    assert (code, out) == (0, "job 4, run 2: running\n")
    sent = json.loads(service.asked[0][2])
    assert sent == {"kind": "interpret", "run": 2, "config": {"tta": True, "dataset": "others"}}


def test_the_note_on_scores_that_stand_alone_is_printed(capsys: Capture, monkeypatch: Patch, tmp_path: Path) -> None:
    picture = tmp_path / "a.jpg"
    picture.write_bytes(b"...")
    entry = {
        "filename": "a.jpg",
        "breed": "pug",
        "species": "dog",
        "probability": 0.1,
        "sure": False,
        "sentence": "not sure",
        "top": TOP,
    }
    model = {
        "version": 1,
        "run": 2,
        "arch": "resnet18",
        "drawn": False,
        "calibrated": True,
        "note": "Each breed is scored on its own.",
    }
    answers = {
        "POST /predict?model=production&tta=true": [Answer({"model": model, "tta": True, "predictions": [entry]})]
    }
    code, out, _, _ = ask(capsys, monkeypatch, answers, "predict", "--tta", str(picture))
    assert code == 0
    assert "Each breed is scored on its own." in out
