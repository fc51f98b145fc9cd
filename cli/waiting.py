"""What a queued job waits for, in words."""

from rich.cells import cell_len

from cli.client import Json
from cli.progress_line import fitted
from cli.saying import plain
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
    if waiting["reason"] != "busy":
        return _not_busy(waiting)
    left, more = _left(waiting["behind"]), _more(waiting)
    return f"{_behind(waiting)}{left and f', {left}'}{more and f'; {more}'}"


def waiting_line(waiting: Json, width: int, waited: float, what: str = "") -> str:
    """As much of it as fits into ``width`` cells, for what has ``waited`` so many seconds.

    What goes first is the time waited, then how many are ahead, then what holds it up; how long that takes stays.
    """
    queued, passed = f"{what} queued".lstrip(), f"  waited {short_time(waited)}"
    if waiting["reason"] != "busy":
        return _first_that_fits(width, *(f"{queued}: {_not_busy(waiting)}{more}" for more in (passed, "")))
    held = waiting["behind"]
    left, more = _left(held), _more(waiting)
    behind, left, more = _behind(waiting), left and f", {left}", more and f"; {more}"
    short = behind if held is None else f"behind job {held['job']}"
    lines = [f"{queued} {behind}{left}{more}{passed}", f"{queued} {behind}{left}{more}", f"{queued} {behind}{left}"]
    lines += [f"{queued} {short}{left}", f"{short}{left}", f"{queued}{left}", f"{queued} {short}"]
    return _first_that_fits(width, *lines)


def _first_that_fits(width: int, *lines: str) -> str:
    plainly = [plain(line) for line in lines]
    return next((line for line in plainly if cell_len(line) <= width), fitted(plainly[-1], width))


def _not_busy(waiting: Json) -> str:
    if waiting["reason"] == "no_worker":
        return f"no worker of the {waiting['lane']} lane runs"
    return _NOT_BUSY[waiting["reason"]]


def _behind(waiting: Json) -> str:
    held = waiting["behind"]
    if held is None:
        return f"behind {counted(waiting['ahead'], 'other', 'others')}"
    run = f", run {held['run']}" if held["run"] is not None else ""
    return f"behind job {held['job']} ({held['kind']}{run})"


def _left(held: Json | None) -> str:
    if held is None:
        return ""
    if held["state"] == "cancelling":
        return "which is being cancelled"
    return "" if held["eta_seconds"] is None else f"about {short_time(held['eta_seconds'])} left"


def _more(waiting: Json) -> str:
    return f"{waiting['ahead']} more ahead" if waiting["ahead"] and waiting["behind"] is not None else ""
