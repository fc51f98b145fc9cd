"""A process that has imported what learning needs, kept for the next job that learns, so that it begins at once.

It is started when there is nothing to do: at the worker's start, where it also says whether anything can be learned
here, and after a job. Like every job's process it ends with the worker.
"""

import json
import subprocess
from contextlib import suppress

from worker.exit_status import describe_status
from worker.tether import tethered


class ReadyProcess:
    """Not for several threads: the kernel ends a process with the thread that started it."""

    def __init__(self) -> None:
        self._waiting: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Have one on its way, unless one waits already."""
        if self._waiting is not None and self._waiting.poll() is None:
            return
        self.end()
        self._waiting = subprocess.Popen(  # noqa: S603 - our own module
            tethered("worker.standby", niceness=0),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )

    def refusal(self) -> str | None:
        """Wait until it is ready; why it can learn nothing, or what it ended with."""
        waiting = self._waiting
        if waiting is None or waiting.stdout is None:
            return None
        said = waiting.stdout.readline()
        if not said:
            return f"the process that was to learn ended with {describe_status(waiting.wait())}"
        refusal: str | None = json.loads(said)
        return refusal

    def take(self, job_id: int, attempt: int, *traceparent: str) -> "subprocess.Popen[bytes] | None":
        """It, told of the attempt, and of its span where it is traced; None where there is none alive."""
        waiting, self._waiting = self._waiting, None
        if waiting is None or waiting.stdin is None:
            return None
        try:
            with waiting.stdin as line:
                line.write(f"{' '.join([str(job_id), str(attempt), *traceparent])}\n".encode())
        except OSError:
            _end(waiting)
            return None
        _close(waiting)
        return waiting

    def end(self) -> None:
        """Without a job."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            _end(waiting)


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    process.wait()
    _close(process)


def _close(process: "subprocess.Popen[bytes]") -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(OSError):
                pipe.close()
