"""When a process counts as flat.

A process that lives for a third of the run and four minutes is compared with itself: after a twelfth of the run, and a
minute at least, to warm up, the median of its last third's samples with that of its first third's. One that is killed
again and again is compared with its successors at the same age: each life's median between 60 and 75 s, of the last
third of the lives with that of the first third. The later median may be higher by 10 % and, beside that, by what
ALLOWED says.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Literal

Figure = Literal["mib", "handles", "children"]

ALLOWED: dict[Figure, float] = {"mib": 20.0, "handles": 5.0, "children": 2.0}
"""By how much a figure may be higher later, beside SHARE: resident memory in MiB, open file descriptors, processes."""
SHARE = 0.10
LONG, WARM = 1 / 3, 1 / 12
"""Shares of the run."""
LEAST_LONG, LEAST_WARM = 240.0, 60.0
"""Seconds, where the run is short."""
EQUAL_AGE = (60.0, 75.0)
"""Seconds: when a process has imported what it needs, also on a machine with a load of 20, where an API takes 50 s."""
LEAST_LIVES = 6
LEAST_SAMPLES = 6
"""Fewer have no thirds."""


@dataclass(frozen=True)
class Sample:
    """What a process holds at a moment, in seconds since the run began; ``age`` is the process' own, in seconds."""

    second: float
    age: float
    mib: float
    handles: int
    children: int


@dataclass
class Life:
    """A process of a part, from its start to its end."""

    part: str
    pid: int
    samples: list[Sample] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """How long it was seen."""
        return self.samples[-1].age if self.samples else 0.0


@dataclass(frozen=True)
class Course:
    """A figure of a part, early and late: of one long life, or of so many short ones at equal age."""

    part: str
    figure: Figure
    lives: int
    seconds: float
    """Of the life, or of the longest."""
    before: float
    after: float

    @property
    def most(self) -> float:
        """Up to which the later median is flat."""
        return (1 + SHARE) * self.before + ALLOWED[self.figure]

    @property
    def is_flat(self) -> bool:
        """Whether it is."""
        return self.after <= self.most


def courses(lives: Sequence[Life], run_seconds: float) -> list[Course]:
    """Of every part's longest life that is long, and of its lives at equal age where they are enough."""
    found = []
    long, warm = max(LEAST_LONG, LONG * run_seconds), max(LEAST_WARM, WARM * run_seconds)
    for part in dict.fromkeys(life.part for life in lives):
        own = [life for life in lives if life.part == part]
        longest = max(own, key=lambda life: life.seconds)
        for figure in ALLOWED:
            if longest.seconds >= long:
                values = [_value(one, figure) for one in longest.samples if one.age >= warm]
                found += _course(part, figure, values, longest.seconds, 1, LEAST_SAMPLES)
            aged = [values for life in own if (values := _at_equal_age(life, figure))]
            found += _course(part, figure, [median(one) for one in aged], longest.seconds, len(aged), LEAST_LIVES)
    return found


def _course(part: str, figure: Figure, values: Sequence[float], seconds: float, lives: int, least: int) -> list[Course]:
    if len(values) < least:
        return []
    third = len(values) // 3
    return [Course(part, figure, lives, seconds, median(values[:third]), median(values[-third:]))]


def _at_equal_age(life: Life, figure: Figure) -> list[float]:
    """Its figures within those seconds, none where it did not live through them."""
    low, high = EQUAL_AGE
    if life.seconds < high:
        return []
    return [_value(one, figure) for one in life.samples if low <= one.age <= high]


def _value(sample: Sample, figure: Figure) -> float:
    return float(getattr(sample, figure))
