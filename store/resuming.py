"""What helps after a job that failed or was cancelled: resuming it, or another job."""

from typing import Any

WORTH_RESUMING = frozenset(
    {
        "artifact_missing",
        "device_busy",
        "device_unavailable",
        "disk_full",
        "internal_error",
        "job_crashed",
        "torch_mismatch",
        "unavailable",
        "weights_invalid",
        "weights_missing",
        "worker_lost",
    }
)
"""Codes of failures whose cause lies outside of the job. Any other comes again: a job's config never changes."""


def way_on(job_id: int, error: dict[str, Any] | None) -> str:
    """One sentence or two on what to do.

    Args:
        job_id: the job that ended.
        error: {"code", "detail", "hint"} of one that failed; None for one that was cancelled.
    """
    if error is None or error["code"] in WORTH_RESUMING:
        return f"POST /jobs/{job_id}/resume, or queue a new job."
    hint = error.get("hint") or "Change what the error names."
    return f"Queue a new job: resuming would end the same way. {hint}"
