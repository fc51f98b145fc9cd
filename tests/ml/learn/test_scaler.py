"""Scaling for float16, on the CPU too: what is scaled there is float32, which the scaler does not mind."""

import pytest
import torch
from torch import Tensor
from torch.amp import GradScaler

from ml.errors import LossDiverged
from ml.learn.optimizer import ParameterGroup, make_optimizer, set_hypers, steps_made
from ml.learn.precision import Precision, check_scale, make_scaler
from ml.learn.schedule import Hypers

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]
CPU = torch.device("cpu")


class Slope:
    """A weight that is pulled by given gradients, under a scaler."""

    def __init__(self, scaler: GradScaler, device: str = "cpu") -> None:
        self.weight = torch.ones(3, device=device, requires_grad=True)
        self.optimizer = make_optimizer([ParameterGroup([self.weight], [])], 0.0)
        self.scaler = scaler
        set_hypers(self.optimizer, Hypers((0.1,), 0.9))

    def pull(self, *gradients: float) -> Tensor:
        """One step a gradient; the last gradient as the optimizer saw it."""
        for gradient in gradients:
            self.optimizer.zero_grad()
            self.scaler.scale(self.weight.sum() * gradient).backward()  # type: ignore[no-untyped-call]
            self.scaler.step(self.optimizer)
            self.scaler.update()
        assert self.weight.grad is not None
        return self.weight.grad


@pytest.mark.parametrize("device", DEVICES)
def test_an_overflow_leaves_a_step_out_and_halves_the_scale(device: str) -> None:
    slope = Slope(GradScaler(device, init_scale=8.0), device)
    slope.pull(float("inf"))
    assert (slope.scaler.get_scale(), steps_made(slope.optimizer)) == (4.0, 0)
    assert slope.weight.tolist() == [1.0, 1.0, 1.0]
    assert slope.pull(4.0).tolist() == [4.0, 4.0, 4.0]
    assert (slope.scaler.get_scale(), steps_made(slope.optimizer)) == (4.0, 1)
    # Adam's first step is the rate itself, whatever the gradient: its step count did not move with the overflow
    assert slope.weight.tolist() == pytest.approx([0.9] * 3, abs=1e-5)


def test_the_scale_doubles_after_two_thousand_good_steps_in_a_row() -> None:
    slope = Slope(GradScaler("cpu", init_scale=8.0))
    slope.pull(float("inf"), *[1.0] * 1999)
    assert slope.scaler.get_scale() == 4.0
    slope.pull(1.0)
    assert slope.scaler.get_scale() == 8.0


def test_what_a_checkpoint_keeps_of_it_is_all_of_it() -> None:
    kept = Slope(GradScaler("cpu", init_scale=8.0))
    kept.pull(float("inf"), 1.0, 1.0)
    other = GradScaler("cpu")
    other.load_state_dict(kept.scaler.state_dict())
    resumed = Slope(other)
    resumed.pull(*[1.0] * 1998)
    assert (resumed.scaler.get_scale(), kept.scaler.get_scale()) == (8.0, 4.0)


def test_formats_other_than_fp16_are_not_scaled() -> None:
    for name in ("fp32", "bf16"):
        scaler = make_scaler(Precision(name, "test"), CPU)
        assert scaler.scale(torch.tensor(2.0)).item() == 2.0
        assert scaler.state_dict() == {}
        check_scale(scaler)
    assert make_scaler(Precision("fp16", "test"), CPU).scale(torch.tensor(2.0)).item() == 2.0 * 65536


def test_gradients_that_overflow_without_scaling_end_the_training_in_a_sentence() -> None:
    slope = Slope(make_scaler(Precision("fp16", "test"), CPU))
    slope.pull(*[float("inf")] * 16)
    assert slope.scaler.get_scale() == 1.0
    check_scale(slope.scaler)
    slope.pull(float("inf"))
    with pytest.raises(LossDiverged, match="overflow in fp16 at a loss scale of 1, the smallest there is") as raised:
        check_scale(slope.scaler)
    assert raised.value.hint == "Lower the learning rate, or train in bf16 or fp32."
