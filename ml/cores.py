"""How many threads or processes are worth starting here: a container may have fewer cores than its machine."""

import os
from pathlib import Path

MOST = 32
_QUOTA = Path("/sys/fs/cgroup/cpu.max")
"""Of version 2 of Linux's control groups: microseconds of processor time in each period, or ``max``."""


def worth_starting(quota: Path = _QUOTA) -> int:
    """The cores that this process may use, by its affinity and its container's quota; at least 1, at most 32."""
    return max(1, min(_by_affinity(), _by_quota(quota), MOST))


def _by_affinity() -> int:
    # macOS knows no affinity.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _by_quota(quota: Path) -> int:
    try:
        time, period = quota.read_text(encoding="ascii").split()
    except (OSError, ValueError):
        return MOST
    return MOST if time == "max" else -(-int(time) // int(period))
