"""Where a job that learns finds and leaves its files."""

from ml.learn.setup import Paths
from worker.attempt import Attempt


def paths_of(attempt: Attempt) -> Paths:
    """An attempt's folders, and what may be kept in them."""
    settings = attempt.settings
    return Paths(
        cache=settings.cache,
        weights=settings.weights,
        work=attempt.work,
        limits=attempt.limits,
        cache_bytes=settings.cache_bytes,
    )
