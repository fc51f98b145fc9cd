"""Times for people: by the clock of this machine, with the zone that it keeps."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any


def local_time(text: str) -> str:
    """``2026-11-27T00:12:05.1Z`` as ``2026-11-27 01:12 CET``; zones by ``TZ``, else the machine's."""
    return datetime.fromisoformat(text).astimezone().strftime("%Y-%m-%d %H:%M %Z")


def times_of(record: Mapping[str, Any]) -> list[tuple[str, str | None]]:
    """When a run or job was created, started and finished; None for what has not come yet."""
    times = [(name, record.get(f"{name}_at")) for name in ("created", "started", "finished")]
    return [(name, None if time is None else local_time(time)) for name, time in times]
