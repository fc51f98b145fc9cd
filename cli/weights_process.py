"""``python -m cli.weights_process find|fetch ARCH FOLDER``: where weights are, as JSON lines.

A process of its own, because it imports torch, which would double the time of every other command.
"""

import json
import sys
from pathlib import Path
from time import monotonic

from ml.errors import LearningError, WeightsMissing
from ml.weights import WeightsFile, fetch_weights, find_weights

REPORT_SECONDS = 0.5


class Report:
    """Says how far a download has come, twice a second."""

    def __init__(self) -> None:
        """Say nothing in the first half second."""
        self.said_at = monotonic()

    def __call__(self, done: int, total: int) -> None:
        """Print bytes done and in all."""
        if monotonic() - self.said_at >= REPORT_SECONDS:
            self.said_at = monotonic()
            say({"done": done, "total": total})


def say(line: dict[str, object]) -> None:
    """One JSON object on a line."""
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def weights_of(verb: str, arch: str, folder: Path) -> WeightsFile:
    """``fetch`` puts a file into the folder; ``find`` does so only where no other place has it.

    Raises:
        LearningError: there are none to be had.
    """
    if verb == "find":
        try:
            return find_weights(arch, folder, Report())
        except WeightsMissing:
            return fetch_weights(arch, folder, Report())
    return fetch_weights(arch, folder, Report())


def main() -> int:
    """Print the file found, or the error; 0 and 1."""
    verb, arch, folder = sys.argv[1:]
    try:
        found = weights_of(verb, arch, Path(folder))
    except LearningError as error:
        say({"code": error.code, "detail": error.detail, "hint": error.hint})
        return 1
    say({"path": str(found.path), "sha256": found.sha256, "source": found.source})
    return 0


if __name__ == "__main__":
    sys.exit(main())
