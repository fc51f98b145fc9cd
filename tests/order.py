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
        files = [item.path if item.get_closest_marker(MARK) else None for item in items]
        items[:] = spread(items, files, processes)


def spread(tests: Sequence[Test], files: Sequence[object], parts: int) -> list[Test]:
    """Tests in an order in which each even part, as xdist's worksteal cuts them, begins with long ones.

    Args:
        tests: all of them.
        files: of each long test its file, whose tests share what they stand on and stay together; None of the others.
        parts: processes.
    """
    long = {file: [test for test, its in zip(tests, files, strict=True) if its == file] for file in files if file}
    begins: list[list[Test]] = [[] for _ in range(parts)]
    for begin, of_file in zip(cycle(begins), long.values(), strict=False):
        begin.extend(of_file)
    others = iter([test for test, file in zip(tests, files, strict=True) if file is None])
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
