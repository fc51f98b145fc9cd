"""``pedigree doctor``: what it shows, and as what it ends."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cli.data_folder import DataFolder
from cli.doctor import (
    EMBEDDED,
    GIB,
    look_at_disk,
    look_at_learning,
    look_at_settings,
    look_at_stores,
    look_at_weights,
)
from cli.identity_provider import look_at_provider
from cli.stack import Stack
from store.settings import Settings
from tests.cli.service import Answer, free_port
from tests.cli.test_commands import ask, pedigree
from tests.identity_provider import providing

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


@pytest.mark.parametrize(
    ("gib", "said", "fault"),
    [
        (9.0, "9.0 GiB at ", None),
        (3.0, "; less than 5 GiB is little", None),
        (0.1, "is little", "0.10 GiB are free at"),
    ],
)
def test_little_room_is_said_and_too_little_is_a_fault(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, gib: float, said: str, fault: str | None
) -> None:
    looked: list[Path] = []

    def disk_usage(place: Path) -> SimpleNamespace:
        looked.append(place)
        return SimpleNamespace(free=int(gib * GIB))

    monkeypatch.setattr("cli.doctor.shutil.disk_usage", disk_usage)
    found = look_at_disk(DataFolder(tmp_path / "not" / "there"))
    assert looked == [tmp_path], "where the folder would be made"
    assert said in found["free disk"]
    assert ("is little" in found["free disk"]) == (gib < 5)
    assert (fault in found["fault"]) if fault is not None else "fault" not in found


def test_weights_are_named_and_many_are_counted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("PEDIGREE_WEIGHTS", raising=False)
    folder = DataFolder(tmp_path)
    assert look_at_weights(folder)["files"] == "none yet; `pedigree weights fetch mobilenet_v2` gets some"
    folder.weights.mkdir()
    for name in ("b.pth", "a.safetensors", "notes.txt"):
        (folder.weights / name).touch()
    assert look_at_weights(folder) == {"folder": str(folder.weights), "files": "a.safetensors, b.pth"}
    for number in range(9):
        (folder.weights / f"c{number}.pth").touch()
    assert look_at_weights(folder)["files"].endswith(", c5.pth and 3 more")
    monkeypatch.setenv("PEDIGREE_WEIGHTS", str(tmp_path / "elsewhere"))
    assert look_at_weights(folder)["files"].startswith("none yet")


def test_a_database_that_is_this_machines_is_looked_at_and_no_other(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    told = {"found": {"clock": "as this machine's"}, "faults": ["One.", "Two."], "needed_bytes": GIB}
    asked: list[list[str]] = []

    def run_backup(words: list[str], environment: Mapping[str, str]) -> dict[str, Any]:
        assert environment["DATABASE_URL"].endswith("//here/pedigree")
        asked.append(words)
        return told

    monkeypatch.setattr("cli.doctor.run_backup", run_backup)
    monkeypatch.setattr("cli.doctor.shutil.disk_usage", lambda _: SimpleNamespace(free=9 * GIB))
    for name in ("DATABASE_URL", "PEDIGREE_URL"):
        monkeypatch.delenv(name, raising=False)
    folder = DataFolder(tmp_path)
    assert list(look_at_stores(folder, None, None)) == ["state"], "nothing runs there"
    monkeypatch.setenv("DATABASE_URL", "postgresql://here/pedigree")
    monkeypatch.setenv("ARTIFACTS_URL", tmp_path.as_uri())
    assert list(look_at_stores(folder, None, "http://elsewhere")) == ["state"]
    assert asked == []
    found = look_at_stores(folder, None, None)
    assert asked == [["examine"]]
    assert found == {
        "clock": "as this machine's",
        "a backup": "takes about 1.0 GiB; 9.0 GiB are free here",
        "fault": "One. Two.",
    }
    told |= {"found": {"clock": "as this machine's"}, "faults": [], "needed_bytes": None}
    assert look_at_stores(folder, None, None) == {"clock": "as this machine's"}


@pytest.mark.parametrize(
    ("probe", "why"),
    [
        ("raise ImportError('no torch here')", "ImportError: no torch here"),
        ("raise SystemExit(3)", "no reason given"),
    ],
)
def test_a_learning_stack_that_cannot_be_imported_is_a_fault(
    monkeypatch: pytest.MonkeyPatch, probe: str, why: str
) -> None:
    monkeypatch.setattr("cli.doctor.PROBE", probe)
    found = look_at_learning()
    assert (found["versions"], found["device"]) == ({}, "unknown")
    assert found["fault"] == f"the learning stack cannot be imported: {why}"


def test_the_doctor_says_whether_the_identity_provider_answers(settings_of_session: Settings) -> None:
    with providing() as provider:
        told = {
            "public_url": "http://localhost",
            "oidc_issuer": provider.url,
            "oidc_client_id": "pedigree",
            "oidc_admin_groups": "keepers",
        }
        settings = settings_of_session.model_copy(update=told)
        assert look_at_provider(settings)["state"] == "ok"
        provider.described = {"issuer": "http://another"}
        assert "calls itself 'http://another'" in look_at_provider(settings)["fault"]
        provider.described = {"token_endpoint": "https://evil.example/"}
        assert "its token_endpoint is on evil.example" in look_at_provider(settings)["fault"]
        elsewhere = settings.model_copy(update={"oidc_issuer": f"{provider.url}/realms/none"})
        assert "answers 404: look at PEDIGREE_OIDC_ISSUER" in look_at_provider(elsewhere)["fault"]
    assert "does not answer (ConnectError)" in look_at_provider(settings)["fault"]
    assert look_at_provider(settings_of_session) == {}
    nonsense = look_at_provider(settings.model_copy(update={"public_url": ""}))
    assert nonsense["fault"].startswith("PEDIGREE_PUBLIC_URL: it is not set")
