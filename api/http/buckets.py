"""Token buckets in this process: how many requests each caller may still send."""

from collections import OrderedDict
from dataclasses import dataclass

WINDOW_SECONDS = 60.0
MOST_BUCKETS = 10_000
"""Callers that are remembered; of more, whoever was heard of longest ago begins anew."""
REPORTS = 240
"""A caller who uses the whole of a minute's requests is told of to the others so many times."""


@dataclass(slots=True)
class Bucket:
    """One caller's: it holds ``quota`` requests, and takes a minute to fill."""

    name: str
    quota: int
    tokens: float
    filled_at: float
    unsent: int = 0
    """Requests that the other processes have not been told of."""

    @property
    def is_due(self) -> bool:
        """Whether it is time to tell them."""
        return self.unsent >= max(1, self.quota // REPORTS)

    def take(self, now: float) -> bool:
        """Take a request out; whether there was one. ``now`` is in monotonic seconds."""
        filled = self.tokens + (now - self.filled_at) * self.quota / WINDOW_SECONDS
        self.tokens, self.filled_at = min(float(self.quota), filled), now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        self.unsent += 1
        return True

    def seconds_until(self, tokens: float) -> float:
        """How long it takes until the bucket holds so many."""
        return max(0.0, tokens - self.tokens) * WINDOW_SECONDS / self.quota


class Buckets:
    """Those of all callers that were heard of of late."""

    def __init__(self) -> None:
        self._held: OrderedDict[str, Bucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._held)

    def of(self, name: str, quota: int, now: float) -> Bucket:
        """A caller's bucket; a full one for who is new."""
        found = self._held.get(name)
        if found is None:
            found = self._held[name] = Bucket(name, quota, float(quota), now)
            if len(self._held) > MOST_BUCKETS:
                self._held.popitem(last=False)
        else:
            self._held.move_to_end(name)
        return found
