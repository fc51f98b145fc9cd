import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ml.config import LrFind, LrSweep
from ml.data.bundle import Folder
from ml.data.manifest import LabelRule
from ml.data.scan import scan_folder
from ml.errors import BatchTooLarge, LossDiverged, Stopped, SweepTooShort
from ml.learn.batches import SampledBatch
from ml.learn.lr_find import find_rate, search
from ml.learn.objective import Objective
from ml.learn.precision import Precision
from ml.learn.schedule import Hypers, exponential
from ml.learn.setup import Paths
from ml.learn.smoothing import SmoothLoss
from ml.learn.step import TrainStep
from ml.learn.sweep import Stopper, one_sweep
from ml.reading.agreement import RateSearch
from ml.reporting import NullReporter, Plan, Progress, RateRecord
from tests.ml.facts import cases
from tests.ml.pictures import fill
from tests.ml.toys import FixedBatches, toy, toy_inputs

SWEEP = LrSweep(steps=60, sweeps=3, start_lr=1e-5, end_lr=10.0)


class Listener(NullReporter):
    """Remembers what it is told; wants to stop after a number of steps where one is given."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.progress: list[Progress] = []
        self.rates: list[RateRecord] = []
        self.plans: list[Plan] = []
        self.stop_after = stop_after

    def on_plan(self, plan: Plan) -> None:
        self.plans.append(plan)

    def on_progress(self, progress: Progress) -> None:
        if progress.stage == "lr_find":
            self.progress.append(progress)

    def on_rate(self, found: RateRecord) -> None:
        self.rates.append(found)

    def should_stop(self) -> bool:
        return self.stop_after is not None and len(self.progress) >= self.stop_after


def train_step(sweep: LrSweep = SWEEP, *, dropout: float = 0.0, accumulation: int = 1) -> TrainStep:
    """A toy on shuffled made-up inputs."""
    torch.manual_seed(1)
    x, y = toy_inputs(160)
    return TrainStep(
        config=LrFind(lr_sweep=sweep, batch_size=8),
        model=toy(dropout=dropout),
        objective=Objective("cross_entropy"),
        batches=FixedBatches(x, y, 8),
        device=torch.device("cpu"),
        precision=Precision("fp32", "test"),
        accumulation=accumulation,
    )


@pytest.mark.parametrize("case", cases("lr_find"), ids=lambda case: f"{case['kind']}-{case['num_it']}")
def test_a_sweep_has_fastai_s_rates_smoothed_losses_and_end(case: dict[str, Any]) -> None:
    stopper, smooth = Stopper(enabled=case["stop_div"]), SmoothLoss()
    lrs: list[float] = []
    smoothed: list[float] = []
    for number, raw in enumerate(case["raw_losses"]):
        lrs.append(exponential(1e-7, 10, number / case["num_it"]))
        smoothed.append(smooth.update(float(raw)))
        if stopper.diverged(smoothed[-1]):
            break
    assert len(lrs) == case["n_run"]
    assert lrs == pytest.approx(case["lrs"], rel=1e-4, abs=1e-10)
    assert smoothed == pytest.approx([float(value) for value in case["smoothed"]], rel=2e-5, nan_ok=True)


def state_of(model: nn.Module) -> dict[str, Any]:
    """Everything that a search must leave alone."""
    return {
        "tensors": {name: tensor.clone() for name, tensor in model.state_dict().items()},
        "trainable": [parameter.requires_grad for parameter in model.parameters()],
        "gradients": [parameter.grad for parameter in model.parameters()],
        "modes": [module.training for module in model.modules()],
        "random": torch.get_rng_state(),
    }


def check_restored(before: dict[str, Any], model: nn.Module) -> None:
    after = state_of(model)
    for name, tensor in before["tensors"].items():
        assert torch.equal(tensor, after["tensors"][name]), name
    assert torch.equal(before["random"], after["random"])
    for one, other in zip(before["gradients"], after["gradients"], strict=True):
        assert one is other
    assert (before["trainable"], before["modes"]) == (after["trainable"], after["modes"])


@pytest.mark.parametrize("freeze", [True, False])
def test_a_search_leaves_everything_as_it_was_bit_for_bit(freeze: bool) -> None:
    found = train_step(dropout=0.2)
    found.model.freeze_body(not freeze)
    found.model.eval()
    found.model.head.train()
    next(found.model.head.parameters()).grad = torch.ones(10)
    before = state_of(found.model)
    find_rate(found, freeze=freeze, reporter=Listener())
    check_restored(before, found.model)


def test_a_search_that_is_stopped_leaves_everything_as_it_was_too() -> None:
    found = train_step()
    before = state_of(found.model)
    with pytest.raises(Stopped):
        find_rate(found, freeze=False, reporter=Listener(stop_after=70))
    check_restored(before, found.model)


def test_a_sweep_without_restoring_does_change_the_model() -> None:
    found = train_step()
    before = state_of(found.model)
    one_sweep(found, SWEEP, lambda _: None)
    with pytest.raises(AssertionError):
        check_restored(before, found.model)


@pytest.mark.thorough
def test_sweeps_see_different_batches_and_the_same_ones_when_searched_again() -> None:
    first, again = (find_rate(train_step(), freeze=False, reporter=Listener()) for _ in range(2))
    assert first == again
    losses = [sweep.losses[0] for sweep in first.sweeps]
    assert len(set(losses)) == 3


@pytest.mark.thorough
def test_a_frozen_search_leaves_the_body_still_during_the_sweep() -> None:
    frozen, free = (find_rate(train_step(), freeze=freeze, reporter=Listener()) for freeze in (True, False))
    assert (frozen.freeze, free.freeze) == (True, False)
    # On the same batches from the same weights: only what moves makes the difference.
    assert frozen.sweeps[0].losses[0] == free.sweeps[0].losses[0]
    assert frozen.sweeps[0].losses[1:] != free.sweeps[0].losses[1:]


def test_the_toy_learns_best_near_the_rate_that_is_found() -> None:
    found = find_rate(train_step(), freeze=False, reporter=Listener())
    assert found.agreement in {"agree", "weak"}
    assert found.rate is not None
    assert 1e-3 < found.rate < 1

    def after(rate: float) -> float:
        tried = train_step()
        optimizer, scaler = tried.optimizer(), tried.scaler()
        hypers = Hypers(lr=(rate,) * 3, momentum=0.9)
        tried.model.train()
        return sum(tried.take(tried.batches.sample(i), i, optimizer, hypers, scaler).item() for i in range(40)) / 40

    assert after(found.rate) < min(after(found.rate / 100), after(found.rate * 1000))


def test_progress_counts_all_sweeps_and_ends_where_the_last_one_does() -> None:
    listener = Listener()
    found = find_rate(train_step(), freeze=False, reporter=listener, phase=1)
    steps = [progress.step for progress in listener.progress]
    assert steps[0] == 0
    assert steps == sorted(steps)
    assert {(one.steps, one.phase, one.in_batches) for one in listener.progress} == {(180, 1, True)}
    assert steps[-1] == 120 + len(found.sweeps[2].lrs)


@pytest.mark.parametrize("whole_job", [False, True])
def test_the_time_left_is_the_jobs_only_where_nothing_comes_after_the_search(*, whole_job: bool) -> None:
    listener = Listener()
    find_rate(train_step(), freeze=False, reporter=listener, whole_job=whole_job)
    job = [progress.eta_seconds for progress in listener.progress]
    stage = [progress.stage_eta_seconds for progress in listener.progress]
    known, unknown = (job, stage) if whole_job else (stage, job)
    assert all(seconds is not None and seconds >= 0 for seconds in known[1:])
    assert known[0] is None
    assert set(unknown) == {None}


def test_a_loss_that_is_no_number_ends_the_sweep_and_is_null_in_the_record() -> None:
    hot = LrSweep(steps=60, sweeps=1, start_lr=1e-3, end_lr=1e30, stop_early=False)
    found = find_rate(train_step(hot), freeze=False, reporter=Listener())
    sweep = found.sweeps[0]
    assert sweep.stopped_early
    assert not math.isfinite(sweep.losses[-1])
    assert all(math.isfinite(loss) for loss in sweep.losses[:-1])
    content = found.content()
    assert content["losses"][-1] is None
    assert json.loads(json.dumps(content, allow_nan=False)) == content


def test_gradients_that_leave_fp16_for_good_end_the_sweep_and_not_the_search(monkeypatch: pytest.MonkeyPatch) -> None:
    step = TrainStep.take

    def overflow(self: TrainStep, batch: SampledBatch, number: int, *rest: Any) -> Tensor:  # noqa: ANN401 - step's own
        if number == 30:
            message = "the gradients overflow"
            raise LossDiverged(message)
        return step(self, batch, number, *rest)

    monkeypatch.setattr(TrainStep, "take", overflow)
    found = find_rate(train_step(), freeze=False, reporter=Listener())
    assert [len(sweep.losses) for sweep in found.sweeps] == [30] * 3
    assert all(sweep.stopped_early for sweep in found.sweeps)


def test_too_few_steps_are_refused_with_the_number_that_is_enough() -> None:
    with pytest.raises(SweepTooShort, match="22 steps leaves fewer than 16 points") as raised:
        find_rate(train_step(LrSweep(steps=22)), freeze=True, reporter=Listener())
    assert raised.value.hint == "Set lr_sweep.steps to 23 or more; 100 is usual."


SMALL = {"arch": "mobilenet_v3_small", "pretrained": False, "presize": 40, "size": 32, "precision": "fp32"}


def search_pictures(folder: Path, listener: Listener, **config: object) -> RateSearch:
    fill(folder / "pets", (f"{breed}_{number}.jpg" for breed in ("Birman", "pug") for number in range(12)))
    manifest = scan_folder(folder / "pets", LabelRule(), name="pets")
    paths = Paths(cache=folder / "cache", weights=None, work=folder / "work")
    chosen = LrFind.model_validate({**SMALL, "batch_size": 4, **config})
    return search(chosen, manifest, Folder(folder / "pets", manifest), paths=paths, reporter=listener, device="cpu")


@pytest.mark.thorough
def test_a_search_on_pictures_tells_its_plan_and_what_it_found(tmp_path: Path) -> None:
    listener = Listener()
    found = search_pictures(tmp_path, listener, lr_sweep={"steps": 24, "sweeps": 2}, freeze=False)
    assert [(plan.steps, plan.accumulation, plan.train_items) for plan in listener.plans] == [(48, 1, 20)]
    assert [(rate.phase, rate.agreement, rate.content) for rate in listener.rates] == [
        (0, found.agreement, found.content())
    ]
    assert not (tmp_path / "work").exists()


def test_a_search_that_cannot_have_an_answer_is_refused_before_the_pictures_are_read(tmp_path: Path) -> None:
    with pytest.raises(SweepTooShort):
        search_pictures(tmp_path, Listener(), lr_sweep={"steps": 10})
    assert not (tmp_path / "cache").exists()
    with pytest.raises(BatchTooLarge):
        search_pictures(tmp_path, Listener(), batch_size=64)
