"""Buckets that several API processes share, in Redis.

No request waits for Redis. Each process goes by its own bucket of a caller, tells Redis now and then how many requests
it has let in, and takes over what Redis says is left. While Redis is away each process goes by its own alone.
"""

import asyncio
import logging
import time
from urllib.parse import parse_qs

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from api.http.buckets import WINDOW_SECONDS, Bucket

logger = logging.getLogger(__name__)

PREFIX = "pedigree:requests:"
MOST_AT_ONCE = 200
ANSWER_SECONDS = 1.0
AWAY_SECONDS = 2.0
"""So long Redis is left alone after it did not answer."""

# A bucket goes when it would be full again: Redis holds no more than those who sent something in the last minutes.
_TAKE = f"""
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local left = {{}}
for i, key in ipairs(KEYS) do
  local quota, used = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
  local rate = quota / {WINDOW_SECONDS}
  local held = redis.call('HMGET', key, 'tokens', 'at')
  local tokens = (tonumber(held[1]) or quota) + math.max(0, now - (tonumber(held[2]) or now)) * rate
  tokens = math.max(math.min(quota, tokens) - used, -quota)
  redis.call('HSET', key, 'tokens', string.format('%.6f', tokens), 'at', string.format('%.6f', now))
  redis.call('PEXPIRE', key, math.ceil((quota - tokens) / rate * 1000) + 1000)
  left[i] = string.format('%.6f', tokens)
end
return left
"""


class SharedBuckets:
    """Tells Redis of what is used, from a task of the loop that serves."""

    def __init__(self, redis_url: str) -> None:
        self._url = _plain_url(redis_url)
        self._due: dict[str, Bucket] = {}
        self._client: Redis | None = None
        self._task: asyncio.Task[None] | None = None
        self._quiet_until = 0.0
        self._is_away = False

    def report(self, bucket: Bucket) -> None:
        """Have the others told, before long; called in the loop that serves."""
        if time.monotonic() < self._quiet_until:
            bucket.unsent = 0  # it was paid for here
            return
        self._due[bucket.name] = bucket
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._send())

    async def settle(self) -> None:
        """Wait until Redis has been told of all that is known so far."""
        if self._task is not None:
            await self._task

    async def close(self) -> None:
        """End what is under way, in the loop that it began in."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._client is not None:
            await self._client.aclose()
        self._client = self._task = None

    async def _send(self) -> None:
        while self._due:
            names = list(self._due)[:MOST_AT_ONCE]
            buckets = [self._due.pop(name) for name in names]
            used = [bucket.unsent for bucket in buckets]
            for bucket in buckets:
                bucket.unsent = 0
            try:
                left = await self._taken(buckets, used)
            except (RedisError, OSError, ValueError) as error:
                self._note_away(error)
                self._due.clear()
                return
            self._note_back()
            for bucket, tokens in zip(buckets, left, strict=True):
                bucket.tokens, bucket.filled_at = tokens - bucket.unsent, time.monotonic()

    async def _taken(self, buckets: list[Bucket], used: list[int]) -> list[float]:
        if self._client is None:
            self._client = Redis.from_url(
                self._url,
                socket_timeout=ANSWER_SECONDS,
                socket_connect_timeout=ANSWER_SECONDS,
                retry=Retry(NoBackoff(), 0),
            )
        keys = [PREFIX + bucket.name for bucket in buckets]
        numbers = [number for bucket, count in zip(buckets, used, strict=True) for number in (bucket.quota, count)]
        found = await self._client.eval(_TAKE, len(keys), *keys, *numbers)
        return [float(tokens) for tokens in found]

    def _note_away(self, error: Exception) -> None:
        self._quiet_until = time.monotonic() + AWAY_SECONDS
        if not self._is_away:
            logger.warning("Redis does not answer, and each API process counts requests by itself: %s", error)
        self._is_away = True

    def _note_back(self) -> None:
        if self._is_away:
            logger.info("Redis answers again: the API processes count requests together")
        self._is_away = False


def _plain_url(url: str) -> str:
    """As the client of Redis writes it: Celery has names of its own for a socket and its database."""
    if not url.startswith("redis+socket://"):
        return url
    path, _, query = url.removeprefix("redis+socket://").partition("?")
    numbers = parse_qs(query).get("virtual_host", [])
    return f"unix://{path}" + (f"?db={numbers[0].lstrip('/')}" if numbers else "")
