"""A process at random, killed."""

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from sqlalchemy.exc import SQLAlchemyError

from tests.faults.fault import backends_of
from tests.faults.world import World

SPARED = ("api-2", "worker-2", "worker-light")
"""Never killed, so that each of the two programs has a process that lives as long as the run."""
SPARED_LATER = ("repair",)
"""Not killed in the second half, in which it is looked at as the spared ones are: there is only one."""

_PARTS = {"API": "api-1", "worker": "worker-1", "Postgres": "postgres", "Redis": "redis", "repair": "repair"}


@dataclass
class Kills:
    """Kills one process after the other, drawn by ``chance``; counts by name, and notes when each part was killed."""

    world: World
    chance: random.Random
    counts: Counter[str] = field(default_factory=Counter)
    killed_at: dict[str, float] = field(default_factory=dict)
    """By part: the last time, on the monotonic clock."""

    def kill(self, *, late: bool) -> str | None:
        """Kill one; its name, None where nothing was there to be killed. ``late``: in the second half of the run."""
        names = [name for name in VICTIMS if not (late and name in SPARED_LATER)]
        for name in self.chance.sample(names, len(names)):
            pids = VICTIMS[name](self.world)
            if not pids:
                continue
            if name in _PARTS:
                self.killed_at[_PARTS[name]] = time.monotonic()
            with suppress(ProcessLookupError):
                os.kill(self.chance.choice(pids), signal.SIGKILL)
                self.counts[name] += 1
                return name
        return None

    def ended_by_itself(self) -> dict[str, int]:
        """How often each part was started again without having been killed."""
        started = Counter(self.world.started_again)
        killed = {part: self.counts[name] for name, part in _PARTS.items()}
        own = {part: started[part] - killed.get(part, 0) for part in self.world.parts}
        return {part: times for part, times in own.items() if times > 0}


def _part(name: str) -> Callable[[World], list[int]]:
    return lambda world: [world.pid(name)] if world.is_up(name) else []


def _backends(world: World) -> list[int]:
    try:
        return backends_of(world)
    except SQLAlchemyError:  # Postgres is not there just now
        return []


VICTIMS: dict[str, Callable[[World], list[int]]] = {
    **{name: _part(part) for name, part in _PARTS.items()},
    "job's process": lambda world: world.jobs_in_hand(),
    "Postgres's backend": _backends,
}
