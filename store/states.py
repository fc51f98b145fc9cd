"""The states of a job and the only moves between them."""

from enum import StrEnum


class State(StrEnum):
    """Where a job stands. ``cancelled`` is said only when the job's process has exited."""

    QUEUED = "queued"
    RUNNING = "running"
    CANCELLING = "cancelling"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


FINAL = frozenset({State.SUCCEEDED, State.FAILED, State.CANCELLED})

MOVES: dict[State, frozenset[State]] = {
    State.QUEUED: frozenset({State.RUNNING, State.CANCELLED}),
    State.RUNNING: frozenset({State.SUCCEEDED, State.FAILED, State.CANCELLING, State.QUEUED}),
    State.CANCELLING: frozenset({State.CANCELLED, State.SUCCEEDED, State.FAILED}),
    State.SUCCEEDED: frozenset(),
    State.FAILED: frozenset({State.QUEUED}),
    State.CANCELLED: frozenset({State.QUEUED}),
}
"""From each state, the states it may become.

``running → queued`` is a lost lease, ``failed | cancelled → queued`` a resume. ``cancelling → succeeded`` is a job
that finished before it saw the request: its work is kept.
"""


def sources_of(target: State) -> frozenset[State]:
    """The states from which ``target`` may be reached."""
    return frozenset(state for state, targets in MOVES.items() if target in targets)


def standing(state: str) -> str:
    """``is running``, ``has failed``, ``was cancelled``: a state in a sentence."""
    said = {State.SUCCEEDED: "has succeeded", State.FAILED: "has failed", State.CANCELLED: "was cancelled"}
    return said.get(State(state), f"is {state}")
