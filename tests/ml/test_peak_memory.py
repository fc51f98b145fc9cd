"""How much memory was held: the process's own, seen in the middle of a step, and no mapped file."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from ml import memory
from ml.memory import note_memory, peak_memory_bytes
from ml.schedule import Hypers
from tests.ml.test_lr_find import learner

CPU = torch.device("cpu")
BIG = 256 << 20


@pytest.fixture(autouse=True)
def unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process of which nothing was seen yet."""
    monkeypatch.setattr(memory, "_anonymous", memory._Anonymous())


def test_a_mapped_file_does_not_count(tmp_path: Path) -> None:
    path = tmp_path / "pixels.u8"
    path.write_bytes(bytes(BIG))
    before = peak_memory_bytes(CPU)
    mapped = np.memmap(path, dtype=np.uint8, mode="r")
    assert int(mapped[::4096].sum()) == 0
    assert peak_memory_bytes(CPU) < before + BIG // 2


def test_what_was_held_when_it_was_looked_at_stays_the_peak() -> None:
    before = peak_memory_bytes(CPU)
    held = np.ones(BIG, np.uint8)
    note_memory(CPU)
    del held
    assert peak_memory_bytes(CPU) > before + BIG // 2


def test_a_step_is_looked_at_where_it_holds_most(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = iter([5, 9, 2])
    monkeypatch.setattr(memory, "_anonymous_bytes", lambda: next(sizes))
    one = learner()
    optimizer, scaler = one.optimizer(), one.scaler()
    one.step(one.batches.draw(0), 0, optimizer, Hypers(lr=(1e-3,) * 3, momentum=0.9), scaler)
    assert peak_memory_bytes(CPU) == 9


def test_where_the_kernel_does_not_tell_it_the_resident_set_counts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    status = tmp_path / "status"
    status.write_text("Name:\tpython\nVmRSS:\t 2268 kB\n")
    monkeypatch.setattr(memory, "_STATUS", status)
    assert 10 << 20 < peak_memory_bytes(CPU) < 1 << 40
    status.write_text("VmRSS:\t 2268 kB\nRssAnon:\t     148 kB\n")
    monkeypatch.setattr(memory, "_anonymous", memory._Anonymous())
    assert peak_memory_bytes(CPU) == 148 * 1024


def test_on_a_cpu_what_a_step_frees_is_there_for_the_next_one() -> None:
    """In a process of its own, as the setting is for the process's life."""
    script = """
import resource
import torch
from ml.memory import keep_freed_memory
keep_freed_memory(torch.device("cpu"))
def step():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(64 << 20, dtype=torch.uint8)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
print(*(step() for _ in range(40)))
"""
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    cleared = [int(pages) for pages in done.stdout.split()]
    # The first ones let the heap grow to where there is room at the right alignment.
    assert cleared[0] > 1000
    assert max(cleared[-2:]) < 100
