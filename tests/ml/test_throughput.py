from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import ml.throughput
from ml.config import TrainSettings
from ml.errors import OutOfMemory, PrecisionUnsupported, Stopped
from ml.learn.memory import peak_memory_bytes
from ml.learn.model import BreedNet, build_model
from ml.learn.setup import describe_device
from ml.reporting import NullReporter
from ml.throughput import PATIENCE_SECONDS, PROBE_PICTURES, measure_throughput, step_pictures

TINY = TrainSettings(arch="mobilenet_v3_small", presize=40, size=32, batch_size=4, precision="fp32")


def test_both_kinds_of_phase_are_timed_on_this_machine() -> None:
    found = measure_throughput(TINY, "cpu")
    assert (found.device, found.precision) == (describe_device(torch.device("cpu")), "fp32")
    assert [kind.freeze for kind in found.kinds] == [True, False]
    for kind in found.kinds:
        assert kind.step_pictures == 4
        assert len(kind.step_images_per_second) >= 1
        assert min(kind.step_images_per_second) <= kind.images_per_second <= max(kind.step_images_per_second)
        assert kind.valid_images_per_second > 0
        assert kind.peak_memory_bytes is not None
        assert 50e6 < kind.peak_memory_bytes <= peak_memory_bytes(torch.device("cpu"))


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], list[int]]:
    """Lets models hold so many pictures and no more; the list gets the size of each forward pass in training."""

    def limit(fits: int) -> list[int]:
        seen: list[int] = []

        def refuse(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            if module.training:
                seen.append(len(inputs[0]))
            if len(inputs[0]) > fits:
                message = "CUDA out of memory."
                raise torch.OutOfMemoryError(message)

        def build(arch: str, classes: int, state: dict[str, Tensor] | None) -> BreedNet:
            model = build_model(arch, classes, state)
            model.register_forward_pre_hook(refuse)
            return model

        monkeypatch.setattr(ml.throughput, "build_model", build)
        return seen

    return limit


def test_a_batch_that_the_memory_does_not_hold_is_timed_in_halves(memory: Callable[[int], list[int]]) -> None:
    seen = memory(2)
    found = measure_throughput(TINY, "cpu")
    assert [(kind.accumulation, kind.step_pictures) for kind in found.kinds] == [(2, 4), (2, 4)]
    assert (seen[0], set(seen[1:])) == (4, {2})


def test_what_does_not_fit_in_halves_either_was_tried(memory: Callable[[int], list[int]]) -> None:
    seen = memory(1)
    with pytest.raises(OutOfMemory, match="not even with each batch in two halves"):
        measure_throughput(TINY, "cpu")
    assert seen == [4, 2]


class StopAfter(NullReporter):
    """Lets so many steps happen."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def should_stop(self) -> bool:
        self.left -= 1
        return self.left < 0


def test_it_stops_before_the_next_step_once_it_is_told(memory: Callable[[int], list[int]]) -> None:
    seen = memory(4)
    with pytest.raises(Stopped):
        measure_throughput(TINY, "cpu", reporter=StopAfter(2))
    assert len(seen) == 3, "one to warm up, which nobody times, and two"


def test_what_does_not_run_here_is_refused_as_in_training() -> None:
    with pytest.raises(PrecisionUnsupported):
        measure_throughput(TINY.model_copy(update={"precision": "fp16"}), "cpu")


@pytest.mark.parametrize(
    ("batch", "seconds_each", "pictures"),
    [
        (64, 0.001, 64),
        (64, PATIENCE_SECONDS / 128, 64),  # two batches take exactly as long as there is patience for
        (64, PATIENCE_SECONDS / 100, 25),  # a quarter of it for each of four steps
        (64, 100.0, PROBE_PICTURES),
        (4, 100.0, 4),
    ],
)
def test_a_slow_machine_is_timed_on_part_of_a_batch(batch: int, seconds_each: float, pictures: int) -> None:
    assert step_pictures(batch, seconds_each) == pictures
