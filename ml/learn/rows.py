"""Which pictures of a batch a process takes, where several train together."""

from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True)
class Rows:
    """Pictures ``first`` to ``end`` of a batch of ``of``; they are all there, or a part of them."""

    first: int
    end: int
    of: int

    def within(self, first: int, end: int) -> "Rows":
        """Some of these, counted from the first of them."""
        return Rows(self.first + first, self.first + end, self.of)


def rows_of(count: int, rank: int, size: int) -> Rows:
    """The share of process number ``rank`` of ``size``: one after the other, and as equal as can be."""
    return Rows(*cut(count, size)[rank], count)


def cut(count: int, parts: int) -> list[tuple[int, int]]:
    """``count`` things in a row, cut into nearly equal parts, the longer ones first: where each begins and ends."""
    least, longer = divmod(count, parts)
    ends = [least * number + min(number, longer) for number in range(parts + 1)]
    return list(pairwise(ends))
