"""What webhooks may call, and what is put on record for them."""

from datetime import timedelta

import httpx
import pytest
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session, sessionmaker

from store.db import webhooks
from store.db.jobs import change_state, create_job, hand_back, request_cancel, resume
from store.db.webhook_tables import Webhook, WebhookDelivery
from store.db.webhooks import (
    RESTS,
    claim_delivery,
    create_webhook,
    delete_webhook,
    forget_old_deliveries,
    last_deliveries,
    put_deliveries,
    put_test,
)
from store.errors import StateConflict
from store.states import State
from store.webhooks import Origin, allowed_origins, new_secret, origin_of, origins_of, signed_headers
from tests.store.rows import ERROR, claimed, make_job

Sessions = sessionmaker[Session]
URL = "https://hooks.example.org/a"


def test_the_signature_is_the_one_that_standard_webhooks_publish() -> None:
    headers = signed_headers(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
    )
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    assert len({new_secret() for _ in range(9)}) == 9


@pytest.mark.parametrize(
    ("entry", "allows"),
    [
        ("hooks.example.org", {"https://hooks.example.org"}),
        ("Hooks.Example.org:8443", {"https://hooks.example.org:8443"}),
        ("http://ci.local:8080", {"http://ci.local:8080"}),
        ("https://ci.local", {"https://ci.local"}),
        ("localhost:9000", {"http://localhost:9000", "https://localhost:9000"}),
        ("127.0.0.1", {"http://127.0.0.1", "https://127.0.0.1"}),
        ("[::1]:9", {"http://[::1]:9", "https://[::1]:9"}),
        ("[2001:DB8:0::1]", {"https://[2001:db8::1]"}),
        *[(one, set()) for one in ("*", "*.example.org", "a b", "a/b", "ftp://a", "a:0", "a:65536", "[x]", "[::g]")],
        *[(one, set()) for one in ("user@a", "a..b", "a.", "-a", "a#b", "http://", "a\n", "ä.org")],
    ],
)
def test_what_an_entry_of_the_setting_allows(entry: str, allows: set[str]) -> None:
    assert set(map(str, origins_of(entry))) == allows


CALLED = [
    "https://a.org",
    "https://A.org:443/x/../y?z=1&b=@%20",
    "http://[::1]:9000/",
    "http://127.0.0.1:1/a@b:c",
    "https://a.org?x=http://b.org/",
    "https://a_b.org:8443//b.org/",
]
NOT_CALLED = [
    "",
    "a.org",
    "//a.org",
    "ftp://a.org/",
    "HTTPS:/a.org",
    "https://",
    "https://user@a.org/",
    "https://user:pass@a.org/",
    "https://a.org\\@b.org/",
    "https://a.org#@b.org/",
    "https://a.org/#x",
    "https://a.org /",
    "https://a.org/\n",
    "https://a.org/ä",
    "https://ä.org/",
    "https://a.org:/",
    "https://a.org:0/",
    "https://a.org:99999/",
    "https://a..org/",
    "https://a.org./",
    "https://[::1/",
    "https://[fe80::1%25eth0]/",
    "https://a.org/" + "x" * 2000,
    f"https://{'a' * 64}.org/",
    "http://[127.0.0.1]/",
    "http://127.000.000.001/",
    "http://999.1.1.1/",
    "http://127.1/",
]


@pytest.mark.parametrize("url", CALLED)
def test_who_sends_reads_the_same_host_in_a_url_as_who_allows_it(url: str) -> None:
    origin, read = origin_of(url), httpx.URL(url)
    assert origin is not None
    assert (read.scheme, read.host, read.port or {"https": 443, "http": 80}[read.scheme]) == tuple(origin)
    assert origin in allowed_origins([str(origin)])


@pytest.mark.parametrize("url", NOT_CALLED)
def test_what_is_no_plain_url_is_called_by_nobody(url: str) -> None:
    assert origin_of(url) is None


def test_a_name_is_no_other_name() -> None:
    allowed = allowed_origins(["a.org", "http://b.org"])
    assert Origin("https", "a.org", 443) in allowed
    others = ("http://a.org/", "https://b.org/", "https://a.org:444/", "https://x.a.org/", "https://a.org.b.org/")
    assert [one for one in others if origin_of(one) in allowed] == []


def told(session: Session) -> list[tuple[int, str, int]]:
    rows = session.scalars(select(WebhookDelivery).order_by(WebhookDelivery.id))
    return [(row.webhook_id, row.event, row.body["data"]["job"]) for row in rows]


def test_every_way_to_an_end_is_told_once_and_nothing_else_is(sessions: Sessions) -> None:
    with sessions.begin() as session:
        create_webhook(session, URL)
        jobs = [make_job(session, max_attempts=1).id for _ in range(4)]
        for job in jobs[:3]:
            claimed(session, job)
        change_state(session, jobs[0], State.SUCCEEDED, attempt=1)
        change_state(session, jobs[0], State.SUCCEEDED, attempt=1)
        hand_back(session, jobs[1], 1, error=ERROR)
        request_cancel(session, jobs[2])
        hand_back(session, jobs[2], 1, error=ERROR)
        request_cancel(session, jobs[3])
        made = create_job(session, kind="forecast", max_attempts=1, state=State.SUCCEEDED).id
        resume(session, jobs[1])
        assert told(session) == [
            (1, "job.succeeded", jobs[0]),
            (1, "job.failed", jobs[1]),
            (1, "job.cancelled", jobs[2]),
            (1, "job.cancelled", jobs[3]),
            (1, "job.succeeded", made),
        ]
        request_cancel(session, jobs[1])
        assert told(session)[5:] == [(1, "job.cancelled", jobs[1])]


def test_an_end_that_is_rolled_back_is_told_nobody(sessions: Sessions) -> None:
    with sessions.begin() as session:
        create_webhook(session, URL)
        job = make_job(session).id
    with sessions() as session:
        request_cancel(session, job)
        assert len(told(session)) == 1
    with sessions.begin() as session:
        assert told(session) == []


def test_a_webhook_is_told_of_what_it_asked_for(sessions: Sessions) -> None:
    with sessions.begin() as session:
        create_webhook(session, URL, events={"job.failed", "job.succeeded"})
        create_webhook(session, URL, kinds={"train"})
        create_webhook(session, URL, events={"job.cancelled"}, kinds={"import", "train"})
        job = make_job(session)
        request_cancel(session, job.id)
        assert told(session) == [(3, "job.cancelled", job.id)]


def test_a_webhook_that_is_deleted_meanwhile_fails_no_end(sessions: Sessions) -> None:
    with sessions.begin() as session:
        create_webhook(session, URL)
        job = make_job(session)
        request_cancel(session, job.id)
    with sessions.begin() as ending:
        put_deliveries(ending, job)
        with sessions.begin() as session:
            held = select(Webhook.id).with_for_update(skip_locked=True)
            assert session.scalars(held).all() == [], "it goes when the end is on record"
    with sessions.begin() as session:
        delete_webhook(session, 1)
        assert told(session) == []
        put_deliveries(session, job)
        assert told(session) == []


def test_the_last_of_each_webhook_is_its_own_newest(sessions: Sessions) -> None:
    with sessions.begin() as session:
        told, silent, other = (create_webhook(session, URL).id for _ in range(3))
        for webhook in (told, other, told):
            put_test(session, webhook)
        newest = {
            one: session.scalar(select(func.max(WebhookDelivery.id)).filter_by(webhook_id=one)) for one in (told, other)
        }
        found = last_deliveries(session, [told, silent])
        assert {webhook: one.id for webhook, one in found.items()} == {told: newest[told]}
        assert set(last_deliveries(session, [told, silent, other])) == {told, other}
        assert last_deliveries(session, []) == {}


def test_there_are_not_more_than_can_be_looked_at(sessions: Sessions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "MOST_WEBHOOKS", 2)
    with sessions.begin() as session:
        for _ in range(2):
            create_webhook(session, URL)
        with pytest.raises(StateConflict):
            create_webhook(session, URL)


def test_deliveries_go_with_their_age_in_parts(sessions: Sessions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "BATCH", 2)
    with sessions.begin() as session:
        create_webhook(session, URL)
        for _ in range(5):
            request_cancel(session, make_job(session).id)
        session.execute(update(WebhookDelivery).where(WebhookDelivery.id < 5).values(state="delivered"))
        old = WebhookDelivery.id != 4
        session.execute(update(WebhookDelivery).where(old).values(created_at=func.now() - timedelta(days=91)))
        assert [forget_old_deliveries(session, older_than=timedelta(days=90)) for _ in range(3)] == [2, 1, 0]
        assert [job for _, _, job in told(session)] == [4, 5], "a young one, and one that waits"


def test_a_last_try_that_was_lost_with_its_process_ends_the_delivery_and_the_next_is_sent(sessions: Sessions) -> None:
    with sessions.begin() as session:
        webhook = create_webhook(session, URL)
        for _ in range(2):
            change_state(session, claimed(session, make_job(session).id).id, State.SUCCEEDED, attempt=1)
        first, second = session.scalars(select(WebhookDelivery).order_by(WebhookDelivery.id))
        first.attempts, first.next_try_at = len(RESTS) + 1, func.now()
    with sessions.begin() as session:
        taken = claim_delivery(session, webhook.id)
        assert taken is not None
        assert (taken.id, taken.attempt) == (second.id, 1)
    with sessions.begin() as session:
        lost = session.get_one(WebhookDelivery, first.id)
        assert (lost.state, lost.error, lost.next_try_at) == ("failed", "lost", None)
