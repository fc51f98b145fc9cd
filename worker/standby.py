"""``python -m worker.standby``: imports what learning needs, then waits for the attempt that it is to run.

Its parent reads one line of JSON: null, or why nothing can be learned here. It is told ``JOB ATTEMPT [TRACEPARENT]``, a
line too; where the parent ends instead, so does this process.
"""

import json
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

from ml.errors import TorchMismatch
from ml.versions import check_versions
from worker import child

NAME = "pedigree-job"
"""What the kernel calls this process once it has a job; before, it has its program's name."""


def main() -> int:
    """Wait, then run one attempt; the exit status is the attempt's, or 0 where none came."""
    # A terminal's Ctrl-C is for the parent.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    child.begin_tracing()
    said = json.dumps(refusal_of_imports()) + "\n"
    # Who gave it a job meanwhile reads no more.
    with suppress(BrokenPipeError):
        os.write(sys.stdout.fileno(), said.encode())
    # What is printed from here on belongs into the worker's log.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    asked = sys.stdin.readline()
    if not asked:
        return 0
    with suppress(OSError):
        Path("/proc/self/comm").write_text(NAME, encoding="ascii")
    job_id, attempt, *traceparent = asked.split()
    return child.run(int(job_id), int(attempt), *traceparent)


def refusal_of_imports() -> str | None:
    """Import what all that learns imports; why that cannot be."""
    try:
        check_versions()
    except TorchMismatch as error:
        return f"{error.code}: {error.detail}. {error.hint}"
    child.import_learning()
    return None


if __name__ == "__main__":
    sys.exit(main())
