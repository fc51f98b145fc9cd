import pytest
import torch

from ml.calibration import PATIENCE_SECONDS, PROBE_PICTURES, calibrate, step_pictures
from ml.config import TrainSettings
from ml.errors import PrecisionUnsupported
from ml.memory import peak_memory_bytes
from ml.workbench import describe_device

TINY = TrainSettings(arch="mobilenet_v3_small", presize=40, size=32, batch_size=4, precision="fp32")


def test_both_kinds_of_phase_are_timed_on_this_machine() -> None:
    found = calibrate(TINY, "cpu")
    assert (found.device, found.precision) == (describe_device(torch.device("cpu")), "fp32")
    assert [kind.freeze for kind in found.kinds] == [True, False]
    for kind in found.kinds:
        assert kind.step_pictures == 4
        assert len(kind.step_images_per_second) >= 1
        assert min(kind.step_images_per_second) <= kind.images_per_second <= max(kind.step_images_per_second)
        assert kind.valid_images_per_second > 0
        assert kind.peak_memory_bytes is not None
        assert 50e6 < kind.peak_memory_bytes <= peak_memory_bytes(torch.device("cpu"))


def test_what_does_not_run_here_is_refused_as_in_training() -> None:
    with pytest.raises(PrecisionUnsupported):
        calibrate(TINY.model_copy(update={"precision": "fp16"}), "cpu")


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
