"""Very many names in order, a few thousand at a time."""

import random

import pytest

from ml.data import in_order as module
from ml.data.in_order import in_order


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 100])
def test_names_come_in_order_and_once_however_many_are_sorted_at_a_time(
    count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AT_A_TIME", 8)
    draw = random.Random(count)  # noqa: S311 - no secret
    names = [str(draw.randrange(50)) for _ in range(count)]
    assert list(in_order(iter(names))) == sorted(set(names))
