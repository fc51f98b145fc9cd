"""The project's own processes: worker, repair and API, each `python -m …` with the stack's settings."""

import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from cli.errors import StackError
from cli.processes import end_process, last_line, start_process

HOUSE = Path(__file__).parent.parent
"""Where the packages lie; a process that starts here finds them before anything of the user's folder."""

Escalation = Sequence[tuple[signal.Signals, float]]

WORKER_STOP: Escalation = ((signal.SIGTERM, 30.0), (signal.SIGKILL, 5.0))  # a job puts its work down first
REPAIR_STOP: Escalation = ((signal.SIGTERM, 10.0), (signal.SIGKILL, 5.0))
API_STOP: Escalation = ((signal.SIGINT, 8.0), (signal.SIGINT, 2.0), (signal.SIGKILL, 5.0))  # SIGTERM is the patient way


class Part(Protocol):
    """Something of the stack that runs: a server or a service."""

    process: subprocess.Popen[bytes] | None
    log: Path

    def start(self) -> object:
        """Start it, and wait where others depend on it."""

    def stop(self) -> None:
        """Stop it within seconds."""


@dataclass
class Service:
    """One of our own programs, started again with the same words after it ended."""

    arguments: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    escalation: Escalation
    held: int | None = None  # a socket that it is to have under the same number
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def start(self) -> None:
        """Start it; whether it stays up is for others to watch."""
        command = [sys.executable, "-m", *self.arguments]
        passed = () if self.held is None else (self.held,)
        self.process = start_process(command, log=self.log, cwd=HOUSE, environment=self.environment, passed=passed)

    def stop(self) -> None:
        """Ask, then insist."""
        if self.process is not None:
            end_process(self.process, self.escalation)
            self.process = None


def run_once(arguments: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
    """Run one of our programs to its end.

    Raises:
        StackError: it failed; the detail ends with the last line it said.
    """
    process = start_process([sys.executable, "-m", *arguments], log=log, cwd=HOUSE, environment=environment)
    if process.wait() != 0:
        raise StackError(f"`python -m {' '.join(arguments)}` failed: {last_line(log).rstrip('.')}.", f"Read {log}.")
