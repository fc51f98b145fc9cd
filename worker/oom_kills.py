"""How many processes the kernel has killed for want of memory: a SIGKILL of the kernel's looks like anybody's.

The kernel raises the counter before it kills, so that one who has seen the end of a process sees its count too. The
counter is the control group's, a container's own in a container, where there is one; else the machine's. A kill of
another process in the same group at the same time is taken for ours.
"""

import re
from collections.abc import Iterator
from pathlib import Path

_KILLS = re.compile(r"^oom_kill (\d+)$", re.MULTILINE)


def oom_kills(proc: Path = Path("/proc"), groups: Path = Path("/sys/fs/cgroup")) -> int:
    """The count so far; 0 where the system does not count (other kernels than Linux)."""
    for counter in _counters(proc, groups):
        if counter.is_file():
            found = _KILLS.search(counter.read_text())
            if found is not None:
                return int(found[1])
    return 0


def _counters(proc: Path, groups: Path) -> Iterator[Path]:
    """Where it may stand, the nearest first: this group's in version 2 and in version 1, then the machine's.

    A container may be told its group's name on the host, while its own group is all that it sees, at the top.
    """
    member = proc / "self" / "cgroup"
    for line in member.read_text().splitlines() if member.is_file() else ():
        _, controllers, path = line.split(":", 2)
        if not controllers:
            top, name = groups, "memory.events"
        elif "memory" in controllers.split(","):
            top, name = groups / "memory", "memory.oom_control"
        else:
            continue
        yield top / path.lstrip("/") / name
        yield top / name
    yield proc / "vmstat"
