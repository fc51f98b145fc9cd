"""In which order several processes run the tests: what is long is begun first, so that none ends alone with it."""

from collections.abc import Iterator, Sequence
from itertools import cycle
from typing import TypeVar

import pytest

MARK = "long"
Test = TypeVar("Test")


def long_first(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the marked tests in front of each process's part; without other processes nothing is gained by it."""
    processes: int = getattr(config, "workerinput", {}).get("workercount", 1)
    if processes > 1:
        folders = [item.path.parent if item.get_closest_marker(MARK) else None for item in items]
        items[:] = spread(items, folders, processes)


def spread(tests: Sequence[Test], folders: Sequence[object], parts: int) -> list[Test]:
    """Tests in an order in which each even part, as xdist's worksteal cuts them, begins with long ones.

    Args:
        tests: all of them.
        folders: of each long test its folder, whose long tests share what they stand on and stay together; else None.
        parts: processes.
    """
    long = {one: [test for test, its in zip(tests, folders, strict=True) if its == one] for one in folders if one}
    begins: list[list[Test]] = [[] for _ in range(parts)]
    for begin, together in zip(cycle(begins), long.values(), strict=False):
        begin.extend(together)
    others = iter([test for test, its in zip(tests, folders, strict=True) if its is None])
    return [
        test
        for begin, size in zip(begins, _sizes(len(tests), parts), strict=True)
        for test in _part(begin, others, size)
    ]


def _sizes(count: int, parts: int) -> Iterator[int]:
    """How many tests each process is given at the start."""
    for place in range(parts):
        size = count // (parts - place)
        count -= size
        yield size


def _part(begin: list[Test], others: Iterator[Test], size: int) -> Iterator[Test]:
    yield from begin
    for _, other in zip(range(size - len(begin)), others, strict=False):
        yield other
