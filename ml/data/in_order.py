"""Very many names in order, in a process that has other things to do.

One sort of 200,000 names holds the interpreter for a quarter of a second, and every other thread waits.
"""

import heapq
from collections.abc import Iterable, Iterator
from itertools import islice

AT_A_TIME = 4096
"""Names that one sort takes: a few milliseconds."""


def in_order(names: Iterable[str]) -> Iterator[str]:
    """The names in order, each once."""
    rest, last = iter(names), None
    runs = list[list[str]]()
    while run := list(islice(rest, AT_A_TIME)):
        run.sort()
        runs.append(run)
    for name in heapq.merge(*runs):
        if name != last:
            yield name
        last = name
