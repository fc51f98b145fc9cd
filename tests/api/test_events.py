"""The event stream of a real server process."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from store.db.jobs import mark_published
from store.db.lanes import keep_worker
from store.db.models import Job
from store.lanes import Lane
from store.settings import Settings
from store.states import State
from tests.api.conftest import until
from tests.api.records import Records
from tests.conftest import environment_of
from tests.patience import PATIENCE_SECONDS

ROOT = Path(__file__).parents[2]
"""The server imports torch, which takes long on a busy machine."""


@dataclass
class Event:
    id: int
    event: str
    data: dict[str, object]


@dataclass
class Watcher:
    """Reads a stream in a thread of its own."""

    url: str
    headers: dict[str, str] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    waiting: list[dict[str, object]] = field(default_factory=list)
    ended: bool = False
    was_cut: bool = False
    content_type: str = ""

    def __post_init__(self) -> None:
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self) -> None:
        try:
            self._read()
        except httpx.RemoteProtocolError:
            self.was_cut = True

    def _read(self) -> None:
        with httpx.stream("GET", self.url, headers=self.headers, timeout=PATIENCE_SECONDS) as answer:
            self.content_type = answer.headers["content-type"]
            fields: dict[str, str] = {}
            for line in answer.iter_lines():
                if line:
                    name, _, value = line.partition(": ")
                    fields[name] = value
                elif "id" in fields:
                    self.events.append(Event(int(fields["id"]), fields["event"], json.loads(fields["data"])))
                    fields = {}
                elif fields.get("event") == "waiting":
                    self.waiting.append(json.loads(fields["data"]))
                    fields = {}
        self.ended = True


@contextmanager
def running(settings: Settings, tmp_path: Path) -> Iterator[str]:
    """A server process, stopped at the end as a supervisor would."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with (tmp_path / "api.log").open("wb") as log:
        command = [sys.executable, "-m", "api", "--port", str(port)]
        process = subprocess.Popen(command, cwd=ROOT, env=environment_of(settings), stdout=log, stderr=log)
    url = f"http://127.0.0.1:{port}"
    try:
        until(lambda: answers(port) or process.poll() is not None)
        assert process.poll() is None, (tmp_path / "api.log").read_text()
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        # uvicorn closes everything and then lets the signal do its own work.
        assert process.wait(PATIENCE_SECONDS) == -signal.SIGTERM


@pytest.fixture(scope="module")
def server(postgres_url: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("server")
    places = {"artifacts_url": (folder / "artifacts").as_uri(), "cache": folder / "cache"}
    settings = Settings.model_validate({"database_url": postgres_url, "redis_url": redis_url, **places})
    with running(settings, folder) as url:
        yield url


def answers(port: int) -> bool:
    """Whether there is somebody; a client of httpx for each look would take more time than the service's start."""
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except ConnectionRefusedError:
        return False
    return True


def _job(records: Records) -> Job:
    return records.run(records.dataset())[1]


def test_watchers_see_every_event_once_in_order_until_the_final_state(server: str, records: Records) -> None:
    job = _job(records)
    watchers = [Watcher(f"{server}/jobs/{job.id}/events") for _ in range(5)]
    until(lambda: all(watcher.events for watcher in watchers))
    records.move(job, State.RUNNING)
    ids = [records.event(job, "batch", {"step": step}) for step in range(20)]
    until(lambda: all(len(watcher.events) >= 22 for watcher in watchers))
    assert not any(watcher.ended for watcher in watchers)
    records.event(job, "log", {"message": "a line\nand another"})
    records.move(job, State.SUCCEEDED)
    until(lambda: all(watcher.ended for watcher in watchers))
    for watcher in watchers:
        assert watcher.content_type.startswith("text/event-stream")
        kinds = [event.event for event in watcher.events]
        assert kinds == ["state", "state", *["batch"] * 20, "log", "state"]
        assert [event.id for event in watcher.events][2:22] == ids
        assert [event.data["step"] for event in watcher.events[2:22]] == list(range(20))
        assert watcher.events[22].data["message"] == "a line\nand another"
        assert watcher.events[-1].data["state"] == "succeeded"


@pytest.mark.thorough
def test_a_reconnect_goes_on_after_the_last_event_without_loss(server: str, records: Records) -> None:
    job = _job(records)
    records.move(job, State.RUNNING)
    ids = [records.event(job, "batch", {"step": step}) for step in range(1200)]
    records.move(job, State.SUCCEEDED)
    url = f"{server}/jobs/{job.id}/events"
    whole = Watcher(url)
    resumed = Watcher(url, {"Last-Event-ID": str(ids[599])})
    after = Watcher(f"{url}?after={ids[1198]}")
    nothing = Watcher(url, {"Last-Event-ID": str(ids[-1] + 1)})
    elsewhere = [Watcher(url, {"Last-Event-ID": number}) for number in (str(ids[-1] + 2), "9" * 100)]
    until(lambda: all(one.ended for one in (whole, resumed, after, nothing, *elsewhere)))
    assert [event.id for event in whole.events[2:-1]] == ids
    assert [event.id for event in resumed.events[:-1]] == ids[600:]
    assert [event.event for event in after.events] == ["batch", "state"]
    assert nothing.events == []
    for watcher in elsewhere:  # a folder that was begun anew counts from 1 again
        assert [event.id for event in watcher.events] == [event.id for event in whole.events]


@pytest.mark.thorough
def test_a_queued_jobs_watchers_are_told_what_it_waits_for_and_when_that_changes(server: str, records: Records) -> None:
    dataset = records.dataset()
    _, first = records.run(dataset)
    with records.sessions.begin() as session:
        mark_published(session, first.id)
        keep_worker(session, "a worker", {Lane.TRAIN}, 600)
    records.move(first, State.RUNNING)
    _, job = records.run(dataset)
    with records.sessions.begin() as session:
        mark_published(session, job.id)
    watcher = Watcher(f"{server}/jobs/{job.id}/events")
    until(lambda: len(watcher.waiting) == 1)
    assert watcher.waiting[0] == httpx.get(f"{server}/jobs/{job.id}").json()["waiting"]
    assert watcher.waiting[0]["behind"] == {
        "job": first.id,
        "kind": "train",
        "run": first.run_id,
        "state": "running",
        "eta_seconds": None,
    }
    records.move(first, State.SUCCEEDED)
    until(lambda: len(watcher.waiting) == 2)
    assert (watcher.waiting[1]["reason"], watcher.waiting[1]["behind"]) == ("starting", None)
    # Its worker is lost: what it waits for then is news, also where it is the same.
    records.move(job, State.RUNNING, State.QUEUED)
    until(lambda: len(watcher.waiting) == 3)
    assert watcher.waiting[2]["reason"] == watcher.waiting[1]["reason"]
    records.move(job, State.RUNNING, State.SUCCEEDED)
    until(lambda: watcher.ended)
    assert [event.event for event in watcher.events] == ["state"] * 5
    assert len(watcher.waiting) == 3


def test_an_unknown_job_is_404_before_the_stream_begins(server: str) -> None:
    for path in ("/jobs/77/events", "/jobs/77/events?after=-1", "/jobs/x/events", "/jobs/99999999999/events"):
        answer = httpx.get(server + path)
        assert answer.status_code in {404, 422}
        assert answer.headers["content-type"] == "application/problem+json"


def test_one_stream_tells_of_every_job_from_now_on(server: str, records: Records) -> None:
    dataset = records.dataset()
    jobs = [records.run(dataset)[1] for _ in range(2)]
    watcher = Watcher(f"{server}/events")
    until(lambda: bool(watcher.events))
    records.move(jobs[0], State.RUNNING)
    ids = [records.event(jobs[step % 2], "batch", {"step": step}) for step in range(20)]
    late = records.run(dataset)[1]
    until(lambda: len(watcher.events) >= 23)
    assert watcher.content_type.startswith("text/event-stream")
    start, claimed, *batches, queued = watcher.events
    assert (start.event, start.data) == ("start", {})
    assert claimed.data == {"job": jobs[0].id, "data": {"state": "running", "attempt": 1}}
    assert [event.id for event in batches] == ids
    assert [event.data for event in batches] == [
        {"job": jobs[step % 2].id, "data": {"step": step}} for step in range(20)
    ]
    assert queued.data["job"] == late.id
    # It goes on where another left, and from now on where that cannot be.
    for one in (
        Watcher(f"{server}/events?after={ids[16]}"),
        Watcher(f"{server}/events?after=1", {"Last-Event-ID": str(ids[16])}),
    ):
        until(lambda one=one: len(one.events) >= 5)  # type: ignore[misc]
        assert [event.id for event in one.events] == [ids[16], *ids[17:], queued.id]
    for foreign in ("9" * 100, str(queued.id + 1), "-1", "x"):
        elsewhere = Watcher(f"{server}/events", {"Last-Event-ID": foreign})
        until(lambda elsewhere=elsewhere: bool(elsewhere.events))  # type: ignore[misc]
        assert elsewhere.events[0].id == queued.id


@pytest.mark.parametrize("after", ["-1", "x", "99999999999"])
def test_a_stream_of_all_begins_at_no_event_that_cannot_be(server: str, after: str) -> None:
    answer = httpx.get(f"{server}/events?after={after}")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


def test_watchers_that_leave_are_let_go(server: str, records: Records) -> None:
    job = _job(records)
    for _ in range(50):
        with httpx.stream("GET", f"{server}/jobs/{job.id}/events") as answer:
            next(answer.iter_lines())
    # More streams than there are threads and connections: the abandoned ones hold none.
    watcher = Watcher(f"{server}/jobs/{job.id}/events")
    until(lambda: bool(watcher.events))
    assert httpx.post(f"{server}/jobs/{job.id}/cancel").status_code == 202
    until(lambda: watcher.ended)


@pytest.mark.thorough
def test_a_stop_does_not_wait_for_watchers(settings: Settings, records: Records, tmp_path: Path) -> None:
    job = _job(records)
    with running(settings, tmp_path) as server:
        watcher = Watcher(f"{server}/jobs/{job.id}/events")
        until(lambda: bool(watcher.events))
    until(lambda: watcher.was_cut)


def test_the_server_says_in_one_line_what_setting_is_missing() -> None:
    environment = {name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "REDIS_URL"}}
    done = subprocess.run(
        [sys.executable, "-m", "api"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("settings_invalid: ")
    assert len(done.stderr.splitlines()) == 1
