"""How many requests a key may send, or an address where no key is shown."""

import math
import time
from typing import Final, Literal, NamedTuple, Self

from starlette.types import Message, Scope, Send

from api.http.addresses import network_of
from api.http.buckets import WINDOW_SECONDS, Bucket, Buckets
from api.http.scopes import Operation
from api.http.shared_buckets import SharedBuckets
from store.errors import TooBusy
from store.settings import Settings

Policy = Literal["key", "page", "address"]

UNMETERED: Final[frozenset[Operation]] = frozenset(
    {("GET", "/events"), ("GET", "/jobs/{job_id}/events"), ("GET", "/readyz"), ("GET", "/metrics")}
)
"""Streams have places of their own; the others are asked for by balancers and Prometheus."""
ALLOWANCE: Final = "pedigree.allowance"
"""Under this name a request's scope has what its sender may still send."""
_VARIABLE = {"key": "PEDIGREE_MAX_KEY_REQUESTS", "address": "PEDIGREE_MAX_ADDRESS_REQUESTS"}


class TooManyRequests(TooBusy):
    """A key or an address has sent as many requests as one may."""

    code = "too_many_requests"


class Allowance(NamedTuple):
    """What the sender of a request may send: ``quota`` requests a minute, of which ``left`` are left now."""

    policy: Policy
    quota: int
    left: int
    full_in_seconds: int

    @property
    def headers(self) -> dict[str, str]:
        """As draft-ietf-httpapi-ratelimit-headers-10 has it."""
        return {
            "RateLimit-Policy": f'"{self.policy}";q={self.quota};w={WINDOW_SECONDS:.0f}',
            "RateLimit": f'"{self.policy}";r={self.left};t={self.full_in_seconds}',
        }

    def on(self, send: Send) -> Send:
        """Say so in the answer."""
        told = [(name.lower().encode(), value.encode()) for name, value in self.headers.items()]

        async def send_with_allowance(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *told]
            await send(message)

        return send_with_allowance


class Meter:
    """Counts requests; no request waits for it."""

    def __init__(self, *, key_quota: int, address_quota: int, shared: SharedBuckets) -> None:
        """Let in so many requests a minute of a key, and of an address without one; 0: as many as come."""
        self.buckets = Buckets()
        self._key_quota = key_quota
        self._address_quota = address_quota
        self._shared = shared

    @classmethod
    def of(cls, settings: Settings) -> Self:
        shared = SharedBuckets(settings.redis_url)
        return cls(key_quota=settings.max_key_requests, address_quota=settings.max_address_requests, shared=shared)

    def count_key(self, key_id: int, name: str, *, by_page: bool) -> Allowance | None:
        """Count a request of a key. A browser that shows its session is counted apart from the key itself.

        Raises:
            TooManyRequests: it is one too many.
        """
        if not self._key_quota:
            return None
        policy: Policy = "page" if by_page else "key"
        return self._count(f"{policy}:{key_id}", policy, f"key {name}", self._key_quota)

    def count_person(self, number: str, name: str) -> Allowance | None:
        """Count a request of who signed in; they may send as many as the page of a key.

        Raises:
            TooManyRequests: it is one too many.
        """
        return self._count(f"person:{number}", "page", name, self._key_quota) if self._key_quota else None

    def count_address(self, scope: Scope) -> Allowance | None:
        """Count a request without a key; this machine's own are not counted.

        Raises:
            TooManyRequests: it is one too many.
        """
        client = scope.get("client")
        network = network_of(str(client[0])) if client and self._address_quota else None
        if network is None:
            return None
        return self._count(f"address:{network}", "address", f"address {network}", self._address_quota)

    async def close(self) -> None:
        """End what is under way, in the loop that served."""
        await self._shared.close()

    def _count(self, name: str, policy: Policy, who: str, quota: int) -> Allowance:
        now = time.monotonic()
        bucket = self.buckets.of(name, quota, now)
        if not bucket.take(now):
            raise _too_many(bucket, policy, who)
        if bucket.is_due:
            self._shared.report(bucket)
        return Allowance(policy, quota, int(bucket.tokens), math.ceil(bucket.seconds_until(quota)))


def _too_many(bucket: Bucket, policy: Policy, who: str) -> TooManyRequests:
    seconds = max(1, math.ceil(bucket.seconds_until(1)))
    variable = _VARIABLE["address" if policy == "address" else "key"]
    told = Allowance(policy, bucket.quota, 0, math.ceil(bucket.seconds_until(bucket.quota)))
    return TooManyRequests(
        f"{who} has sent its {bucket.quota} requests of a minute",
        f"Send it again in {seconds} s, and fewer at a time; {variable} sets how many may be sent.",
        {"Retry-After": str(seconds), **told.headers},
    )
