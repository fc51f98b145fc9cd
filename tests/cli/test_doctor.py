"""``pedigree doctor``: what it shows, and as what it ends."""

import json
from functools import cache
from pathlib import Path

import pytest

from cli.data_folder import DataFolder
from cli.doctor import EMBEDDED, look_at_learning, look_at_settings
from cli.stack import Stack
from tests.cli.service import Answer, free_port
from tests.cli.test_commands import ask, pedigree

learning = cache(look_at_learning)


@pytest.fixture(autouse=True)
def looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that imports torch is started by the first of these tests, and does for all."""
    monkeypatch.setattr("cli.doctor.look_at_learning", learning)


def test_doctor_hides_passwords_and_names_versions(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("PEDIGREE_URL", raising=False)
    monkeypatch.setenv("DATABASE_URL", "postgresql://me:s3cret@db.example.org/pedigree")
    code, out, err = pedigree(capsys, monkeypatch, "doctor", "--data", str(tmp_path), "--json")
    assert code == 1
    stores = json.loads(out)["database and store"]["fault"]
    assert err == f"pedigree: {stores} {json.loads(out)['service']['fault']}\n"
    assert "The database does not answer: " in stores
    assert f"no stack runs on {tmp_path}" in err
    assert "s3cret" not in out
    report = json.loads(out)
    assert report["settings"]["DATABASE_URL"].endswith("://me:***@db.example.org/pedigree")
    assert set(report["versions"]) >= {"pedigree", "python", "torch", "torchvision"}
    assert report["machine"]["torch and torchvision"] == "ok"


FINE = {"database": "ok", "broker": "ok", "artifacts": "ok"}


@pytest.mark.parametrize(
    ("answer", "code", "complaint"),
    [
        (Answer({"status": "ready", "parts": {**FINE, "model": "ok"}}), 0, ""),
        (
            Answer(
                {"parts": {**FINE, "model": "nothing yet"}, "code": "no_model", "detail": "model: nothing yet"}, 503
            ),
            0,
            "",
        ),
        (
            Answer({"parts": {**FINE, "broker": "away"}, "code": "unavailable", "detail": "broker: away"}, 503),
            1,
            "pedigree: The service is not ready: broker: away.\n",
        ),
        (Answer({"hello": "world"}), 1, "answered 200 with application/json, not with Pedigree's JSON."),
        (Answer("<html>", kind="text/html"), 1, "answered 200 with text/html, not with Pedigree's JSON."),
    ],
)
def test_doctor_ends_as_the_service_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, answer: Answer, code: int, complaint: str
) -> None:
    ended, out, err, service = ask(capsys, monkeypatch, {"GET /readyz": [answer]}, "doctor", "--json")
    assert ended == code
    assert complaint in err
    assert (err == "") == (code == 0)
    found = json.loads(out)["service"]
    assert ("fault" in found) == (code == 1)
    if "database" in found:
        assert found["address"] == service.url


@pytest.mark.thorough
def test_doctor_fails_where_nothing_answers(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    code, _, err = pedigree(capsys, monkeypatch, "doctor", "--url", url)
    assert (code, err) == (1, f"pedigree: Nothing answers at {url}. Start the service with `pedigree up`.\n")


@pytest.mark.thorough
def test_doctor_fails_on_a_setting_that_cannot_be_used(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ARTIFACTS_URL", "ftp://somewhere")
    code, _, err = pedigree(capsys, monkeypatch, "doctor", "--data", str(tmp_path))
    assert code == 1
    assert err.startswith("pedigree: ARTIFACTS_URL: ")


def test_what_is_set_but_empty_is_the_data_folders_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("DATABASE_URL", "ARTIFACTS_URL", "PEDIGREE_CACHE", "PEDIGREE_WEIGHTS", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.setenv(name, "")
    folder = DataFolder(tmp_path)
    shown, started = look_at_settings(folder), Stack(folder, print)._own_settings()
    for name, own in (("PEDIGREE_CACHE", tmp_path / "cache"), ("PEDIGREE_WEIGHTS", tmp_path / "weights")):
        assert (shown[name], started[name]) == (str(own), str(own))
    assert shown["ARTIFACTS_URL"] == started["ARTIFACTS_URL"] == (tmp_path / "artifacts").as_uri()
    assert shown["DATABASE_URL"] == EMBEDDED
    assert started["CUDA_VISIBLE_DEVICES"] == "", "to others an empty variable says something"
