"""A real Chromium, one for these tests, before the real API with a classifier that costs nothing."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import uvicorn
from playwright.sync_api import Browser, expect, sync_playwright
from sqlalchemy.orm import Session, sessionmaker
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.app import create_app
from store.artifacts import ArtifactStore
from store.settings import Settings
from tests.api.conftest import until
from tests.api.fake_classifier import FakeClassifier
from tests.api.records import Records
from tests.browser.visits import PATIENCE_MS, Visits
from tests.conftest import CHROMIUM
from tests.patience import PATIENCE_SECONDS

PLAIN_HOST = "plain.test"
"""This machine by a name that a browser takes for another's, where plain http has no locks."""
ARGUMENTS = [
    f"--host-resolver-rules=MAP {PLAIN_HOST} 127.0.0.1",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


class Streams:
    """How many event streams the service has open: what stands around the app and counts."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.open = 0
        self.most = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_stream = scope["type"] == "http" and scope["path"].endswith("/events")
        is_open = False

        async def count(message: Message) -> None:
            # With its first words it is settled from where it tells.
            nonlocal is_open
            if is_stream and not is_open and message.get("body"):
                is_open = True
                self.open += 1
                self.most = max(self.most, self.open)
            await send(message)

        try:
            await self.app(scope, receive, count)
        finally:
            self.open -= is_open


@pytest.fixture
def records(sessions: sessionmaker[Session], artifacts: ArtifactStore) -> Records:
    return Records(sessions, artifacts)


@pytest.fixture
def streams(settings: Settings) -> Streams:
    hosts = f"{settings.allowed_hosts},{PLAIN_HOST}"
    return Streams(create_app(settings.model_copy(update={"allowed_hosts": hosts}), load=FakeClassifier.load))


@pytest.fixture
def address(streams: Streams) -> Iterator[str]:
    """A running API."""
    with listening() as (listener, address), serving(streams, listener):
        yield address


@contextmanager
def listening() -> Iterator[tuple[socket.socket, str]]:
    """A socket on loopback, and its address."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(100)
        yield listener, f"http://127.0.0.1:{listener.getsockname()[1]}"


@contextmanager
def serving(app: ASGIApp, listener: socket.socket) -> Iterator[None]:
    """An app that runs while the block lasts."""
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    until(lambda: server.started, PATIENCE_MS / 1000)
    yield
    server.should_exit = True
    thread.join(PATIENCE_SECONDS)
    assert not thread.is_alive()


@pytest.fixture(scope="package")
def browser(request: pytest.FixtureRequest) -> Iterator[Browser]:
    """One browser for these tests, ended with them: while it runs, this thread has a running event loop."""
    expect.set_options(timeout=PATIENCE_MS)
    sandbox = [] if os.getuid() else ["--no-sandbox"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=getattr(request, "param", CHROMIUM),
            args=[*sandbox, *ARGUMENTS],
            # A page that is left goes into the cache of left pages, as it does for people.
            ignore_default_args=["--disable-back-forward-cache"],
        )
        yield browser
        browser.close()


@pytest.fixture
def visits(browser: Browser, address: str) -> Iterator[Visits]:
    """Opens pages, and holds at the end that none of them asked anybody else."""
    visits = Visits(browser, address)
    yield visits
    visits.close()
    assert visits.elsewhere == []
