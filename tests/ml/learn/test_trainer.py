import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import SafetensorError
from torch import Tensor
from torch.amp import GradScaler
from torch.optim import Optimizer

import ml.learn.checkpoint
from ml.config import ResolvedConfig, resolve, train_config
from ml.errors import DiskFull, LossDiverged, Stopped
from ml.learn.batches import SampledBatch
from ml.learn.checkpoint import LocalKeeper, save_tensors
from ml.learn.model import BreedNet
from ml.learn.objective import Objective
from ml.learn.pace import Pace
from ml.learn.precision import Precision
from ml.learn.schedule import Hypers
from ml.learn.trainer import Trainer
from ml.reporting import BatchRecord, EpochRecord, NullReporter, RateRecord
from tests.ml.facts import cases
from tests.ml.toys import NOTHING, FixedBatches, FixedValidation, toy, toy_inputs


class Recorder(NullReporter):
    """Keeps the record in lists; stops before a given step."""

    def __init__(self, stop_before: int | None = None) -> None:
        self.epochs: list[EpochRecord] = []
        self.batches: list[BatchRecord] = []
        self.rates: list[RateRecord] = []
        self.stop_before = stop_before

    def on_epoch(self, epoch: EpochRecord) -> None:
        self.epochs.append(epoch)

    def on_batches(self, batches: Sequence[BatchRecord]) -> None:
        self.batches.extend(batches)

    def on_rate(self, found: RateRecord) -> None:
        self.rates.append(found)

    def should_stop(self) -> bool:
        return len(self.batches) == self.stop_before


def ours(name: str) -> str:
    """The toy's name of a tensor: its first two groups lie in the body."""
    group, rest = name.split(".", 1)
    return f"1.{rest}" if group == "2" else f"0.{group}.{rest}"


def trainer(
    case: dict[str, Any], model: BreedNet, config: ResolvedConfig, folder: Path, recorder: NullReporter
) -> Trainer:
    return Trainer(
        config=config,
        revision="r",
        model=model,
        objective=Objective("cross_entropy"),
        training=FixedBatches(torch.tensor(case["train_x"]), torch.tensor(case["train_y"]), case["bs"]),
        validation=FixedValidation(torch.tensor(case["valid_x"]), torch.tensor(case["valid_y"])),
        device=torch.device("cpu"),
        precision=Precision("fp32", "test"),
        reporter=recorder,
        keeper=LocalKeeper(folder / "kept"),
        work=folder,
        checkpoint_seconds=1e9,
    )


def config_of(case: dict[str, Any]) -> ResolvedConfig:
    return resolve(train_config.validate_python({"batch_size": case["bs"], **case["fine_tune"]}))


@pytest.mark.parametrize("case", cases("e2e_finetune"), ids=lambda case: str(case["fine_tune"]))
def test_a_whole_fine_tune_ends_with_fastai_s_losses_and_weights(case: dict[str, Any], tmp_path: Path) -> None:
    model, recorder = toy(), Recorder()
    model.load_state_dict({ours(n): torch.tensor(v) for n, v in case["init"].items()})
    trainer(case, model, config_of(case), tmp_path, recorder).train()
    assert [b.raw_loss for b in recorder.batches] == pytest.approx(case["raw_losses"], abs=2e-4)
    rows = [[e.train_loss, e.valid_loss, e.error_rate] for e in recorder.epochs]
    for row, expected in zip(rows, case["epochs"], strict=True):
        assert row == pytest.approx(expected, abs=2e-4)
    state = model.state_dict()
    for name, value in case["final"].items():
        torch.testing.assert_close(state[ours(name)], torch.tensor(value), atol=2e-4, rtol=0)


@pytest.mark.parametrize("stop_before", [1, 3, 4, 8])
def test_a_run_that_was_stopped_ends_bit_for_bit_as_if_it_had_not_been(stop_before: int, tmp_path: Path) -> None:
    case = cases("e2e_finetune")[0]
    config = config_of(case)
    torch.manual_seed(0)
    start = toy(dropout=0.2).state_dict()
    start = {n: t.clone() for n, t in start.items()}

    def fresh() -> BreedNet:
        model = toy(dropout=0.2)
        model.load_state_dict(start)
        return model

    whole, whole_record = fresh(), Recorder()
    trainer(case, whole, config, tmp_path / "whole", whole_record).train()
    first_record = Recorder(stop_before)
    with pytest.raises(Stopped):
        trainer(case, fresh(), config, tmp_path / "cut", first_record).train()
    cut, second_record = fresh(), Recorder()
    second = trainer(case, cut, config, tmp_path / "cut", second_record)
    second.restore()
    assert second.step == stop_before
    second.train()
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, cut.state_dict()[name]), name
    assert whole_record.batches == first_record.batches + second_record.batches
    rows = [(row.phase, row.epoch, row.valid_loss) for row in first_record.epochs + second_record.epochs]
    assert rows == [(row.phase, row.epoch, row.valid_loss) for row in whole_record.epochs]


@pytest.mark.parametrize(("stop_before", "said"), [(4, ("train", 1, 0)), (7, ("train", 1, 1)), (9, ("train", 1, 1))])
def test_a_resumed_run_says_where_it_is_before_its_first_batch(
    stop_before: int, said: tuple[str, int, int], tmp_path: Path
) -> None:
    """Also at its very end, where nothing but the last validation may be left."""
    case = cases("e2e_finetune")[0]
    with pytest.raises(Stopped):
        trainer(case, toy(), config_of(case), tmp_path, Recorder(stop_before)).train()
    told: list[tuple[str, int, int]] = []

    class Watcher(Recorder):
        def on_progress(self, progress: Any) -> None:  # noqa: ANN401 - Progress; only its fields matter
            assert progress.in_batches
            told.append((progress.stage, progress.phase, progress.epoch))

    resumed = trainer(case, toy(), config_of(case), tmp_path, Watcher())
    resumed.restore()
    assert resumed.step == stop_before
    resumed.train()
    resumed.last_outputs()
    assert told[0] == said
    assert told[-1] == ("validate", 1, 1)


@pytest.mark.parametrize("weight_decay", [0.01, 0.0])
def test_a_rate_of_a_billion_fails_naming_the_step_and_the_rate(weight_decay: float, tmp_path: Path) -> None:
    case = cases("e2e_finetune")[0]
    asked = {"batch_size": case["bs"], "epochs": 40, "base_lr": 1e9, "weight_decay": weight_decay}
    config = resolve(train_config.validate_python(asked))
    with pytest.raises(LossDiverged, match=r"at step \d+ of \d+, at learning rate \d") as raised:
        trainer(case, toy(), config, tmp_path, Recorder()).train()
    assert raised.value.hint is not None


def test_progress_counts_all_phases_and_knows_the_time_left(tmp_path: Path) -> None:
    case = cases("e2e_finetune")[0]
    seen: list[tuple[int, int, float | None]] = []

    class Watcher(Recorder):
        def on_progress(self, progress: Any) -> None:  # noqa: ANN401 - Progress; only its fields matter
            if progress.stage == "train":
                seen.append((progress.step, progress.steps, progress.eta_seconds))

    trainer(case, toy(), config_of(case), tmp_path, Watcher()).train()
    assert [step for step, _, _ in seen] == list(range(10))
    assert {steps for _, steps, _ in seen} == {9}
    assert all(eta is not None and eta >= 0 for _, _, eta in seen[2:])


AUTO = {"batch_size": 8, "lr_sweep": {"steps": 60, "sweeps": 2, "start_lr": 1e-4}, "precision": "fp32"}


def toy_trainer(
    config: ResolvedConfig, folder: Path, recorder: NullReporter, model: BreedNet | None = None, parts: int = 1
) -> Trainer:
    """A trainer on learnable made-up inputs, ten batches an epoch; its model always starts the same."""
    torch.manual_seed(4)
    return Trainer(
        config=config,
        revision="r",
        model=model or toy(dropout=0.1),
        objective=Objective("cross_entropy"),
        training=FixedBatches(*toy_inputs(80), 8),
        validation=FixedValidation(*toy_inputs(40, seed=1)),
        device=torch.device("cpu"),
        precision=Precision("fp32", "test"),
        reporter=recorder,
        keeper=LocalKeeper(folder / "kept"),
        work=folder,
        checkpoint_seconds=1e9,
        accumulation=parts,
    )


def trained(config: ResolvedConfig, folder: Path, recorder: NullReporter) -> dict[str, Tensor]:
    trainer = toy_trainer(config, folder, recorder)
    trainer.train()
    return trainer.model.state_dict()


def check_equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> None:
    for name, tensor in one.items():
        assert torch.equal(tensor, other[name]), name


def of(**recipe: object) -> ResolvedConfig:
    return resolve(train_config.validate_python({**AUTO, **recipe}))


@pytest.mark.parametrize("size", [8, 7])
def test_a_batch_in_two_halves_has_the_loss_and_the_gradients_of_the_whole(size: int, tmp_path: Path) -> None:
    def keep_in(seen: list[Tensor]) -> Callable[..., None]:
        def keep(optimizer: Optimizer, *_: object) -> None:
            seen.extend(param.grad.clone() for group in optimizer.param_groups for param in group["params"])

        return keep

    found = []
    for parts in (1, 2):
        torch.manual_seed(2)
        model = toy(norm=False)
        train_step = toy_trainer(of(), tmp_path, Recorder(), model, parts).train_step
        optimizer, seen = train_step.optimizer(), list[Tensor]()
        optimizer.register_step_pre_hook(keep_in(seen))
        x, y = toy_inputs(size)
        hypers = Hypers(lr=(0.1,) * 3, momentum=0.9)
        loss = train_step.take(SampledBatch(x, y, NOTHING), 0, optimizer, hypers, train_step.scaler())
        found.append((loss, seen))
    (whole, unparted), (halves, summed) = found
    torch.testing.assert_close(halves, whole)
    for one, other in zip(summed, unparted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-7)
        assert other.abs().max() > 0


def test_a_checkpoint_keeps_to_the_halves_it_was_trained_in(tmp_path: Path) -> None:
    config = of(base_lr=0.02, epochs=1)
    whole, uncut = toy_trainer(config, tmp_path / "whole", Recorder(), parts=2), Recorder(13)
    whole.train()
    with pytest.raises(Stopped):
        toy_trainer(config, tmp_path / "cut", uncut, parts=2).train()
    resumed = toy_trainer(config, tmp_path / "cut", Recorder())
    resumed.restore()
    assert (resumed.accumulation, resumed.train_step.accumulation) == (2, 2)
    resumed.train()
    check_equal(whole.model.state_dict(), resumed.model.state_dict())


def test_each_epoch_says_how_much_memory_was_held(tmp_path: Path) -> None:
    recorder = Recorder()
    trained(of(base_lr=0.02, epochs=1), tmp_path, recorder)
    peaks = [epoch.peak_memory_bytes or 0 for epoch in recorder.epochs]
    # torch alone takes more than this; it grows and never shrinks
    assert 50 << 20 < peaks[0] <= peaks[1] < 1 << 40


def test_the_time_left_counts_the_searches_that_are_to_come(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter(range(100))
    monkeypatch.setattr(time, "perf_counter", lambda: float(next(ticks)))
    left = []
    for lr_max in (1e-3, "auto"):
        phases = [{"freeze": True, "epochs": 1}, {"freeze": False, "epochs": 1, "lr_max": lr_max}]
        pace = Pace(of(recipe="phases", phases=phases), 10)
        pace.stepped(8, 1)
        pace.stepped(8, 2)
        left.append((pace.eta_seconds(2), pace.eta_seconds(11)))
    (given, given_later), (searched, searched_later) = left
    assert given is not None
    assert searched == given + 120
    assert searched_later == given_later


def test_the_time_left_is_known_where_an_epoch_is_one_step(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter(range(100))
    monkeypatch.setattr(time, "perf_counter", lambda: float(next(ticks)))
    pace = Pace(of(recipe="phases", phases=[{"freeze": False, "epochs": 5}]), 1)
    for step in (1, 2):
        pace.stepped(8, step)
        with pace.validating(step):
            pass
    assert pace.eta_seconds(2) == 3 * (1 + 1)  # three steps and three validations of one second each


class Logging(Recorder):
    """Keeps the sentences too."""

    def __init__(self, stop_before: int | None = None) -> None:
        super().__init__(stop_before)
        self.logs: list[str] = []

    def on_log(self, message: str) -> None:
        self.logs.append(message)


def test_steps_that_fp16_skipped_are_told_once_an_epoch_over_a_resume(tmp_path: Path) -> None:
    config, first, rest = of(base_lr=0.02, epochs=1), Logging(5), Logging()
    cut = toy_trainer(config, tmp_path, first)
    cut.scaler = GradScaler("cpu")
    overflows = iter([math.inf, math.inf])
    next(cut.model.head.parameters()).register_hook(lambda gradient: gradient * next(overflows, 1.0))  # type: ignore[no-untyped-call]
    with pytest.raises(Stopped):
        cut.train()
    assert (cut.scaler.get_scale(), first.logs) == (16384.0, [])
    resumed = toy_trainer(config, tmp_path, rest)
    resumed.scaler = GradScaler("cpu")
    resumed.restore()
    resumed.train()
    told = "2 of the 10 steps of phase 1, epoch 1, were skipped: their gradients overflowed in fp16"
    assert rest.logs == [f"{told}, and the loss scale is now 16384"]


def test_a_checkpoint_that_the_disk_does_not_hold_leaves_the_earlier_one_and_no_scratch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "checkpoint.safetensors"
    save_tensors({"x": torch.zeros(3)}, path, {})
    before = path.read_bytes()

    def full(_tensors: object, scratch: Path, **_: object) -> None:
        scratch.write_bytes(b"half of it")
        message = "Error while serializing: I/O error: No space left on device (os error 28)"
        raise SafetensorError(message)

    monkeypatch.setattr(ml.learn.checkpoint, "save_file", full)
    with pytest.raises(DiskFull, match=r"no room for checkpoint.safetensors, which needs 8 MiB"):
        save_tensors({"x": torch.zeros(2 << 20)}, path, {})
    monkeypatch.undo()
    assert (list(tmp_path.iterdir()), path.read_bytes()) == ([path], before)
    save_tensors({"x": torch.ones(3)}, path, {})
    assert path.read_bytes() != before
