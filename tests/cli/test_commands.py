import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cli.main import main
from cli.settings import read_settings
from tests.cli.service import Answer, Service, free_port, serving

JOB = {
    "id": 4,
    "kind": "train",
    "run": 2,
    "state": "running",
    "owner": "local",
    "attempt": 1,
    "progress": {"stage": "train", "step": 10, "steps": 40, "eta_seconds": 75.0},
    "error": None,
    "created_at": "2026-01-01T00:00:00Z",
    "started_at": None,
    "finished_at": None,
}


def pedigree(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *words: str) -> tuple[int, str, str]:
    """Run the command here; exit code, what it printed, what it complained of."""
    monkeypatch.setattr(sys, "argv", ["pedigree", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    printed = capsys.readouterr()
    return int(ended.value.code or 0), printed.out, printed.err


def ask(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, answers: dict[str, list[Answer]], *words: str
) -> tuple[int, str, str, Service]:
    """The same, against a service of fixed answers."""
    with serving(answers) as service:
        monkeypatch.setenv("PEDIGREE_URL", service.url)
        return *pedigree(capsys, monkeypatch, *words), service


def test_settings_are_json_where_they_can_be_and_nest_by_dots() -> None:
    written = ("size=160", "arch=resnet18", "augment.flip=false", "augment.max_rotate=5", "lr_max=[1e-6, 1e-4]")
    assert read_settings(written) == {
        "size": 160,
        "arch": "resnet18",
        "augment": {"flip": False, "max_rotate": 5},
        "lr_max": [1e-6, 1e-4],
    }


@pytest.mark.parametrize("first", ["1", "[1]", "wide", "null"])
def test_a_setting_of_what_has_no_fields_is_refused_in_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, first: str
) -> None:
    words = ("train", "--dataset", "pets", "--set", f"augment={first}", "--set", "augment.flip=false")
    code, _, err, service = ask(capsys, monkeypatch, {}, *words)
    value = '"wide"' if first == "wide" else first
    line = f"pedigree: --set augment.flip=false: it names a field of augment, which is set to {value}.\n"
    assert (code, err, service.asked) == (1, line, [])


def test_a_training_is_asked_for_in_the_contracts_words(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PEDIGREE_KEY", "k1")
    words = (
        "train",
        "--dataset",
        "pets",
        "--arch",
        "resnet18",
        "--epochs",
        "3",
        "--set",
        "size=160",
        "--from-run",
        "7",
    )
    code, out, _, service = ask(capsys, monkeypatch, {"POST /jobs": [Answer(JOB, 202)]}, *words)
    assert (code, out) == (0, "job 4, run 2: running\n")
    asked, headers, body = service.asked[0]
    assert asked == "POST /jobs"
    assert headers["Authorization"] == "Bearer k1"
    assert json.loads(body) == {
        "kind": "train",
        "dataset": "pets",
        "config": {"arch": "resnet18", "epochs": 3, "size": 160},
        "from_run": 7,
        "name": None,
    }


def test_a_problem_is_one_line_with_its_hint(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    problem: dict[str, Any] = {
        "detail": "there is no dataset 'cats'",
        "code": "not_found",
        "hint": "Name one of the datasets on record.",
    }
    problem |= {"request": {"method": "GET", "path": "/datasets"}}
    code, out, err, _ = ask(
        capsys, monkeypatch, {"GET /datasets/cats": [Answer(problem, 404)]}, "datasets", "show", "cats"
    )
    assert (code, out) == (1, "")
    assert (
        err == "pedigree: there is no dataset 'cats'. Name one of the datasets on record: `pedigree datasets list`.\n"
    )


def test_every_wrong_field_is_named_with_what_to_change(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = [
        {"field": "body.config.batch_size", "detail": "it is below 2", "hint": "Give 2 or more.", "value": "0"},
        {"field": "body.config.phases", "detail": "it is missing", "hint": "Add it."},
    ]
    answers = {"POST /jobs": [Answer({**faults[0], "errors": faults}, 422)]}
    code, _, err, _ = ask(capsys, monkeypatch, answers, "train", "--dataset", "x", "--set", "batch_size=0")
    assert code == 1
    first = "--set batch_size is 0: it is below 2. Give 2 or more."
    assert err == f"pedigree: {first} --set phases: it is missing. Add it.\n"


@pytest.mark.parametrize("body", ["<html>502</html>", '["a list"]'])
def test_an_answer_that_is_no_problem_document_is_still_a_sentence(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, body: str
) -> None:
    code, _, err, service = ask(capsys, monkeypatch, {"GET /jobs/1": [Answer(body, 502)]}, "jobs", "show", "1")
    assert (code, err) == (1, f"pedigree: {service.url}/jobs/1 answered 502 Bad Gateway.\n")


def test_json_is_the_services_own(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    _, out, _, _ = ask(capsys, monkeypatch, {"GET /jobs/4": [Answer(JOB)]}, "jobs", "show", "4", "--json")
    assert json.loads(out) == JOB


def test_a_list_goes_over_its_pages(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {
        "GET /jobs?limit=200": [Answer({"items": [JOB], "next_cursor": "c2"})],
        "GET /jobs?limit=200&cursor=c2": [Answer({"items": [{**JOB, "id": 3}], "next_cursor": None})],
    }
    code, out, _, _ = ask(capsys, monkeypatch, answers, "jobs", "list", "--limit", "300")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == ["job", "4", "3"]
    assert "train 10/40, 1 min 15 s left" in out


def test_the_time_left_of_a_stage_is_not_said_to_be_the_jobs(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    presizing = {"stage": "presize", "step": 2893, "steps": 3389, "eta_seconds": None, "stage_eta_seconds": 1.0}
    stream = f"id: 1\nevent: progress\ndata: {json.dumps(presizing)}\n\n"
    answers = {
        "GET /jobs/4/events": [Answer(stream, kind="text/event-stream")],
        "GET /jobs/4": [Answer({**JOB, "state": "succeeded"})],
        "GET /jobs?limit=20": [Answer({"items": [{**JOB, "progress": presizing}], "next_cursor": None})],
    }
    _, watched, _, _ = ask(capsys, monkeypatch, answers, "jobs", "watch", "4")
    assert watched.splitlines()[0] == "presize  2893/3389  1 s left of this stage"
    _, listed, _, _ = ask(capsys, monkeypatch, answers, "jobs", "list")
    assert "presize 2893/3389, 1 s left of this stage" in listed


def test_a_watched_job_that_fails_ends_with_its_reason(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    error = {"code": "loss_diverged", "detail": "the loss is NaN at step 3", "hint": "Lower the rate."}
    failed: dict[str, Any] = {**JOB, "state": "failed", "error": error}
    epoch = {"phase": 0, "epoch": 0, "train_loss": 1.5, "valid_loss": 1.25, "error_rate": 0.5, "seconds": 65}
    stream = f"id: 1\nevent: epoch\ndata: {json.dumps({**epoch, 'images_per_second': 120.4})}\n\n"
    answers = {"GET /jobs/4/events": [Answer(stream, kind="text/event-stream")], "GET /jobs/4": [Answer(failed)]}
    code, out, err, _ = ask(capsys, monkeypatch, answers, "jobs", "watch", "4")
    assert (code, err) == (1, "pedigree: Job 4 failed: the loss is NaN at step 3. Lower the rate.\n")
    assert out.splitlines()[1].split() == ["1.1", "1.5000", "1.2500", "0.5000", "120", "1", "min", "5", "s"]


def test_broken_pictures_are_shown_and_make_the_command_fail(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    files = [tmp_path / name for name in ("a.jpg", "b.jpg")]
    for file in files:
        file.write_bytes(b"...")
    top = [{"breed": "Birman", "probability": 0.9}, {"breed": "Ragdoll", "probability": 0.06}]
    answer = {
        "model": {"version": 1, "run": 2, "arch": "resnet18", "drawn": True, "calibrated": True},
        "predictions": [
            {"filename": "a.jpg", "breed": "Birman", "species": "cat", "probability": 0.9, "sure": True, "top": top},
            {"filename": "b.jpg", "error": {"code": "not_an_image", "detail": "not a picture"}},
        ],
    }
    answers = {"POST /predict?model=production": [Answer(answer)]}
    code, out, err, _ = ask(capsys, monkeypatch, answers, "predict", *map(str, files))
    assert (code, err) == (1, "pedigree: 1 of 2 files could not be used.\n")
    assert "Birman" in out
    assert "Ragdoll 6.0%" in out
    assert "! b.jpg: not a picture" in out.splitlines()
    assert "learned from drawn pictures" in out


def test_a_folder_is_sent_as_a_form_whose_length_is_known(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "pug_1.jpg").write_bytes(b"picture")
    words = ("datasets", "add", "mine", str(tmp_path), "--by-folder", "--no-wait")
    answers = {"POST /datasets": [Answer({**JOB, "kind": "import"}, 202)]}
    code, out, _, service = ask(capsys, monkeypatch, answers, *words)
    assert (code, out) == (0, "job 4 brings it in; `pedigree jobs watch 4` shows it\n")
    _, headers, body = service.asked[0]
    assert int(headers["Content-Length"]) == len(body)
    assert b'name="by_folder"\r\n\r\ntrue\r\n' in body
    assert f'name="archive"; filename="{tmp_path.name}.tar"'.encode() in body


def test_a_list_of_labels_goes_before_the_archive_and_what_else_was_asked_for_with_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "pets").mkdir()
    (tmp_path / "pets/pug_1.jpg").write_bytes(b"picture")
    listed = tmp_path / "l.csv"
    listed.write_bytes(b"pug_1.jpg;L\xf6wchen")
    words = ("datasets", "add", "mine", str(tmp_path / "pets"), "--labels", str(listed), "--merge-labels", "--no-wait")
    answers = {"POST /datasets": [Answer({**JOB, "kind": "import"}, 202)]}
    code, _, _, service = ask(capsys, monkeypatch, answers, *words, "--encoding", "cp1252", "--label-from", "csv")
    assert code == 0
    _, headers, body = service.asked[0]
    assert int(headers["Content-Length"]) == len(body)
    assert b'name="labels"; filename="labels.csv"\r\nContent-Type: text/csv\r\n\r\npug_1.jpg;L\xf6wchen\r\n--' in body
    for name, value in (("merge_labels", "true"), ("encoding", "cp1252"), ("label_from", "csv")):
        assert f'name="{name}"\r\n\r\n{value}\r\n'.encode() in body


def test_a_folder_of_hidden_files_is_called_that(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".data").mkdir()
    (tmp_path / ".data/pug_1.jpg").write_bytes(b"picture")
    code, _, said, _ = ask(capsys, monkeypatch, {}, "datasets", "add", "mine", str(tmp_path))
    assert code == 1
    assert "no files in it but hidden ones (.data)" in said


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("datasets", "add", "x", ".", "--labels", "pyproject.toml", "--by-folder"), "exclude each other"),
        (("datasets", "add", "x", ".", "--labels", "pyproject.toml", "--regex", "(a)"), "exclude each other"),
        (("datasets", "add", "x", ".", "--label-from", "path", "--by-folder"), "exclude each other"),
        (("datasets", "add", "cats"), "only sample and oxford-iiit-pet come without one"),
        (("datasets", "add", "x", ".", "--regex", "(a)", "--by-folder"), "exclude each other"),
        (("train", "--dataset", "x", "--set", "size"), "write it as key=value"),
        (("models", "alias", "production"), "Give a version"),
    ],
)
def test_wrong_words_are_answered_without_a_request(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], sentence: str
) -> None:
    code, _, err, service = ask(capsys, monkeypatch, {}, *words)
    assert code == 1
    assert sentence in err
    assert service.asked == []


def test_no_service_at_all_is_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("PEDIGREE_URL", raising=False)
    code, _, err = pedigree(capsys, monkeypatch, "jobs", "list", "--data", str(tmp_path))
    assert code == 1
    assert err.startswith(f"pedigree: No service is known: no stack runs on {tmp_path}")
    nobody = f"http://127.0.0.1:{free_port()}"
    code, _, err = pedigree(capsys, monkeypatch, "jobs", "list", "--url", nobody)
    assert (code, err) == (1, f"pedigree: Nothing answers at {nobody}. Start the service with `pedigree up`.\n")


def test_unknown_words_are_answered_with_the_usage(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, _, err = pedigree(capsys, monkeypatch, "jobs", "list", "--nonsense")
    assert code == 2
    assert "No such option" in err


def test_a_reader_that_goes_away_is_no_error() -> None:
    command = f"{sys.executable} -m cli.main --help | head -1"
    ended = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False)  # noqa: S607
    assert (ended.returncode, ended.stderr) == (0, "")


def test_limits_say_what_is_taken_of_how_much(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    told = {
        "owner": "alice",
        "requests": {"counted_by": "key", "most": 120, "left": 118},
        "jobs": {"most": 3, "queued": 1, "running": 2},
        "bytes": {"most": 2**30, "datasets": 3 * 2**20, "uploads": 2**19},
    }
    _, said, _, _ = ask(capsys, monkeypatch, {"GET /limits": [Answer(told)]}, "limits")
    assert [" ".join(line.split()) for line in said.splitlines()] == [
        "owner alice",
        "requests 118 of 120 a minute left, by the key",
        "jobs 1 queued and 2 running of 3",
        "stored 3.5 MiB of 1.0 GiB, 0.5 MiB of it uploads",
    ]
    _, uncounted, _, _ = ask(capsys, monkeypatch, {"GET /limits": [Answer({**told, "requests": None})]}, "limits")
    assert "requests not counted" in [" ".join(line.split()) for line in uncounted.splitlines()]
    _, as_json, _, _ = ask(capsys, monkeypatch, {"GET /limits": [Answer(told)]}, "limits", "--json")
    assert json.loads(as_json) == told
