"""``python -m cli.weights_process find|fetch ARCH FOLDER SEARCHED``: where weights are, as JSON lines.

A process of its own, because it imports torch, which would double the time of every other command.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Protocol

from ml.errors import LearningError, WeightsMissing
from ml.late import Late
from ml.versions import check_versions

if TYPE_CHECKING:
    from ml.fetch.weights import WeightsFile

Find = Callable[[str, Path, Callable[[int, int], None]], "WeightsFile"]


class Fetch(Protocol):
    """As ``ml.fetch.weights.fetch_weights``."""

    def __call__(
        self, arch: str, into: Path, on_progress: Callable[[int, int], None], *, searched: Path
    ) -> "WeightsFile": ...


_FIND: Late[Find] = Late("ml.fetch.weights", "find_weights")
_FETCH: Late[Fetch] = Late("ml.fetch.weights", "fetch_weights")

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


def weights_of(verb: str, arch: str, folder: Path, searched: Path) -> dict[str, object]:
    """``fetch`` puts a file into the folder; ``find`` does so only where no other place has it.

    Trainings look into ``searched``.

    Returns:
        The file's path, SHA-256 and source.

    Raises:
        LearningError: there are none to be had, or torch and torchvision do not fit each other.
    """
    check_versions()
    # torch comes in with them: a pair that does not fit can be named only before that.
    find, fetch = _FIND.get(), _FETCH.get()
    if verb == "find":
        try:
            found = find(arch, folder, Report())
        except WeightsMissing:
            found = fetch(arch, folder, Report(), searched=searched)
    else:
        found = fetch(arch, folder, Report(), searched=searched)
    return {"path": str(found.path), "sha256": found.sha256, "source": found.source}


def main() -> int:
    """Print the file found, or the error; 0 and 1."""
    verb, arch, folder, searched = sys.argv[1:]
    try:
        found = weights_of(verb, arch, Path(folder), Path(searched))
    except LearningError as error:
        say({"code": error.code, "detail": error.detail, "hint": error.hint})
        return 1
    say(found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
