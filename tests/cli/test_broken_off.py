"""Ctrl-C while pictures are sent, a forecast is waited for, or the service has not answered yet."""

import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from cli import forecast, patience, upload
from cli.client import Client, Unreachable
from cli.errors import CommandError
from tests.cli.service import Answer, serving
from tests.cli.terminal import CTRL_C, DEADLINE_SECONDS, terminal, usual
from tests.cli.test_commands import pedigree
from tests.cli.test_up import COMMAND
from tests.interrupts import let_commands_hear_interrupts

Capture = pytest.CaptureFixture[str]
Patch = pytest.MonkeyPatch
MIB = 1 << 20


@contextmanager
def listening(*, reads: bool) -> Iterator[str]:
    """A service that takes a connection, reads from it or not, and never answers."""
    over = Event()

    def serve() -> None:
        taken, _ = listener.accept()
        with taken:
            while reads and taken.recv(MIB):
                continue
            over.wait()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(DEADLINE_SECONDS)
        thread = Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            over.set()
            thread.join()


@pytest.mark.parametrize(
    ("reads", "shown_before", "said"),
    [
        (
            False,
            r"sending \d+ of 64 MiB",
            "Broken off while sending; nothing was added. The same command starts again from the beginning.",
        ),
        (
            True,
            "sending 64 of 64 MiB; the service looks at it",
            "Broken off before the service had answered; `pedigree jobs list --kind import --url {url}` shows",
        ),
    ],
)
def test_an_upload_that_is_broken_off_says_what_the_service_has(
    tmp_path: Path, *, reads: bool, shown_before: str, said: str
) -> None:
    archive = tmp_path / "pets.zip"
    with archive.open("wb") as file:
        file.truncate(64 * MIB)
    with (
        listening(reads=reads) as url,
        terminal("datasets", "add", "pets", str(archive), "--url", url, environment=usual()) as shown,
    ):
        shown.until(lambda: re.fullmatch(shown_before, shown.lines[-1] if shown.lines else "") is not None)
        shown.press(CTRL_C)
        assert shown.ended() == 130
        assert shown.has(f"pedigree: {said.format(url=url)}")
        assert "MiB" not in shown.text


def test_a_forecast_that_is_waited_for_is_told_of() -> None:
    words = ("train", "--dataset", "pets", "--dry-run")
    with (
        listening(reads=True) as url,
        terminal(*words, "--url", url, environment=usual()) as shown,
    ):
        shown.shows("waiting for the forecast (a worker may have to time a few steps first)  2 s")
        shown.press(CTRL_C)
        assert shown.ended() == 130
        assert shown.lines == ["pedigree: The forecast was given up; nothing was queued."]
    with listening(reads=True) as url:
        piped = subprocess.Popen([*COMMAND, *words, "--url", url], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        with piped:
            assert piped.stderr is not None
            line = piped.stderr.readline()
            piped.send_signal(signal.SIGINT)
            out, rest = piped.communicate()
        assert line == b"waiting for the forecast (a worker may have to time a few steps first)\n"
        said = b"pedigree: The forecast was given up; nothing was queued."
        assert (piped.returncode, out, rest.strip()) == (130, b"", said)


def test_a_measurement_that_is_not_waited_for_any_more_is_cancelled() -> None:
    job = {"id": 4, "kind": "forecast", "state": "queued", "forecast": None, "error": None}
    behind = {"job": 5, "kind": "train", "run": 3, "state": "running", "eta_seconds": 780}
    waiting = {"lane": "train", "reason": "busy", "ahead": 0, "behind": behind}
    answers = {
        "POST /jobs?dry_run=true": [Answer({"config": {}, "forecast": None, "forecast_reason": "nothing is known"})],
        "POST /jobs": [Answer(job, 202)],
        "GET /jobs/4/events": [Answer(f"event: waiting\ndata: {json.dumps(waiting)}\n\n", kind="text/event-stream")],
        "GET /jobs/4": [Answer(job)],
        "POST /jobs/4/cancel": [Answer(job, 202)],
    }
    words = ("train", "--dataset", "pets", "--dry-run")
    with serving(answers) as service, terminal(*words, "--url", service.url, environment=usual()) as shown:
        shown.shows("forecast queued behind job 5 (train, run 3), about 13 min 0 s left")
        shown.press(CTRL_C)
        assert shown.ended() == 130
        assert shown.has("pedigree: The forecast was given up; job 4, which measures for it, is cancelled.")
    # A request that was broken off may reach the service after that.
    assert "POST /jobs/4/cancel" in [asked for asked, *_ in service.asked]


@pytest.mark.parametrize(
    ("fails_on", "said"),
    [
        (
            "/jobs",
            "The forecast was given up; `pedigree jobs list --kind forecast` shows whether a job measures for it.",
        ),
        (
            "/jobs/4/cancel",
            "The forecast was given up; job 4, which measures for it, may go on, as the service does not",
        ),
    ],
)
def test_a_measurement_that_may_go_on_is_told(capsys: Capture, monkeypatch: Patch, fails_on: str, said: str) -> None:
    def asked(_: Client, path: str, *__: object, **options: object) -> dict[str, Any]:
        if options:
            return {"config": {}, "forecast": None, "forecast_reason": "nothing is known"}
        if path == fails_on:
            raise KeyboardInterrupt if path == "/jobs" else Unreachable("Nothing answers.")
        return {"id": 4}

    def left(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Client, "post", asked)
    monkeypatch.setattr(forecast, "follow", left)
    monkeypatch.setenv("PEDIGREE_URL", "http://127.0.0.1:1")
    code, _, err = pedigree(capsys, monkeypatch, "train", "--dataset", "pets", "--dry-run")
    assert code == 130
    assert err.startswith(f"pedigree: {said}")


def test_what_a_shells_background_job_ignores_the_commands_that_it_starts_hear() -> None:
    asked = [
        sys.executable,
        "-c",
        "import signal; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)",
    ]
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        let_commands_hear_interrupts()
        assert subprocess.run(asked, capture_output=True, check=True).stdout == b"True\n"
    finally:
        signal.signal(signal.SIGINT, before)


def broken_off(method: str, *_: object, **__: object) -> None:
    """A request that the user does not wait for; what is only asked is answered."""
    if method != "GET":
        raise KeyboardInterrupt


@pytest.mark.parametrize(
    "words",
    [
        ("train", "--dataset", "pets", "--follow"),
        ("jobs", "train", "--dataset", "pets"),
        ("jobs", "lr-find", "pets"),
        ("jobs", "resume", "4"),
        ("search", "pets", "--vary", "size=128,160"),
        ("runs", "interpret", "3"),
        ("predict", "--dataset", "pets"),
        ("datasets", "add", "sample"),
        ("datasets", "learn-from-feedback", "pets"),
        ("models", "add-breeds", "4", "pets"),
        ("review", "apply", "pets", "CHANGES"),
    ],
)
def test_what_may_have_been_queued_is_told(
    capsys: Capture, monkeypatch: Patch, tmp_path: Path, words: tuple[str, ...]
) -> None:
    monkeypatch.setattr(Client, "call", lambda _, *asked, **options: broken_off(*asked, **options))
    changes = tmp_path / "changes.csv"
    changes.write_text("item,action,revision\n1,drop,abc\n")
    given = [str(changes) if word == "CHANGES" else word for word in words]
    code, out, err = pedigree(capsys, monkeypatch, *given, "--url", "http://127.0.0.1:1")
    shows = "`pedigree jobs list --url http://127.0.0.1:1` shows it."
    said = f"Broken off before the service had answered; the job may have been queued all the same: {shows}"
    assert (code, out, err) == (130, "", f"pedigree: {said}\n")


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("register", "3"), "whether the run is a version now"),
        (("register", "3", "--alias", "production"), "what production stands for now"),
        (("alias", "best", "4"), "what best stands for now"),
        (("rollback",), "what production stands for now"),
        (("canary", "production", "--promote"), "what production stands for now"),
    ],
)
def test_what_may_have_been_moved_is_told(
    capsys: Capture, monkeypatch: Patch, words: tuple[str, ...], what: str
) -> None:
    monkeypatch.setattr(Client, "call", lambda _, *asked, **options: broken_off(*asked, **options))
    monkeypatch.setenv("PEDIGREE_URL", "http://127.0.0.1:1")
    said = f"Broken off before the service had answered; `pedigree models list` shows {what}."
    assert pedigree(capsys, monkeypatch, "models", *words) == (130, "", f"pedigree: {said}\n")


def test_a_service_that_takes_its_time_to_move_an_alias_is_told_of(capsys: Capture, monkeypatch: Patch) -> None:
    def late(*_: object, **__: object) -> None:
        said = capsys.readouterr().err
        while not said:
            said = capsys.readouterr().err
        raise CommandError(said)

    monkeypatch.setattr(patience, "PATIENCE_SECONDS", 0.0)
    monkeypatch.setattr(Client, "call", late)
    words = ("models", "register", "3", "--alias", "production", "--url", "http://127.0.0.1:1")
    code, _, err = pedigree(capsys, monkeypatch, *words)
    assert (code, err) == (1, "pedigree: the service measures the model, and loads it\n")


@pytest.mark.parametrize(
    ("is_done", "said"),
    [
        (False, "Broken off while sending; nothing was queued. The same command starts again from the beginning."),
        (True, "`pedigree jobs list --kind predict --url http://127.0.0.1:1` shows whether it answers for them."),
    ],
)
def test_a_folder_that_is_broken_off_on_its_way_says_what_the_service_has(
    capsys: Capture, monkeypatch: Patch, tmp_path: Path, *, is_done: bool, said: str
) -> None:
    def sends(*asked: Any, **_: object) -> None:  # noqa: ANN401 - as send_archive
        asked[3](MIB if is_done else 1, MIB)
        raise KeyboardInterrupt

    monkeypatch.setattr(upload, "send_archive", sends)
    code, _, err = pedigree(capsys, monkeypatch, "predict", str(tmp_path), "--url", "http://127.0.0.1:1")
    assert code == 130
    assert said in err
