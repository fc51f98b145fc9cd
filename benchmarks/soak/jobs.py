"""The jobs of a soak, spread over its time."""

from tests.faults.work import CONFIGS, What, Work

MOST_OPEN = 6
"""Jobs that are posted and have not ended; a further one waits until one has."""
POSTED_IN = 0.92
"""Share of the run in which all are posted, so that the last ones are disturbed too."""
TURN: tuple[What, ...] = (
    "train",
    "train",
    "interpret",
    "train",
    "cancel",
    "train",
    "predict",
    "train",
    "train",
    "import",
)


class Jobs:
    """Posts so many jobs, in even steps."""

    def __init__(self, work: Work, run: int, number: int, run_seconds: float) -> None:
        """``run``: a finished one, to be interpreted; ``number``: of jobs; ``run_seconds``: the time they are for."""
        self.work, self.posted = work, 0
        self._run, self._number = run, number
        self._step = POSTED_IN * run_seconds / number

    def post(self, second: float) -> None:
        """Post what is due at this second of the run, later where many are open."""
        while not self.all_posted() and second >= self.posted * self._step and self._has_room():
            what = TURN[self.posted % len(TURN)]
            self.work.begin(what, f"{what}-{self.posted}", config=self.posted % len(CONFIGS), run=self._run)
            self.posted += 1

    def all_posted(self) -> bool:
        """Whether none is left."""
        return self.posted == self._number

    def _has_room(self) -> bool:
        return self.posted - self.work.ended() < MOST_OPEN
