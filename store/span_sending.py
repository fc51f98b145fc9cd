"""Spans that wait to be sent to a collector: a bounded queue, and the thread that empties it a batch at a time."""

import logging
import threading
import time
from collections import deque

import httpx

from store.collector import read_headers, traces_address
from store.otlp import message_of, resource_of
from store.settings import Settings
from store.tracing import Span

log = logging.getLogger(__name__)
# Its line for each request would be one for each batch.
logging.getLogger("httpx").setLevel(logging.WARNING)

MOST_WAITING = 8192
"""Spans, of about a kilobyte; the next ones are dropped."""
BATCH = 512
EVERY_SECONDS = 2.0
"""Between two batches that are not full."""
LONGEST_REST_SECONDS = 60.0
"""Between two tries to reach a collector that is away."""
SEND_SECONDS = 5.0
MOST_OF_ANSWER = 64 * 1024
"""Bytes that are read of an answer, which needs few."""
CLOSE_SECONDS = 1.5
"""For what waits at the end, so that a process ends within two seconds."""
WARN_SECONDS = 300.0
"""Between two lines about a collector that does not take what is sent."""

_AWAY = frozenset({429, 502, 503, 504})
"""What says, as OTLP has it, that the same may be sent again."""


class SpanSender:
    """Takes spans that are over, from any thread and without a wait; sends each, again while the collector is away."""

    def __init__(self, client: httpx.Client, address: str, service: str, share: float) -> None:
        """Start sending to an address with a client; of the traces that begin in this process a share is told."""
        self.share = share
        self.dropped = 0
        self._client, self._address, self._resource = client, address, resource_of(service)
        self._waiting: deque[Span] = deque()
        self._changed = threading.Condition()
        self._is_closed = False
        self._rest = 0.0
        self._warned_at: float | None = None
        self._thread = threading.Thread(target=self._run, name="spans", daemon=True)
        self._thread.start()

    @classmethod
    def of(cls, settings: Settings, service: str) -> "SpanSender":
        """To the collector of the settings."""
        headers = read_headers(settings.otlp_headers)
        # Neither a proxy of the shell nor a password of its .netrc is meant for the collector.
        client = httpx.Client(
            headers={**headers, "content-type": "application/x-protobuf"},
            verify=httpx.create_ssl_context(),
            trust_env=False,
            timeout=SEND_SECONDS,
        )
        return cls(client, traces_address(settings.otlp_endpoint), service, settings.trace_share)

    def take(self, span: Span) -> None:
        """Queue a span, where there is room."""
        with self._changed:
            if self._is_closed or len(self._waiting) >= MOST_WAITING:
                self.dropped += 1
                return
            self._waiting.append(span)
            if len(self._waiting) == BATCH:
                self._changed.notify()

    def close(self) -> None:
        """Send what waits, for so long; where the collector was away a moment ago, it is not waited for."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        self._thread.join(0.0 if self._rest else CLOSE_SECONDS)
        with self._changed:
            left = len(self._waiting)
            self._waiting.clear()
        if left:
            self._drop(left, "the process ended before the collector took them")

    def _run(self) -> None:
        while (batch := self._next_batch()) is not None:
            if batch:
                self._send(batch)
        self._client.close()

    def _next_batch(self) -> list[Span] | None:
        """What has gathered; None at the end."""
        with self._changed:
            full = BATCH if not self._rest else MOST_WAITING + 1
            self._changed.wait_for(
                lambda: self._is_closed or len(self._waiting) >= full, timeout=max(self._rest, EVERY_SECONDS)
            )
            if self._is_closed and (self._rest or not self._waiting):
                return None
            return [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]

    def _send(self, batch: list[Span]) -> None:
        try:
            answer = self._post(message_of(self._resource, batch))
        except httpx.TransportError as error:
            self._put_back(batch, f"{type(error).__name__}: {error}")
            return
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not end the thread
            # Of ours, and the same at the next try: what is behind it would wait for ever.
            self._drop(len(batch), f"{type(error).__name__}: {error}")
            return
        if answer.status_code in _AWAY:
            self._put_back(batch, f"it answers {answer.status_code}")
            return
        self._rest = 0.0
        if not answer.is_success:
            self._drop(len(batch), f"it answers {answer.status_code}")

    def _post(self, message: bytes) -> httpx.Response:
        """The answer to a message; its body is read, as it came, for the connection to serve again, and no further."""
        end, read = time.monotonic() + SEND_SECONDS, 0
        with self._client.stream("POST", self._address, content=message) as answer:
            for piece in answer.iter_raw():
                read += len(piece)
                if read > MOST_OF_ANSWER or time.monotonic() > end:
                    break
        return answer

    def _put_back(self, batch: list[Span], why: str) -> None:
        """Have them sent again after a rest, longer each time."""
        self._rest = min(2 * self._rest or EVERY_SECONDS, LONGEST_REST_SECONDS)
        with self._changed:
            room = MOST_WAITING - len(self._waiting)
            kept, lost = batch[:room], batch[room:]
            self._waiting.extendleft(reversed(kept))
            self.dropped += len(lost)
        self._warn(why)

    def _drop(self, count: int, why: str) -> None:
        with self._changed:
            self.dropped += count
        self._warn(why)

    def _warn(self, why: str) -> None:
        """A line in the log now and then: the reason, without what was sent along."""
        now = time.monotonic()
        if self._warned_at is None or now - self._warned_at >= WARN_SECONDS:
            self._warned_at = now
            log.warning("traces do not reach %s (%s); %d spans dropped so far", self._address, why, self.dropped)
