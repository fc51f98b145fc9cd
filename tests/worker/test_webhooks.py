"""What jobs' ends are told to receivers: by the thread of the repair process, against a real server on loopback."""

import asyncio
import json
import logging
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session, sessionmaker

from store.db.jobs import change_state
from store.db.webhook_tables import Webhook, WebhookDelivery
from store.db.webhooks import Outcome, claim_delivery, create_webhook, list_deliveries, put_test, record_try
from store.settings import Settings
from store.states import State
from tests.store.rows import ERROR, claimed, make_job, make_run
from tests.worker.processes import Process, until
from tests.worker.receiver import BOASTS, BREAKS_OFF, DRIPS, FLOODS, HANGS, Receiver, Says, genuine, receiving
from worker.webhooks import Webhooks

Sessions = sessionmaker[Session]
Make = Callable[..., Webhooks]


@pytest.fixture
def sender(settings: Settings, sessions: Sessions) -> Make:
    """One that may call these receivers, or these hosts."""

    def make(*allowed: Receiver | str, seconds: float = 10.0) -> Webhooks:
        hosts = ",".join(one if isinstance(one, str) else one.host for one in allowed)
        return Webhooks(settings.model_copy(update={"webhook_hosts": hosts}), sessions, seconds)

    return make


def send_all(webhooks: Webhooks) -> None:
    """Send what is due now, and wait for it."""

    async def send() -> None:
        under_way: dict[int, asyncio.Task[None]] = {}
        await webhooks.send_due(under_way)
        await asyncio.gather(*under_way.values())
        assert under_way == {}

    asyncio.run(send())


def tell(sessions: Sessions, url: str, **only: list[str]) -> Webhook:
    with sessions.begin() as session:
        return create_webhook(session, url, **only)


def fail_a_job(sessions: Sessions) -> int:
    with sessions.begin() as session:
        job = claimed(session, make_job(session, run_id=make_run(session).id, kind="train").id)
        change_state(session, job.id, State.FAILED, attempt=1, error=ERROR)
        return job.id


def deliveries(sessions: Sessions, webhook: Webhook) -> list[WebhookDelivery]:
    with sessions.begin() as session:
        return list_deliveries(session, webhook.id).items


def make_due(sessions: Sessions) -> None:
    """As if the rest, or the lease, had passed."""
    with sessions.begin() as session:
        session.execute(
            update(WebhookDelivery).where(WebhookDelivery.state == "waiting").values(next_try_at=func.now())
        )


def test_a_jobs_end_comes_signed_and_small(sessions: Sessions, sender: Make) -> None:
    with receiving(200) as receiver:
        webhook = tell(sessions, receiver.url)
        job = fail_a_job(sessions)
        send_all(sender(receiver))
        send_all(sender(receiver))
    (got,) = receiver.got
    assert got.path == "/hook?to=me"
    assert got.headers["content-type"] == "application/json"
    body = json.loads(got.body)
    assert list(body) == ["type", "timestamp", "data"]
    assert abs(datetime.now().astimezone() - datetime.fromisoformat(body.pop("timestamp"))) < timedelta(minutes=10)
    assert body == {
        "type": "job.failed",
        "data": {
            "job": job,
            "kind": "train",
            "state": "failed",
            "run": 1,
            "error_code": "made_up",
            "paths": {"job": f"/jobs/{job}", "run": "/runs/1"},
        },
    }
    is_genuine = genuine()
    assert is_genuine(webhook.secret, got.headers, got.body)
    assert not is_genuine(webhook.secret, got.headers, got.body + b" ")
    assert not is_genuine(webhook.secret, {**got.headers, "webhook-id": "msg_other"}, got.body)
    assert not is_genuine("whsec_" + "A" * 44, got.headers, got.body)
    old = int(got.headers["webhook-timestamp"]) - 400
    assert not is_genuine(webhook.secret, {**got.headers, "webhook-timestamp": str(old)}, got.body)
    (kept,) = deliveries(sessions, webhook)
    assert (kept.state, kept.status, kept.error, kept.attempts, kept.next_try_at) == ("delivered", 200, None, 1, None)


def test_what_is_not_taken_is_tried_again_under_the_same_id_with_a_rest_that_grows(
    sessions: Sessions, sender: Make
) -> None:
    with receiving(500, Says(503, "Retry-After", "7200"), BREAKS_OFF, 202) as receiver:
        webhook = tell(sessions, receiver.url)
        fail_a_job(sessions)
        rests = []
        for _ in range(3):
            send_all(sender(receiver))
            (kept,) = deliveries(sessions, webhook)
            assert kept.next_try_at is not None
            assert kept.tried_at is not None
            rests.append(((kept.next_try_at - kept.tried_at).total_seconds(), kept.status, kept.error))
            make_due(sessions)
        send_all(sender(receiver))
    assert [rest[1:] for rest in rests] == [(500, None), (503, None), (None, "no_answer")]
    assert 4 < rests[0][0] < 15
    assert 7190 < rests[1][0] < 7230
    assert 100 < rests[2][0] < 150
    (kept,) = deliveries(sessions, webhook)
    assert (kept.state, kept.status, kept.attempts) == ("delivered", 202, 4)
    assert len({got.headers["webhook-id"] for got in receiver.got}) == 1
    assert {genuine()(webhook.secret, got.headers, got.body) for got in receiver.got} == {True}


def test_after_ten_tries_it_has_failed_and_a_test_is_tried_once(sessions: Sessions, sender: Make) -> None:
    with receiving(404) as receiver:
        webhook = tell(sessions, receiver.url)
        fail_a_job(sessions)
        with sessions.begin() as session:
            put_test(session, webhook.id)
        for _ in range(11):
            make_due(sessions)
            send_all(sender(receiver))
    test, kept = deliveries(sessions, webhook)
    assert (test.event, test.state, test.attempts, test.status) == ("webhook.test", "failed", 1, 404)
    assert (kept.state, kept.attempts, kept.next_try_at) == ("failed", 10, None)
    assert len(receiver.got) == 11


def test_a_receiver_that_hangs_holds_up_no_other(sessions: Sessions, sender: Make) -> None:
    with receiving(HANGS) as slow, receiving(200) as quick:
        tell(sessions, slow.url)
        other = tell(sessions, quick.url)
        for _ in range(3):
            fail_a_job(sessions)
        stop = threading.Event()
        thread = sender(slow, quick, seconds=60.0).start(stop)
        until(lambda: {one.state for one in deliveries(sessions, other)} == {"delivered"}, "all three", pause=0.01)
        stop.set()
        thread.join(10)
        assert not thread.is_alive(), "what was under way is put down"
        assert (len(slow.got), len(quick.got)) == (1, 3), "one at a time"


@pytest.mark.parametrize("how", [HANGS, DRIPS])
def test_a_try_ends_in_time_whatever_comes(sessions: Sessions, sender: Make, how: str) -> None:
    with receiving(how) as receiver:
        webhook = tell(sessions, receiver.url)
        fail_a_job(sessions)
        send_all(sender(receiver, seconds=0.2))
    assert [(one.state, one.error) for one in deliveries(sessions, webhook)] == [("waiting", "timeout")]


@pytest.mark.parametrize(("how", "status", "error"), [(FLOODS, 200, None), (BOASTS, None, "no_answer")])
def test_of_an_answer_no_more_than_a_head_of_some_size_is_read(
    sessions: Sessions, sender: Make, how: str, status: int | None, error: str | None
) -> None:
    with receiving(how) as receiver:
        webhook = tell(sessions, receiver.url)
        fail_a_job(sessions)
        send_all(sender(receiver))
    assert [(one.status, one.error) for one in deliveries(sessions, webhook)] == [(status, error)]


def test_no_redirect_is_followed_and_no_proxy_is_asked(
    sessions: Sessions, sender: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    with receiving(200) as elsewhere:
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://{elsewhere.host}")
        with receiving(Says(307, "Location", elsewhere.url)) as receiver:
            webhook = tell(sessions, receiver.url)
            fail_a_job(sessions)
            send_all(sender(receiver, elsewhere))
    assert (len(receiver.got), elsewhere.got) == (1, [])
    assert [(one.state, one.status) for one in deliveries(sessions, webhook)] == [("waiting", 307)]


def test_a_host_that_is_not_allowed_any_more_is_not_called_until_it_is_again(sessions: Sessions, sender: Make) -> None:
    with receiving(200) as receiver:
        webhook = tell(sessions, receiver.url)
        fail_a_job(sessions)
        for hosts in ((), ("127.0.0.1",), (f"https://{receiver.host}",), (f"localhost:{receiver.host[-5:]}",)):
            send_all(sender(*hosts))
            make_due(sessions)
        assert receiver.got == []
        (kept,) = deliveries(sessions, webhook)
        assert (kept.state, kept.error, kept.attempts) == ("waiting", "host_not_allowed", 4)
        send_all(sender(receiver))
    assert len(receiver.got) == 1


def test_who_is_gone_is_told_nothing_until_it_takes_a_test(sessions: Sessions, sender: Make) -> None:
    with receiving(410, 200) as receiver:
        webhook = tell(sessions, receiver.url)
        fail_a_job(sessions)
        fail_a_job(sessions)
        send_all(sender(receiver))
        fail_a_job(sessions)
        ends = [(one.state, one.status, one.error) for one in deliveries(sessions, webhook)]
        assert ends == [("failed", None, "gone"), ("failed", 410, None)]
        with sessions.begin() as session:
            put_test(session, webhook.id)
        send_all(sender(receiver))
        fail_a_job(sessions)
        send_all(sender(receiver))
    told = [(one.event, one.state) for one in deliveries(sessions, webhook)]
    assert told[:2] == [("job.failed", "delivered"), ("webhook.test", "delivered")]


def test_a_test_goes_before_all_that_waits(sessions: Sessions, sender: Make) -> None:
    with receiving(200) as receiver:
        webhook = tell(sessions, receiver.url)
        fail_a_job(sessions)
        with sessions.begin() as session:
            put_test(session, webhook.id)
        send_all(sender(receiver))
    assert [json.loads(one.body)["type"] for one in receiver.got] == ["webhook.test", "job.failed"]


@pytest.mark.parametrize("host", ["xn--ls8h.la", "xn--a"])
def test_a_name_that_cannot_be_read_is_unreachable(sessions: Sessions, sender: Make, host: str) -> None:
    webhook = tell(sessions, f"https://{host}/")
    fail_a_job(sessions)
    send_all(sender(host))
    (kept,) = deliveries(sessions, webhook)
    assert (kept.state, kept.error, kept.attempts) == ("waiting", "unreachable", 1)


def test_nobody_listens_and_no_tls_is_spoken(sessions: Sessions, sender: Make) -> None:
    with receiving(200) as receiver:
        plain = tell(sessions, f"https://{receiver.host}/")
        nobody = tell(sessions, "http://127.0.0.1:1/")
        unknown = tell(sessions, "https://nowhere.invalid/")
        fail_a_job(sessions)
        send_all(sender(receiver, "127.0.0.1:1", "nowhere.invalid"))
    errors = [one.error for webhook in (plain, nobody, unknown) for one in deliveries(sessions, webhook)]
    assert errors == ["tls_failed", "unreachable", "unreachable"]


def test_authorities_that_cannot_be_read_let_nothing_be_sent(
    sessions: Sessions, sender: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    with receiving(200) as receiver:
        webhook = tell(sessions, f"https://{receiver.host}/")
        fail_a_job(sessions)
        send_all(sender(receiver))
        assert receiver.got == []
    (told,) = deliveries(sessions, webhook)
    assert (told.state, told.error, told.attempts) == ("waiting", "tls_failed", 1)


def test_a_secret_and_a_path_are_in_no_log(sessions: Sessions, sender: Make, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with receiving(500) as receiver:
        webhook = tell(sessions, receiver.url.replace("hook", "path-of-mine"))
        fail_a_job(sessions)
        send_all(sender(receiver))
    ours = [one.getMessage() for one in caplog.records if one.name.startswith("worker")]
    assert ours == ["webhook 1: delivery 1 (job.failed), try 1: 500; tried again in 5 s"]
    said = "\n".join(one.getMessage() for one in caplog.records if one.levelno >= logging.INFO)
    assert "path-of-mine" not in said
    assert webhook.secret not in caplog.text


@pytest.mark.thorough
def test_a_try_whose_process_was_killed_is_made_again_when_its_lease_has_run_out(
    settings: Settings, sessions: Sessions, sender: Make, tmp_path: Path
) -> None:
    with receiving(HANGS, 200) as receiver:
        webhook = tell(sessions, receiver.url)
        job = fail_a_job(sessions)
        repair = Process("worker.repair", settings, tmp_path / "log", PEDIGREE_WEBHOOK_HOSTS=receiver.host)
        try:
            until(lambda: receiver.got, "a request")
            send_all(sender(receiver))
            assert len(receiver.got) == 1, "another process has it in hand"
        finally:
            repair.popen.kill()
            repair.popen.wait()
        make_due(sessions)
        send_all(sender(receiver))
    first, second = receiver.got
    assert json.loads(second.body)["data"]["job"] == job
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert [(one.state, one.attempts) for one in deliveries(sessions, webhook)] == [("delivered", 2)]


def test_two_processes_never_have_the_same_in_hand_and_a_late_one_changes_nothing(sessions: Sessions) -> None:
    webhook = tell(sessions, "http://127.0.0.1:1/")
    for _ in range(2):
        fail_a_job(sessions)
    with sessions.begin() as one, sessions.begin() as other:
        first, second = claim_delivery(one, webhook.id), claim_delivery(other, webhook.id)
        assert claim_delivery(other, webhook.id) is None
    assert first is not None
    assert second is not None
    assert first.id != second.id
    make_due(sessions)
    with sessions.begin() as session:
        again = claim_delivery(session, webhook.id)
        assert again is not None
        assert (again.id, again.attempt) == (first.id, 2)
    with sessions.begin() as session:
        record_try(session, first, Outcome(error="timeout"))
    with sessions.begin() as session:
        record_try(session, again, Outcome(status=200))
        record_try(session, again, Outcome(status=500))
        assert session.scalar(select(WebhookDelivery.state).where(WebhookDelivery.id == again.id)) == "delivered"
