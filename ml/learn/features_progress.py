"""How far a network is with photos that it looks at once, for what is worked out from its features afterwards."""

import time

from ml.errors import Stopped
from ml.reporting import Progress, Reporter


class FeaturesProgress:
    """Tells how many of the ``photos`` are done and how long the others take, and notices that it must stop."""

    def __init__(self, reporter: Reporter, photos: int) -> None:
        self._reporter, self._photos, self._done = reporter, photos, 0
        self._began = time.monotonic()

    def begin(self) -> None:
        """Tell of none: if this process is killed for its memory, it is known that there are batches."""
        self._tell(None)

    def add(self, photos: int) -> None:
        """So many more are done.

        Raises:
            Stopped: the reporter asked for it.
        """
        self._done += photos
        self._tell((time.monotonic() - self._began) / self._done * (self._photos - self._done))
        if self._reporter.should_stop():
            raise Stopped

    def _tell(self, left: float | None) -> None:
        self._reporter.on_progress(
            Progress(stage="features", in_batches=True, step=self._done, steps=self._photos, stage_eta_seconds=left)
        )
