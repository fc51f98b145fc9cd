"""Batches that the memory does not hold: trained and searched in halves, from where, and when that is not enough."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import ml.learn.setup
from ml.config import LrFind
from ml.data.bundle import Folder
from ml.data.manifest import LabelRule
from ml.data.scan import scan_folder
from ml.errors import OutOfMemory, Stopped
from ml.learn.lr_find import search
from ml.learn.memory import free_memory
from ml.learn.model import BreedNet, build_model
from ml.learn.setup import Paths
from tests.ml.learn.test_training import SMALL, Listener, config, folder, train

__all__ = ["folder"]


class Narrow:
    """A device whose memory ends: refuses forward passes of more pictures than fit, as torch's allocators do."""

    def __init__(self, fits: int, error: Exception, after: int = 0) -> None:
        self.fits, self.error, self.after = fits, error, after
        self.seen: list[int] = []

    def __call__(self, _: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        self.seen.append(len(inputs[0]))
        if self.seen[-1] > self.fits and len(self.seen) > self.after:
            # One of its own: an error that was raised holds the frames it came through, with the model in them.
            raise type(self.error)(*self.error.args)


CUDA_ERROR = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
CPU_ERROR = RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory: 9 bytes")


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Callable[[Narrow], None]:
    """Gives every model that is built from now on a memory that ends."""

    def limit(narrow: Narrow) -> None:
        def build(arch: str, classes: int, state: dict[str, Tensor] | None) -> BreedNet:
            model = build_model(arch, classes, state)
            # The body: validation takes what the head reads on its way.
            model.body.register_forward_pre_hook(narrow)
            return model

        monkeypatch.setattr(ml.learn.setup, "build_model", build)

    return limit


@pytest.mark.parametrize("error", [CUDA_ERROR, CPU_ERROR, MemoryError()])
def test_a_batch_that_the_memory_does_not_hold_is_trained_in_halves_and_the_run_says_so(
    error: Exception, folder: Path, tmp_path: Path, memory: Callable[[Narrow], None]
) -> None:
    narrow, listener = Narrow(4, error), Listener()
    memory(narrow)
    result, _ = train(folder, tmp_path / "out", config(epochs=1, freeze_epochs=0), listener)
    assert [(plan.accumulation, plan.halved_from_step) for plan in listener.plans] == [(1, None), (2, 0)]
    (said,) = listener.logs
    assert said.startswith("the memory does not hold a batch of 8: each batch is now trained in two halves")
    # 3 batches of 8 in two halves, then 7 pictures to validate, at most half a batch at a time
    assert narrow.seen[:9] == [8, 4, 4, 4, 4, 4, 4, 4, 3]
    # What is looked at to judge answers by goes in halves too.
    assert max(narrow.seen[9:]) == 4
    assert listener.step == 3
    assert len(result.reading.items) == 7


@pytest.mark.thorough
def test_a_later_phase_that_does_not_fit_goes_on_in_halves_from_the_last_checkpoint(
    folder: Path, tmp_path: Path, memory: Callable[[Narrow], None]
) -> None:
    narrow, listener = Narrow(4, CUDA_ERROR, after=4), Listener()
    memory(narrow)
    train(folder, tmp_path / "out", config(epochs=1), listener)
    assert [(plan.accumulation, plan.resumed_from_step) for plan in listener.plans] == [(1, 0), (2, 3)]
    assert [plan.halved_from_step for plan in listener.plans] == [None, 3]
    # the head's three batches and its validation, the whole's first one, and that again in halves
    assert narrow.seen[:13] == [8, 8, 8, 7, 8, 4, 4, 4, 4, 4, 4, 4, 3]


def test_what_does_not_fit_in_halves_either_is_out_of_memory_with_the_one_thing_to_change(
    folder: Path, tmp_path: Path, memory: Callable[[Narrow], None]
) -> None:
    narrow, listener = Narrow(3, CPU_ERROR), Listener()
    memory(narrow)
    with pytest.raises(OutOfMemory, match="resnet18 at size 32 and batch_size 8 does not fit") as raised:
        train(folder, tmp_path / "out", config(epochs=1), listener)
    assert (raised.value.code, narrow.seen) == ("out_of_memory", [8, 4])
    assert raised.value.hint == "Halve batch_size, or choose a smaller arch or size."


def test_a_run_that_went_on_in_halves_and_was_cut_off_is_not_halved_again(
    folder: Path, tmp_path: Path, memory: Callable[[Narrow], None]
) -> None:
    memory(Narrow(4, CUDA_ERROR))
    with pytest.raises(Stopped):
        train(folder, tmp_path / "out", config(), Listener(stop_at=4))
    memory(narrow := Narrow(2, CUDA_ERROR))
    listener = Listener()
    with pytest.raises(OutOfMemory):
        train(folder, tmp_path / "out", config(), listener)
    assert [(plan.accumulation, plan.resumed_from_step) for plan in listener.plans] == [(2, 4)]
    assert (narrow.seen, listener.logs) == ([4], [])


@pytest.mark.thorough
def test_halves_that_began_in_the_middle_are_still_told_from_there_after_a_resume(
    folder: Path, tmp_path: Path, memory: Callable[[Narrow], None]
) -> None:
    memory(Narrow(4, CUDA_ERROR, after=4))
    with pytest.raises(Stopped):
        train(folder, tmp_path / "out", config(), Listener(stop_at=5))
    listener = Listener()
    train(folder, tmp_path / "out", config(), listener)
    (plan,) = listener.plans
    assert (plan.accumulation, plan.resumed_from_step, plan.halved_from_step) == (2, 5, 3)


@pytest.mark.thorough
def test_halves_that_are_asked_for_are_not_tried_whole_first(
    folder: Path, tmp_path: Path, memory: Callable[[Narrow], None]
) -> None:
    memory(narrow := Narrow(8, CUDA_ERROR))
    listener = Listener()
    train(folder, tmp_path / "out", config(epochs=1, freeze_epochs=0), listener, accumulation=2)
    assert ([plan.accumulation for plan in listener.plans], max(narrow.seen), listener.logs) == ([2], 4, [])
    with pytest.raises(OutOfMemory):
        train(folder, tmp_path / "small", config(batch_size=3), Listener(), accumulation=2)


def test_a_batch_too_small_to_halve_is_out_of_memory_at_once(
    folder: Path, tmp_path: Path, memory: Callable[[Narrow], None]
) -> None:
    memory(narrow := Narrow(1, CUDA_ERROR))
    with pytest.raises(OutOfMemory):
        train(folder, tmp_path / "out", config(batch_size=3))
    assert narrow.seen == [3]


def test_an_error_that_is_not_about_memory_is_not_mistaken_for_one(
    folder: Path, tmp_path: Path, memory: Callable[[Narrow], None]
) -> None:
    memory(narrow := Narrow(4, RuntimeError("mat1 and mat2 shapes cannot be multiplied")))
    with pytest.raises(RuntimeError, match="mat1"):
        train(folder, tmp_path / "out", config())
    assert narrow.seen == [8]


@pytest.mark.thorough
def test_a_search_that_the_memory_does_not_hold_is_made_in_halves(
    folder: Path, tmp_path: Path, memory: Callable[[Narrow], None]
) -> None:
    memory(Narrow(4, CUDA_ERROR))
    listener = Listener()
    manifest = scan_folder(folder, LabelRule(), name="colours")
    search(
        LrFind.model_validate({**SMALL, "lr_sweep": {"steps": 23, "sweeps": 1}}),
        manifest,
        Folder(folder, manifest),
        paths=Paths(cache=tmp_path / "cache", weights=None, work=tmp_path / "out"),
        reporter=listener,
        device="cpu",
    )
    assert [plan.accumulation for plan in listener.plans] == [1, 2]
    assert len(listener.rates) == 1


def test_what_a_failed_attempt_took_is_not_the_peak_of_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[str] = []
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: called.append("empty_cache"))
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda _: called.append("reset"))
    free_memory(torch.device("cpu"))
    assert called == []
    free_memory(torch.device("cuda"))
    assert called == ["empty_cache", "reset"]
