"""``python -m ml.serve.choosing PARENT``: makes a choice in a process that gives way to all others.

From its input it reads a line of JSON and after that the photos, one behind the other; it prints the choice as JSON. It
ends with its parent, and where memory runs out the kernel ends it first.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ml.decode.images import Limits
from ml.errors import LearningError
from ml.serve.choice import Choice, Sample, choose
from ml.tied import end_with

NICENESS = 10
REFUSED = 3
"""The exit code where the model cannot be measured; what is printed says why."""


class ChoosingFailed(LearningError):
    """No choice was made: the process ended, or took too long."""

    code = "choosing_failed"


def choose_apart(
    folder: Path,
    samples: Sequence[Sample],
    limits: Limits,
    device: str,
    *,
    seconds: float,
    started: Callable[[subprocess.Popen[bytes]], None],
) -> Choice:
    """As :func:`ml.serve.choice.choose`, in a process of its own.

    Args:
        folder: with the model's files.
        samples: of the run's validation side.
        limits: what a picture may cost.
        device: auto, cpu or cuda.
        seconds: the most that it may take; then it is killed.
        started: told of the process, so that it can be killed before.

    Raises:
        ChoosingFailed: it made none.
    """
    command = [sys.executable, "-m", "ml.serve.choosing", str(os.getpid())]
    # From its own thread: the kernel kills the process with the thread that started it.
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:  # noqa: S603 - our own module
        started(process)
        try:
            out, _ = process.communicate(_written(folder, samples, limits, device), timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            raise ChoosingFailed(f"measuring took longer than {seconds:g} seconds") from None
    return _read(process.returncode, out)


def _written(folder: Path, samples: Sequence[Sample], limits: Limits, device: str) -> bytes:
    head = {
        "folder": str(folder),
        "limits": asdict(limits),
        "device": device,
        "samples": [{"bytes": len(one.data), "probabilities": one.probabilities.tolist()} for one in samples],
    }
    return b"".join([json.dumps(head).encode(), b"\n", *(one.data for one in samples)])


def _read(code: int, out: bytes) -> Choice:
    if code == REFUSED:
        raise ChoosingFailed(out.decode("utf-8", "replace"))
    try:
        return Choice.read(json.loads(out)) if code == 0 else _ended(code)
    except ValueError as error:
        raise ChoosingFailed(f"the process that measures printed no choice: {error}") from error


def _ended(code: int) -> Choice:
    raise ChoosingFailed(f"the process that measures ended with code {code}")


def main(parent: int, incoming: BinaryIO) -> int:
    """Choose once; the exit code."""
    if not end_with(parent):
        return 1
    os.nice(NICENESS)
    with suppress(OSError):
        # Not there on other systems.
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    head = json.loads(incoming.readline())
    samples = [
        Sample(incoming.read(one["bytes"]), np.asarray(one["probabilities"], np.float32)) for one in head["samples"]
    ]
    try:
        choice = choose(Path(head["folder"]), samples, Limits(**head["limits"]), head["device"])
    except LearningError as error:
        sys.stdout.write(error.detail)
        return REFUSED
    sys.stdout.write(json.dumps(choice.content()))
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.stdin.buffer))
