"""Where a job that learns finds and leaves its files."""

from ml.learn.setup import Places
from worker.attempt import Attempt


def places_of(attempt: Attempt) -> Places:
    """An attempt's folders, and what may be kept in them."""
    settings = attempt.settings
    return Places(
        cache=settings.cache,
        weights=settings.weights,
        work=attempt.work,
        limits=attempt.limits,
        cache_bytes=settings.cache_bytes,
    )
