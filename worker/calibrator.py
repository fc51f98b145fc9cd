"""A calibration from message to answer: claim, child process, time limit.

As for a job, this process imports neither torch nor ``ml``: a child measures.
"""

import logging
import time

from store.db.calibrations import fail_request, take_request
from store.lanes import Lane
from worker.lifecycle import Host, describe_status, ends_within, kill_group, start_child

log = logging.getLogger(__name__)

_PATIENCES = 2.0
"""A child is killed after so many times what the asker waits: a figure that comes late still serves the next one."""

_POLL_SECONDS = 0.1


def answer(host: Host, request_id: int) -> None:
    """Have a child measure, unless the asker has given up; a child that cannot answer is spoken for."""
    patience = host.settings.calibration_seconds
    with host.sessions.begin() as session:
        if not take_request(session, request_id, worker=host.name, patience_seconds=patience):
            log.info("calibration %d is not waited for any more", request_id)
            return
    child = start_child("worker.calibration", request_id, lane=Lane.TRAIN)
    deadline = time.monotonic() + _PATIENCES * patience
    try:
        while not ends_within(child, _POLL_SECONDS):
            if host.stopping.is_set() or time.monotonic() >= deadline:
                break
    finally:
        kill_group(child)
    if child.returncode != 0:
        late, stopped = time.monotonic() >= deadline, host.stopping.is_set()
        detail = f"the measurement ended with {describe_status(child.returncode)}"
        if stopped or late:
            detail = "the worker was stopped" if stopped else f"it took more than {_PATIENCES * patience:.0f} s"
        _speak_for(host, request_id, detail)


def _speak_for(host: Host, request_id: int, detail: str) -> None:
    hint = "Choose a smaller arch, size or batch_size, or train one epoch: its times are kept for forecasts."
    log.warning("calibration %d: %s", request_id, detail)
    with host.sessions.begin() as session:
        fail_request(session, request_id, {"code": "calibration_failed", "detail": detail, "hint": hint})
