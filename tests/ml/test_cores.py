import os
from pathlib import Path

import pytest

from ml.cores import MOST, worth_starting

EVERY = set(range(64))


@pytest.mark.parametrize(
    ("allowed", "quota", "cores"),
    [
        (EVERY, "max 100000\n", MOST),
        ({0, 5, 9}, "max 100000\n", 3),
        (EVERY, "250000 100000\n", 3),
        (EVERY, "10000 100000\n", 1),
        ({0, 1}, "800000 100000\n", 2),
        (EVERY, "nonsense", MOST),
        (EVERY, None, MOST),
    ],
)
def test_the_affinity_and_the_container_s_quota_are_limits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, allowed: set[int], quota: str | None, cores: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: allowed, raising=False)
    if quota is not None:
        (tmp_path / "cpu.max").write_text(quota)
    assert worth_starting(tmp_path / "cpu.max") == cores
