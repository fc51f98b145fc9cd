"""What a queued job waits for, in words."""

from cli.client import Json
from cli.tables import counted, short_time

_NOT_BUSY = {
    "starting": "about to start",
    "resting": "tried again in a moment, as its last attempt broke off",
    "unpublished": "the broker has not been told of it yet; the repair process will",
}


def waiting_words(job: Json) -> str:
    """``queued behind job 5 (train, run 3), about 13 min 32 s left; 1 more ahead``; nothing where it does not wait."""
    where = where_it_waits(job)
    if not where:
        return ""
    return f"queued {where}" if job["waiting"]["reason"] == "busy" else f"queued: {where}"


def where_it_waits(job: Json) -> str:
    """The same without its first word."""
    waiting = job.get("waiting")
    if not waiting:
        return ""
    if waiting["reason"] == "no_worker":
        return f"no worker of the {waiting['lane']} lane runs"
    if waiting["reason"] in _NOT_BUSY:
        return _NOT_BUSY[waiting["reason"]]
    return _behind(waiting["behind"], waiting["ahead"])


def _behind(held: Json | None, ahead: int) -> str:
    if held is None:
        return f"behind {counted(ahead, 'other', 'others')}"
    run = f", run {held['run']}" if held["run"] is not None else ""
    more = f"; {ahead} more ahead" if ahead else ""
    return f"behind job {held['job']} ({held['kind']}{run}){_left(held)}{more}"


def _left(held: Json) -> str:
    if held["state"] == "cancelling":
        return ", which is being cancelled"
    return "" if held["eta_seconds"] is None else f", about {short_time(held['eta_seconds'])} left"
