"""A process that opens a presized cache: ``python -m tests.ml.cache_builder FOLDER ROOT SLOW``.

Prints a line for each progress report and ``built N`` or ``found N`` at the end. With SLOW above 0 each picture takes
that many seconds, so that a test can meet the build half-way.
"""

import sys
import time
from pathlib import Path

from ml.data.bundle import Folder
from ml.data.cache import open_cache
from ml.data.manifest import LabelRule, Manifest
from ml.data.scan import scan_folder
from ml.decode.images import Limits


class SlowFolder(Folder):
    """Counts its reads and takes its time over each."""

    def __init__(self, folder: Path, manifest: Manifest, seconds: float) -> None:
        super().__init__(folder, manifest)
        self.seconds = seconds
        self.reads = 0

    def read(self, index: int) -> bytes:
        self.reads += 1
        time.sleep(self.seconds)
        return super().read(index)


def main(folder: Path, root: Path, seconds: float) -> None:
    manifest = scan_folder(folder, LabelRule(), name="pets")
    source = SlowFolder(folder, manifest, seconds)
    cache = open_cache(manifest, source, presize=32, root=root, limits=Limits(), on_progress=tell)
    say(f"{'built' if source.reads else 'found'} {len(cache)} {int(cache.centre(0).sum())}")


def tell(done: int, total: int) -> None:
    say(f"progress {done} {total}")


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3]))
