"""A new API process that takes over from the one that runs: both listen on one socket, so that nobody is refused."""

import os
import select
import signal
import sys
from dataclasses import replace
from time import monotonic

from cli.processes import end_process, kill_group, last_line, start_process
from cli.services import API_STOP, HOUSE, Service

READY_SECONDS = 180.0
"""A cold disk makes the import of torch slow, and the model in production is loaded before it counts as ready."""


class Succession:
    """Started with its making; ``look`` says how it goes. The old process is asked to stop when the new is ready."""

    def __init__(self, old: Service) -> None:
        """Start a process like ``old``, which goes on meanwhile."""
        self._old = old
        self._began = monotonic()
        self._ready, told = os.pipe()
        command = [sys.executable, "-m", *old.arguments, "--ready-fd", str(told)]
        passed = [told] if old.held is None else [told, old.held]
        try:
            self._new = start_process(command, log=old.log, cwd=HOUSE, environment=old.environment, passed=passed)
        finally:
            os.close(told)

    def look(self) -> Service | str | None:
        """None while it starts; then the service that has taken over, or a sentence why none has."""
        if select.select([self._ready], [], [], 0)[0]:
            is_ready = os.read(self._ready, 1) == b"1"
            return self._taken_over() if is_ready else self._given_up(f"it ended: {last_line(self._old.log)}")
        if monotonic() - self._began > READY_SECONDS:
            return self._given_up(f"it was not ready within {READY_SECONDS:.0f} s")
        return None

    def stop(self) -> None:
        """End the new process; the old one is somebody else's to end."""
        os.close(self._ready)
        end_process(self._new, API_STOP)

    def _taken_over(self) -> Service:
        os.close(self._ready)
        successor = replace(self._old)
        successor.process = self._new
        if self._old.process is not None:
            self._old.process.send_signal(signal.SIGTERM)
        return successor

    def _given_up(self, why: str) -> str:
        os.close(self._ready)
        kill_group(self._new)
        return why
