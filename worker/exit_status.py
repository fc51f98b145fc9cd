"""What a process ended with, in words."""

import signal


def describe_status(status: int) -> str:
    """``signal SIGKILL`` or ``exit status 1``."""
    if status < 0:
        return f"signal {signal.Signals(-status).name}"
    return f"exit status {status}"
