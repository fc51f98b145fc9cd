"""How many requests a key or an address may send, by a real Redis."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from api.app import create_app
from api.http.access import Openness
from api.http.addresses import network_of
from api.http.buckets import MOST_BUCKETS, Bucket, Buckets
from api.http.meter import Meter, TooManyRequests
from api.http.shared_buckets import PREFIX, SharedBuckets
from store.access import Scope
from store.settings import Settings
from tests.api.fake_classifier import FakeClassifier
from tests.api.http.conftest import Make, bearer
from tests.api.web import TestClient

QUOTA = 60
"""Small enough that each request is told of at once; a second gives one back."""
SLACK = 15
"""Requests that two processes may let in before they have heard of each other, and what some seconds give back."""
ELSEWHERE = ("203.0.113.9", 4711)


def served(held: ExitStack, settings: Settings, address: tuple[str, int] = ELSEWHERE, **changes: Any) -> TestClient:  # noqa: ANN401 - any setting
    """An app of its own, as another process has one, that is asked from the address."""
    app = create_app(
        settings.model_copy(update=changes), load=FakeClassifier.load, openness=Openness.UNTIL_A_KEY_IS_MADE
    )
    client = TestClient(app, base_url="http://localhost", raise_server_exceptions=False, client=address)
    return held.enter_context(client)


@pytest.fixture
def held() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def redis(settings: Settings) -> Iterator[Redis]:
    client = Redis.from_url(settings.redis_url.replace("redis+socket://", "unix://"))
    yield client
    client.close()


def let_in(clients: list[TestClient], headers: dict[str, str], times: int) -> int:
    answers = [clients[turn % len(clients)].get("/session", headers=headers).status_code for turn in range(times)]
    assert set(answers) <= {200, 429}
    return answers.count(200)


def test_two_processes_share_a_keys_bucket(held: ExitStack, settings: Settings, make: Make) -> None:
    key, other = make("alice"), make("bob")
    both = [served(held, settings, max_key_requests=QUOTA) for _ in range(2)]
    assert QUOTA <= let_in(both, bearer(key), 2 * QUOTA) <= QUOTA + SLACK
    refused = both[0].get("/session", headers=bearer(key))
    while refused.status_code == 200:  # a second has given one back
        refused = both[0].get("/session", headers=bearer(key))
    told = refused.json()
    assert (refused.status_code, told["code"]) == (429, "too_many_requests")
    assert refused.headers["content-type"] == "application/problem+json"
    assert told["detail"] == f"key alice has sent its {QUOTA} requests of a minute"
    assert "PEDIGREE_MAX_KEY_REQUESTS" in told["hint"]
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert refused.headers["ratelimit-policy"] == f'"key";q={QUOTA};w=60'
    assert refused.headers["ratelimit"].startswith('"key";r=0;t=')
    assert both[0].get("/session", headers=bearer(other)).status_code == 200


def test_what_is_left_is_told_and_a_browser_is_counted_apart(held: ExitStack, settings: Settings, make: Make) -> None:
    key = make("alice")
    client = served(held, settings, max_key_requests=QUOTA)
    first = client.get("/session", headers=bearer(key))
    assert first.headers["ratelimit"] == f'"key";r={QUOTA - 1};t=1'
    assert client.post("/session", headers=bearer(key)).status_code == 201
    assert client.get("/session").headers["ratelimit"].startswith(f'"page";r={QUOTA - 1};')
    limits = client.get("/limits", headers=bearer(key)).json()
    assert limits["owner"] == "alice"
    assert limits["requests"] == {"counted_by": "key", "most": QUOTA, "left": QUOTA - 3}


def test_streams_pages_and_balancers_are_not_counted(held: ExitStack, settings: Settings, make: Make) -> None:
    key = make("alice")
    client = served(held, settings, max_key_requests=1)
    for path in ("/ui/runs", "/healthz", "/metrics"):
        for _ in range(3):
            answer = client.get(path, headers=bearer(key))
            assert (answer.status_code, "ratelimit" in answer.headers) == (200, False), path
    assert client.head("/events", headers=bearer(key)).status_code == 200
    assert client.get("/session", headers=bearer(key)).status_code == 200
    assert client.get("/session", headers=bearer(key)).status_code == 429


def test_without_a_key_the_address_counts_and_this_machine_does_not(held: ExitStack, settings: Settings) -> None:
    client = served(held, settings, max_address_requests=3)
    # A header that anybody can write makes no other address.
    answers = [client.get("/session", headers={"x-forwarded-for": f"198.51.100.{n}"}) for n in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert "203.0.113.9" in answers[3].json()["detail"]
    own = served(held, settings, ("127.0.0.1", 1), max_address_requests=1)
    assert [own.get("/session").status_code for _ in range(3)] == [200] * 3
    assert "ratelimit" not in own.get("/session").headers
    assert own.get("/limits").json()["requests"] is None


def test_who_tries_keys_is_counted(held: ExitStack, settings: Settings, make: Make) -> None:
    make("alice")
    client = served(held, settings, max_address_requests=2)
    wrong = [client.get("/jobs", headers=bearer(f"pdg_{n}_{'A' * 43}")).status_code for n in range(1, 5)]
    assert wrong == [401, 401, 429, 429]


def test_without_redis_each_process_counts_by_itself_and_says_so_once(
    held: ExitStack, settings: Settings, make: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    key = make("alice", Scope.PREDICT)
    client = served(held, settings, max_key_requests=QUOTA, redis_url=f"redis+socket://{tmp_path}/none.sock")
    assert QUOTA <= let_in([client], bearer(key), 2 * QUOTA) <= QUOTA + SLACK
    assert caplog.text.count("each API process counts requests by itself") == 1


def test_no_request_waits_for_a_redis_that_hangs() -> None:
    async def ask() -> float:
        asked = asyncio.Event()

        async def never(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            asked.set()
            try:
                await asyncio.Event().wait()
            finally:
                writer.close()

        server = await asyncio.start_server(never, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        meter = Meter(key_quota=100, address_quota=0, shared=SharedBuckets(f"redis://127.0.0.1:{port}"))
        first = meter.count_key(1, "alice", by_page=False)
        await asyncio.wait_for(asked.wait(), 10)
        # Redis has been asked and says nothing; the next is let in by the same call, which awaits nothing.
        second = meter.count_key(1, "alice", by_page=False)
        await meter.close()
        server.close()
        assert first is not None
        assert second is not None
        return first.left - second.left

    assert asyncio.run(ask()) == 1


def test_many_callers_cost_bounded_memory_here_and_in_redis(settings: Settings, redis: Redis) -> None:
    buckets = Buckets()
    for number in range(MOST_BUCKETS + 500):
        buckets.of(f"address:{number}", 60, 0.0)
    assert len(buckets) == MOST_BUCKETS

    async def report() -> None:
        shared = SharedBuckets(settings.redis_url)
        held = [Bucket(f"address:{number}", 60, 30.0, time.monotonic(), unsent=30) for number in range(500)]
        for bucket in held:
            shared.report(bucket)
        await shared.settle()
        await shared.close()

    asyncio.run(report())
    names = list(redis.scan_iter(f"{PREFIX}address:*", count=1000))
    assert len(names) >= 500
    assert all(0 < redis.pttl(name) <= 62_000 for name in names)


def test_what_others_used_is_taken_over_and_paid_back(settings: Settings) -> None:
    async def report() -> tuple[float, float]:
        one, other = (SharedBuckets(settings.redis_url) for _ in range(2))
        here, there = (Bucket("key:shared", 60, 20.0, time.monotonic(), unsent=40) for _ in range(2))
        one.report(here)
        await one.settle()
        other.report(there)
        there.unsent += 3  # three more are let in while Redis is asked
        await other.settle()
        for shared in (one, other):
            await shared.close()
        return here.tokens, there.tokens

    here, there = asyncio.run(report())
    assert 20 <= here < 25
    assert -23 <= there < -18, "40 and 43 of 60: nobody here is let in until that has come back"


def test_a_bucket_fills_in_a_minute() -> None:
    bucket = Bucket("key:1", 60, 1.0, 100.0)
    assert bucket.take(100.0)
    assert not bucket.take(100.0)
    assert bucket.seconds_until(1) == 1.0
    assert not bucket.take(100.5)
    assert bucket.take(101.0)
    assert bucket.take(1000.0)
    assert bucket.tokens == 59.0


def test_the_refusal_names_what_is_set() -> None:
    meter = Meter(key_quota=0, address_quota=1, shared=SharedBuckets("redis://unused"))
    assert meter.count_key(1, "alice", by_page=False) is None
    bucket = meter.buckets.of("address:203.0.113.0", 1, 0.0)
    bucket.tokens = -5.0
    bucket.filled_at = time.monotonic()
    with pytest.raises(TooManyRequests) as refused:
        meter.count_address({"client": ("203.0.113.0", 1)})
    assert "PEDIGREE_MAX_ADDRESS_REQUESTS" in (refused.value.hint or "")
    assert int(refused.value.headers["Retry-After"]) == 360


@pytest.mark.parametrize(
    ("host", "network"),
    [
        ("127.0.0.1", None),
        ("::1", None),
        ("::ffff:127.0.0.9", None),
        ("203.0.113.9", "203.0.113.9"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("testclient", "testclient"),
    ],
)
def test_what_is_one_address(host: str, network: str | None) -> None:
    assert network_of(host) == network


def test_a_key_of_too_small_a_scope_is_counted(held: ExitStack, settings: Settings, make: Make) -> None:
    key = make("alice", Scope.PREDICT)
    client = served(held, settings, max_key_requests=2)
    answers = [client.post("/keys", headers=bearer(key), json={}) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [403, 403, 429]
