"""Waiting for a run: over a stream that breaks, without one, and broken off."""

import asyncio
from collections.abc import Iterator
from threading import Thread
from typing import Any

import httpx
import pytest

from pedigree import AsyncClient, Client, JobFailed, PedigreeError
from pedigree.errors import GaveUp
from pedigree.events import LAST_TRIES, Event, EventReader, Following
from pedigree.live import MOST_POINTS, Live
from pedigree.run import follow
from store.db.models import Job
from tests.api.records import Records
from tests.cli.live_api import LiveApi, Worker

NOW = "2026-01-01T00:00:00Z"
JOB: dict[str, Any] = {
    "id": 5,
    "kind": "train",
    "lane": "train",
    "resumable": False,
    "run": None,
    "config": None,
    "attempt": 1,
    "error": None,
    "waiting": None,
    "progress": None,
    "forecast": None,
    "answers": None,
    "study": None,
    "pruned": None,
    "dataset": None,
    "created_at": NOW,
    "started_at": NOW,
    "finished_at": None,
    "owner": "local",
    "request_id": None,
}


def at_once(function: Any, *words: Any) -> Thread:  # noqa: ANN401 - any
    thread = Thread(target=function, args=words)
    thread.start()
    return thread


@pytest.fixture
def job(records: Records) -> Job:
    _, job = records.run(records.dataset())
    return job


def events_of(client: Client, job: Job, worker: Worker) -> list[Event]:
    """All that is heard of a job whose worker does the usual things."""
    heard = []
    for event in follow(client, job.id):
        heard.append(event)
        if len(heard) == 1:
            worker.starts()
            worker.epoch(0, 0, 0.5)
            worker.ends()
    return heard


def test_a_run_is_followed_to_its_end(client: Client, records: Records, job: Job) -> None:
    heard = events_of(client, job, Worker(records, job))
    assert [event.data["error_rate"] for event in heard if event.name == "epoch"] == [0.5]
    assert heard[-1].data["state"] == "succeeded"


def test_a_service_that_goes_and_comes_back_is_followed_on_and_nothing_is_told_twice(
    client: Client, records: Records, job: Job, api: LiveApi
) -> None:
    worker = Worker(records, job)
    worker.starts()
    worker.epoch(0, 0, 0.5)
    epochs = []
    for event in follow(client, job.id):
        if event.name != "epoch":
            continue
        epochs.append(event.data["epoch"])
        if len(epochs) == 1:
            api.go()
            worker.epoch(0, 1, 0.25)
            worker.ends()
            at_once(api.come).join()
    assert epochs == [0, 1]


def stub(answers: Iterator[httpx.Response], asked: list[str]) -> httpx.MockTransport:
    """A service that has no streams."""

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        if request.url.path.endswith("/events"):
            return httpx.Response(429, json={"code": "too_many_streams", "detail": "all places are taken"})
        return next(answers)

    return httpx.MockTransport(answer)


def test_without_a_stream_the_job_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pedigree.run.sleep", lambda _: None)
    states = ("queued", "running", *["succeeded"] * (LAST_TRIES + 1))
    progress = {"stage": "train", "step": 3, "steps": 9}
    answers = iter([httpx.Response(200, json=JOB | {"state": state, "progress": progress}) for state in states])
    asked: list[str] = []
    with Client("http://service", transport=stub(answers, asked)) as client:
        assert client.wait(5, progress=False).state == "succeeded"
    assert asked == ["/jobs/5/events", "/jobs/5"] * (2 + LAST_TRIES) + ["/jobs/5"]


def test_a_job_that_is_not_there_is_not_waited_for(client: Client) -> None:
    with pytest.raises(PedigreeError) as raised:
        client.wait(99, progress=False)
    assert raised.value.code == "not_found"


def test_ctrl_c_leaves_the_run_to_itself_and_says_so(
    client: Client, job: Job, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken_off(*_: object) -> Iterator[Event]:
        yield Event("1", "state", {"state": "running"})
        raise KeyboardInterrupt

    monkeypatch.setattr("pedigree.run.follow", broken_off)
    with pytest.raises(KeyboardInterrupt):
        client.wait(job.id)
    said = capsys.readouterr().err
    assert f"Job {job.id} goes on: client.wait({job.id}) follows it again, client.cancel({job.id}) stops it." in said
    assert client.jobs.get(job.id).state == "queued"


def test_a_cancelled_run_ends_the_waiting_with_an_error(client: Client, job: Job) -> None:
    run = client.runs.get(1)
    run.cancel()
    with pytest.raises(JobFailed) as raised:
        run.wait(progress=False)
    assert (raised.value.state, raised.value.job) == ("cancelled", job.id)


def test_what_a_terminal_is_told_of_a_run(
    client: Client, records: Records, job: Job, capsys: pytest.CaptureFixture[str]
) -> None:
    worker = Worker(records, job)
    worker.starts()
    worker.epoch(0, 0, 0.5)
    worker.ends()
    client.runs.get(1).wait()
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1] == f"run 1 (job {job.id}): succeeded"
    assert "1  1  2.0363  0.6208  0.5000  1:08" in lines


def test_the_asynchronous_client_does_the_same(api: LiveApi, records: Records, job: Job) -> None:
    worker = Worker(records, job)
    worker.starts()
    worker.epoch(0, 0, 0.5)
    records.event(job, "log", {"message": "done"})

    async def walk() -> None:
        async with AsyncClient(api.url) as client:
            run = await client.runs.get(1)
            waiting = asyncio.create_task(run.wait(progress=False))
            await asyncio.sleep(0)
            await asyncio.to_thread(worker.ends)
            assert (await waiting).state == "succeeded"
            assert (await client.jobs.get(job.id)).state == "succeeded"
            assert [one.id for one in await client.runs.list()] == [1]
            with pytest.raises(PedigreeError):
                await client.predict(b"no picture")

    asyncio.run(walk())


def test_a_task_that_is_cancelled_leaves_the_run_to_itself(
    api: LiveApi, job: Job, capsys: pytest.CaptureFixture[str]
) -> None:
    async def walk() -> None:
        async with AsyncClient(api.url) as client:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(client.wait(job.id), 0.5)
            assert (await client.jobs.get(job.id)).state == "queued"

    asyncio.run(walk())
    assert f"Job {job.id} goes on" in capsys.readouterr().err


def test_events_are_read_by_the_rules_of_the_stream() -> None:
    reader = EventReader()
    lines = ["id: 7", "event: epoch", 'data: {"a":', "data: 1}", "", ": a comment", "", "data: {}", ""]
    assert [event for line in lines if (event := reader.read(line))] == [
        Event("7", "epoch", {"a": 1}),
        Event("", "message", {}),
    ]


def test_a_service_that_stays_away_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    now, told = 100.0, list[str]()
    monkeypatch.setattr("pedigree.events.monotonic", lambda: now)
    away = PedigreeError("the database does not answer.", code="away", status=503)
    following = Following(
        20.0, on_away=lambda seconds: told.append(f"away {seconds:.0f}"), on_back=lambda: told.append("back")
    )
    assert [following.pause_after(away) for _ in range(5)] == [0.5, 1.0, 2.0, 4.0, 5.0]
    now += 18.0
    assert following.pause_after(away) == 2.0, "and not beyond the end"
    now += 2.0
    with pytest.raises(GaveUp, match=r"not answered for 20 s \(the database does not answer\)\.$"):
        following.pause_after(away)
    following.answered()
    assert told == ["away 20", "back"]


def test_a_long_curve_is_thinned_and_an_epoch_done_again_replaces_the_first() -> None:
    live = Live(5, 3)
    live.hear(Event("", "state", {"state": "running"}))
    for start in range(0, 20_000, 50):
        steps = list(range(start, start + 50))
        live.hear(Event("", "batch", {"step": steps, "train_loss": [1.0 / (step + 1) for step in steps]}))
    points = list(live.train)
    assert len(points) in range(MOST_POINTS // 4, MOST_POINTS + 1)
    assert list(points[0]) == [0, 1.0]
    epoch = {"train_loss": 1.0, "valid_loss": 0.5, "error_rate": 0.5, "seconds": 4.0}
    for number, rate in ((0, 0.5), (1, 0.4), (1, 0.3)):
        live.hear(Event("", "epoch", epoch | {"phase": 0, "epoch": number, "error_rate": rate}))
    assert [row["error_rate"] for row in live.epochs] == [0.5, 0.3]
    assert "<svg" in live.html()
    assert live.sentence() == "run 3 (job 5): running"
