"""What helps after a job that failed or was cancelled: resuming it, or another job."""

from typing import Any

from store.errors import Hint, Request
from store.states import State

WORTH_RESUMING = frozenset(
    {
        "artifact_missing",
        "device_busy",
        "device_unavailable",
        "disk_full",
        "internal_error",
        "job_crashed",
        "torch_mismatch",
        "trials_failed",
        "unavailable",
        "unknown_kind",
        "weights_invalid",
        "weights_missing",
        "worker_lost",
    }
)
"""Codes of failures whose cause lies outside of the job. Any other comes again: a job's config never changes."""


def is_resumable(state: State, error: dict[str, Any] | None) -> bool:
    """Whether resuming a job that stands so helps."""
    if state == State.CANCELLED:
        return True
    return state == State.FAILED and error is not None and error["code"] in WORTH_RESUMING


def way_on(job_id: int, error: dict[str, Any] | None) -> Hint:
    """What to do.

    Args:
        job_id: the job that ended.
        error: {"code", "detail", "hint"} of one that failed; None for one that was cancelled.
    """
    if error is None or error["code"] in WORTH_RESUMING:
        return Hint("Queue a new job, or resume that one.", Request("POST", f"/jobs/{job_id}/resume"))
    hint = error.get("hint") or "Change what the error names."
    return Hint(f"Queue a new job: resuming would end the same way. {hint}")
