"""What must hold on every device: on the CPU always, on a GPU where there is one."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch
from torch import Tensor

from ml.augment.augment import training_input, validation_input
from ml.augment.draws import draw_batch
from ml.augment.geometry import grid
from ml.augment.lighting import light, normalise
from ml.augment.resample import resize_exactly, sample
from ml.config_augment import Augment
from ml.learn.batches import SampledBatch, one_ahead
from ml.learn.memory import peak_memory_bytes
from ml.learn.objective import Objective
from ml.learn.precision import Precision, choose_precision
from ml.learn.schedule import Hypers
from ml.learn.step import TrainStep
from tests.ml.learn.test_training import Listener, config, folder, train
from tests.ml.toys import FixedBatches, toy, toy_inputs
from tests.patience import PATIENCE_SECONDS

__all__ = ["folder"]

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]
PRECISIONS = [("cpu", "fp32"), ("cpu", "bf16")] + [
    pytest.param("cuda", name, marks=pytest.mark.gpu) for name in ("fp32", "bf16", "fp16")
]


def noise(n: int, side: int) -> Tensor:
    return torch.randint(0, 256, (n, side, side, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("device", DEVICES)
def test_a_training_batch_is_the_formula_applied_to_all_of_it_at_once(device: str) -> None:
    pictures = noise(5, 46)
    draws = draw_batch(5, Augment(), 0.75, torch.Generator().manual_seed(2))
    floats = pictures.permute(0, 3, 1, 2).float()
    drawn = sample(floats, grid(draws.homographies, 32, 32)) / 255
    expected = normalise(light(drawn, draws.brightness, draws.contrast))
    found = training_input(pictures.to(device), draws, 32)
    assert found.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(found.cpu(), expected, atol=2e-4, rtol=0)


@pytest.mark.parametrize("device", DEVICES)
def test_a_validation_batch_is_the_formula_applied_to_all_of_it_at_once(device: str) -> None:
    pictures = noise(5, 80)
    expected = normalise(resize_exactly(pictures.permute(0, 3, 1, 2).float(), 32) / 255)
    torch.testing.assert_close(validation_input(pictures.to(device), 32).cpu(), expected, atol=2e-4, rtol=0)


@pytest.mark.parametrize(("device", "precision"), PRECISIONS)
def test_a_step_in_every_precision_goes_where_the_exact_one_goes(device: str, precision: str) -> None:
    x, y = toy_inputs(16)

    def stepped(on: torch.device, how: Precision) -> tuple[float, Tensor]:
        torch.manual_seed(0)
        model = toy().to(on).to(memory_format=torch.channels_last)
        batches = FixedBatches(x, y, 16)
        train_step = TrainStep(
            config=config(),
            model=model,
            objective=Objective("cross_entropy"),
            batches=batches,
            device=on,
            precision=how,
        )
        optimizer, scaler = train_step.optimizer(), train_step.scaler()
        model.train()
        hypers = Hypers(lr=(1e-2, 1e-2, 1e-2), momentum=0.9)
        losses = [train_step.take(batches.sample(0), step, optimizer, hypers, scaler).item() for step in range(5)]
        return losses[-1], torch.cat([p.detach().float().cpu().flatten() for p in model.parameters()])

    exact_loss, exact = stepped(torch.device("cpu"), Precision("fp32", "exact"))
    loss, weights = stepped(torch.device(device), choose_precision(precision, torch.device(device)))
    assert loss == pytest.approx(exact_loss, abs=1e-4 if precision == "fp32" else 0.05)
    # Adam moves each weight by about the rate whatever the gradient's size: a few signs may differ in 8 bits.
    assert (weights - exact).abs().median() < (1e-5 if precision == "fp32" else 5e-3)


@pytest.mark.parametrize("device", DEVICES)
def test_a_run_learns_and_serves_what_it_stored(folder: Path, tmp_path: Path, device: str) -> None:
    listener = Listener()
    result, _ = train(folder, tmp_path / "out", config(epochs=4, precision="auto"), listener, device)
    assert listener.plans[0].device.startswith(device)
    assert result.reading.error_rate < 0.5
    assert peak_memory_bytes(torch.device(device)) > 0


def test_beside_a_gpu_the_next_batch_is_made_while_this_one_is_used() -> None:
    made: list[tuple[int, bool]] = []
    second = threading.Event()

    def make(number: int) -> int:
        made.append((number, threading.current_thread() is threading.main_thread()))
        if number == 1:
            second.set()
        return number * 10

    with one_ahead(make, range(4), torch.device("cuda")) as numbers:
        assert next(numbers) == 0
        assert second.wait(PATIENCE_SECONDS)
        assert list(numbers) == [10, 20, 30]
    assert made == [(0, False), (1, False), (2, False), (3, False)]
    with one_ahead(make, range(0), torch.device("cuda")) as numbers:
        assert list(numbers) == []


def test_an_error_of_the_batch_made_ahead_reaches_its_user() -> None:
    def make(number: int) -> int:
        if number == 1:
            raise OSError(number)
        return number

    with one_ahead(make, range(3), torch.device("cuda")) as numbers:
        assert next(numbers) == 0
        with pytest.raises(OSError, match="1"):
            next(numbers)


@pytest.mark.gpu
def test_a_pinned_batch_is_the_batch() -> None:
    draws = draw_batch(3, Augment(), 0.75, torch.Generator().manual_seed(3))
    batch = SampledBatch(noise(3, 8), torch.tensor([0, 1, 2]), draws)
    pinned = batch.pinned()
    assert pinned.images.is_pinned()
    assert pinned.draws.homographies.is_pinned()
    assert torch.equal(pinned.images, batch.images)
    assert torch.equal(pinned.targets, batch.targets)


BEFORE_TORCH = """
import importlib, os, sys

class Torch:
    def find_spec(self, name, *_):
        if name == "torch":
            print(os.environ.get("GOMP_SPINCOUNT"), flush=True)
            os._exit(0)

sys.meta_path.insert(0, Torch())
importlib.import_module(sys.argv[1])
import torch
"""
"""Imports what it is told, and at the moment when torch is to come in, which takes seconds, says how threads wait."""


@pytest.mark.parametrize("module", ["api.app", "worker.child", "worker.training", "worker.forecasting", "ml.command"])
def test_how_threads_wait_is_said_before_torch_comes_in(module: str) -> None:
    unsaid = {name: value for name, value in os.environ.items() if name not in {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"}}
    for environment, expected in ((unsaid, "1000"), (unsaid | {"OMP_WAIT_POLICY": "active"}, "None")):
        command = [sys.executable, "-c", BEFORE_TORCH, module]
        done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
        assert done.stdout == f"{expected}\n"


@pytest.mark.parametrize(("said", "expected"), [({}, "passive"), ({"OMP_WAIT_POLICY": "active"}, "active")])
def test_where_openmp_is_not_gnu_s_it_is_told_in_the_standard_s_word(said: dict[str, str], expected: str) -> None:
    script = "import os, sys; sys.platform = 'darwin'; import ml; print(*map(os.environ.get, sys.argv[1:]))"
    names = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")
    environment = {name: value for name, value in os.environ.items() if name not in names} | said
    command = [sys.executable, "-c", script, *names]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    assert done.stdout.split() == [expected, "None"]
