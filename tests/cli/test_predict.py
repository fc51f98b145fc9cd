"""What ``pedigree predict`` prints: what the model is sure of, what it is not, and what could not be used."""

from pathlib import Path
from typing import Any

import pytest

from cli.models import in_parts
from tests.cli.service import Answer
from tests.cli.test_commands import ask

MODEL = {"version": 4, "run": 2, "arch": "resnet18", "drawn": False, "calibrated": True}
LONG = "the file ends in the middle of its picture data after 1234567 of 2345678 bytes, so that nothing can be seen"


def sure(name: str) -> dict[str, Any]:
    top = [{"breed": "Birman", "probability": 0.9}, {"breed": "Ragdoll", "probability": 0.06}]
    return {
        "filename": name,
        "breed": "Birman",
        "species": "cat",
        "probability": 0.9,
        "sure": True,
        "known": True,
        "top": top,
    }


def unsure(name: str) -> dict[str, Any]:
    top = [{"breed": breed, "probability": chance} for breed, chance in (("shiba_inu", 0.209), ("pug", 0.1), ("a", 0))]
    breed = {"breed": "shiba_inu", "species": "dog", "probability": 0.209}
    words = {"sure": False, "known": True, "sentence": "not sure between shiba inu, pug and a"}
    return {"filename": name, **breed, **words, "top": top}


def broken(name: str) -> dict[str, Any]:
    return {"filename": name, "error": {"code": "truncated", "detail": LONG}}


@pytest.fixture
def predicted(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:  # noqa: ANN401 - a function
    def predict(*entries: dict[str, Any]) -> tuple[int, str, str]:
        files = [tmp_path / entry["filename"] for entry in entries]
        for file in files:
            file.write_bytes(b"...")
        answers = {"POST /predict?model=production": [Answer({"model": MODEL, "predictions": list(entries)})]}
        return ask(capsys, monkeypatch, answers, "predict", *map(str, files))[:3]

    return predict


def test_an_unsure_answer_is_no_headline(predicted: Any) -> None:  # noqa: ANN401 - as above
    code, out, _ = predicted(unsure("fountain.jpg"))
    assert code == 0
    assert out.splitlines() == [
        "fountain.jpg: not sure between shiba inu, pug and a (shiba_inu 20.9%, pug 10.0%, a 0.0%)",
        "by version 4 (resnet18, run 2)",
    ]


def test_one_bad_file_does_not_widen_the_table(predicted: Any) -> None:  # noqa: ANN401 - as above
    code, out, err = predicted(sure("a.jpg"), broken("b.jpg"), unsure("c.jpg"), sure("d.jpg"))
    assert (code, err) == (1, "pedigree: 1 of 4 files could not be used.\n")
    assert out.splitlines()[:5] == [
        "file   breed   species  probability  next",
        "a.jpg  Birman  cat      90.0%        Ragdoll 6.0%",
        "d.jpg  Birman  cat      90.0%        Ragdoll 6.0%",
        f"! b.jpg: {LONG}",
        "c.jpg: not sure between shiba inu, pug and a (shiba_inu 20.9%, pug 10.0%, a 0.0%)",
    ]


@pytest.mark.parametrize("count", [1, 2, 32, 33, 64, 65, 200])
def test_many_files_go_in_parts_and_none_alone(count: int) -> None:
    files = tuple(Path(f"{number}.jpg") for number in range(count))
    parts = in_parts(files)
    assert tuple(file for part in parts for file in part) == files
    assert max(map(len, parts)) <= 32
    assert count == 1 or min(map(len, parts)) > 1


def test_all_parts_are_answered_by_one_version(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    files = [tmp_path / f"{number}.jpg" for number in range(33)]
    for file in files:
        file.write_bytes(b"...")
    answer = Answer({"model": MODEL, "predictions": [sure("a.jpg")]})
    answers = {"POST /predict?model=production": [answer], "POST /predict?model=4": [answer]}
    code, _, _, service = ask(capsys, monkeypatch, answers, "predict", *map(str, files))
    assert code == 0
    assert [asked for asked, _, _ in service.asked] == list(answers)


def test_sets_are_asked_for_by_their_coverage_and_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "a.jpg"
    file.write_bytes(b"...")
    entries = [{**sure("a.jpg"), "set": ["Birman", "Ragdoll"]}, {**unsure("b.jpg"), "set": []}]
    coverage = {"asked": 0.95, "photos": 400, "note": None}
    answer = Answer({"model": MODEL, "coverage": coverage, "predictions": entries})
    answers = {"POST /predict?model=production&coverage=0.95": [answer]}
    code, out, _, _ = ask(capsys, monkeypatch, answers, "predict", "--coverage", "0.95", str(file))
    assert code == 0
    assert out.splitlines()[3:6] == [
        "a.jpg: Birman, Ragdoll",
        "b.jpg: no breed is likely enough",
        "These sets hold the true breed in 95.0% of pictures of known breeds.",
    ]


def test_a_model_that_is_not_calibrated_says_so(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "a.jpg"
    file.write_bytes(b"...")
    answer = Answer({"model": {**MODEL, "calibrated": False}, "predictions": [sure("a.jpg")]})
    _, out, _, _ = ask(capsys, monkeypatch, {"POST /predict?model=production": [answer]}, "predict", str(file))
    assert "Its probabilities are not calibrated: the run left nothing to do it with." in out
