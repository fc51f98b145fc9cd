"""``pedigree webhooks``, against a real API, a real receiver and the thread that sends."""

import json
import threading
from collections.abc import Iterator

import pytest
from sqlalchemy.orm import Session, sessionmaker

from store.db.jobs import request_cancel
from store.settings import Settings
from tests.cli.live_api import live_api
from tests.cli.test_commands import pedigree
from tests.store.rows import make_job
from tests.worker.receiver import Receiver, genuine, receiving
from worker.webhooks import Webhooks

Capture = pytest.CaptureFixture[str]
Patch = pytest.MonkeyPatch


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving(200, 500, 302) as receiver:
        yield receiver


@pytest.fixture
def sending(settings: Settings, sessions: sessionmaker[Session], receiver: Receiver) -> Iterator[Settings]:
    """Settings of a service that sends at once."""
    allowed = settings.model_copy(update={"webhook_hosts": receiver.host, "repair_seconds": 0.05})
    stop = threading.Event()
    thread = Webhooks(allowed, sessions).start(stop)
    yield allowed
    stop.set()
    thread.join()


def test_a_webhook_from_its_making_to_its_end(
    sending: Settings, sessions: sessionmaker[Session], receiver: Receiver, capsys: Capture, monkeypatch: Patch
) -> None:
    def run(*words: str, code: int = 0) -> tuple[str, str]:
        ended, out, err = pedigree(capsys, monkeypatch, "webhooks", *words)
        assert ended == code, err
        return out, err

    monkeypatch.setattr("cli.webhooks.LOOK_SECONDS", 0.02)
    with live_api(sending) as api:
        monkeypatch.setenv("PEDIGREE_URL", api.url)
        assert "No webhook was made yet" in run("list")[0]
        refused = run("add", "https://example.org/", code=1)[1]
        assert "URL is 'https://example.org': this service may not call that host." in refused
        assert "PEDIGREE_WEBHOOK_HOSTS" in refused
        secret, said = run("add", receiver.url, "--event", "job.cancelled", "--kind", "import")
        assert said == "Webhook 1. Its secret is shown this once:\n"
        assert run("test", "1")[0] == "webhook 1 took the test: 200\n"
        assert genuine()(secret.strip(), receiver.got[0].headers, receiver.got[0].body)
        assert "did not take the test: 500. Look at the receiver" in run("test", "1", code=1)[1]
        failed = run("test", "1", "--json", code=1)
        assert (json.loads(failed[0])["status"], "Redirects are not followed" in failed[1]) == (302, True)
        with sessions.begin() as session:
            job = request_cancel(session, make_job(session).id).id
        newest = json.loads(run("deliveries", "1", "--limit", "1", "--json")[0])
        assert [(one["event"], one["job"]) for one in newest] == [("job.cancelled", job)]
        assert [line.split()[3:5] for line in run("deliveries", "1")[0].splitlines()[2:]] == [
            ["webhook.test", "–"],
            ["webhook.test", "–"],
            ["webhook.test", "–"],
        ]
        listed = run("list")[0].splitlines()[1].split()
        assert listed[:5] == ["1", receiver.url, "job.cancelled", "import", "local"]
        assert listed[5:7] == ["job.cancelled,", "waiting"]
        assert run("remove", "1")[0] == "webhook 1 is deleted\n"
        assert "There is no webhook 1" in run("remove", "1", code=1)[1].replace("there", "There")
