"""How far a stage of an import is."""

from ml.errors import Stopped
from ml.reporting import Progress
from worker.attempt import Attempt


class StageProgress:
    """Progress of one stage, counted in ``unit``; also where an import notices that it must stop."""

    def __init__(self, attempt: Attempt, stage: str, unit: int = 1) -> None:
        self._attempt, self._stage, self._unit = attempt, stage, unit

    def __call__(self, done: int, total: int) -> None:
        """Say so; raises Stopped."""
        step, steps = done // self._unit, total // self._unit
        self._attempt.reporter.on_progress(Progress(stage=self._stage, step=step, steps=steps))
        if self._attempt.reporter.should_stop():
            raise Stopped
