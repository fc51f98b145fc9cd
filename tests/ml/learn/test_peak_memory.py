"""How much memory was held: the process's own, seen in the middle of a step, and no mapped file."""

import ctypes
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from ml.learn import memory
from ml.learn.memory import peak_memory_bytes
from ml.learn.schedule import Hypers
from tests.ml.learn.test_lr_find import train_step

CPU = torch.device("cpu")
BIG = 256 << 20
MALLOC = {"MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_MAX_", "GLIBC_TUNABLES"}

with_mallopt = pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="the C library has no mallopt")


def alone(script: str, *words: str, **environment: str) -> list[int]:
    """The numbers that a process of its own prints, as malloc's settings are for a process's life."""
    unset = {name: value for name, value in os.environ.items() if name not in MALLOC}
    command = [sys.executable, "-c", script, *words]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=unset | environment)
    return [int(number) for number in done.stdout.split()]


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


@pytest.mark.thorough
def test_what_was_held_when_it_was_looked_at_stays_the_peak() -> None:
    """In a process of its own: this one may hold that much already, kept from an earlier test's training."""
    script = """
import numpy, torch
from ml.learn.memory import note_memory, peak_memory_bytes
cpu = torch.device("cpu")
before = peak_memory_bytes(cpu)
held = numpy.ones(256 << 20, numpy.uint8)
note_memory(cpu)
del held
print(before, peak_memory_bytes(cpu))
"""
    before, peak = alone(script)
    assert peak > before + BIG // 2


def test_a_step_is_looked_at_where_it_holds_most(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = iter([5, 9, 2])
    monkeypatch.setattr(memory, "_anonymous_bytes", lambda: next(sizes))
    one = train_step()
    optimizer, scaler = one.optimizer(), one.scaler()
    one.take(one.batches.sample(0), 0, optimizer, Hypers(lr=(1e-3,) * 3, momentum=0.9), scaler)
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


STEPS = """
import resource, sys
if sys.argv[1] == "keep":
    import torch
    from ml.learn.memory import keep_freed_memory
    keep_freed_memory(torch.device("cpu"))
def step():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    bytearray(b"1") * (64 << 20)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
print(*(step() for _ in range(40)))
"""


def cleared(word: str, **environment: str) -> list[int]:
    """Pages cleared by the kernel in each of the last two steps; the first let the heap grow to where there is room."""
    return alone(STEPS, word, **environment)[-2:]


@pytest.mark.thorough
@with_mallopt
def test_on_a_cpu_what_a_step_frees_is_there_for_the_next_one() -> None:
    assert max(cleared("keep")) < min(cleared("leave")) / 4


@with_mallopt
@pytest.mark.parametrize(
    "said",
    [
        pytest.param({"MALLOC_MMAP_MAX_": "65536"}, marks=pytest.mark.thorough),
        {"GLIBC_TUNABLES": "glibc.malloc.mmap_threshold=131072"},
    ],
)
def test_who_has_said_how_malloc_is_to_be_is_left_alone(said: dict[str, str]) -> None:
    assert min(cleared("keep", **said)) > min(cleared("leave", **said)) / 2


@pytest.mark.thorough
@with_mallopt
def test_what_a_failed_attempt_held_is_given_back_and_is_not_the_peak_of_the_next() -> None:
    script = """
import torch
from ml.learn.memory import _anonymous_bytes, free_memory, keep_freed_memory, peak_memory_bytes
cpu = torch.device("cpu")
keep_freed_memory(cpu)
pieces = [torch.ones(32 << 20, dtype=torch.uint8) for _ in range(8)]
above = torch.ones(1000)
held = peak_memory_bytes(cpu)
del pieces
kept = _anonymous_bytes()
free_memory(cpu)
print(held, kept, peak_memory_bytes(cpu))
"""
    held, kept, after = alone(script)
    assert kept > held - BIG // 4
    assert after < held - BIG // 2
