"""Times for people: by the clock of this machine, with the zone that it keeps."""

from datetime import datetime


def local_time(text: str) -> str:
    """``2026-11-27T00:12:05.1Z`` as ``2026-11-27 01:12 CET``; zones by ``TZ``, else the machine's."""
    return datetime.fromisoformat(text).astimezone().strftime("%Y-%m-%d %H:%M %Z")
