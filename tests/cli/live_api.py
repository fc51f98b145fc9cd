"""The real API in a thread of the test, which can go away and come back; the test plays the worker."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

import uvicorn
from sqlalchemy import select

from api.app import create_app
from cli.ports import listen_on, port_of
from cli.processes import wait_until
from store.db.models import Job
from store.settings import Settings
from store.states import State
from tests.api.fake_classifier import FakeClassifier
from tests.api.records import Records
from tests.patience import PATIENCE_SECONDS


class LiveApi:
    """Serves over HTTP on one port for as long as it is there."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.url, self._port = "", 0

    def come(self) -> None:
        listener = listen_on(self._port)
        assert listener is not None
        self._port = port_of(listener)
        self.url = f"http://127.0.0.1:{self._port}"
        app = create_app(self.settings, load=FakeClassifier.load)
        self._server = uvicorn.Server(uvicorn.Config(app, log_config=None, ws="none", timeout_graceful_shutdown=0))
        self._thread = Thread(target=self._server.run, args=([listener],))
        self._thread.start()
        assert wait_until(lambda: self._server.started, PATIENCE_SECONDS)

    def go(self) -> None:
        """At once, with whatever is being answered."""
        self._server.should_exit = True
        self._thread.join()


@contextmanager
def live_api(settings: Settings) -> Iterator[LiveApi]:
    api = LiveApi(settings)
    api.come()
    try:
        yield api
    finally:
        api.go()


class Worker:
    """Plays what a worker writes about a job."""

    def __init__(self, records: Records, job: Job) -> None:
        self.records, self.job = records, job

    def starts(self) -> None:
        self.records.move(self.job, State.RUNNING)

    def ends(self, state: State = State.SUCCEEDED) -> None:
        self.records.move(self.job, state)

    def progress(self, stage: str, step: int = 0, steps: int = 0, **more: float) -> None:
        data: dict[str, Any] = {"stage": stage, "step": step, "steps": steps, **more}
        self.records.event(self.job, "progress", data)

    def says(self, message: str) -> None:
        self.records.event(self.job, "log", {"message": message})

    def epoch(self, phase: int, epoch: int, error_rate: float) -> None:
        losses = {"train_loss": 2.0363, "valid_loss": 0.6208, "error_rate": error_rate}
        more = {"seconds": 68.0, "images_per_second": 41.2}
        self.records.event(self.job, "epoch", {"phase": phase, "epoch": epoch, **losses, **more})


def newest_job(records: Records, kind: str) -> Job | None:
    """The job that the command has queued."""
    with records.sessions.begin() as session:
        return session.scalars(select(Job).where(Job.kind == kind).order_by(Job.id.desc())).first()
