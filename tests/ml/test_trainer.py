from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ml.augment import Recipe
from ml.batches import Drawn, TrainingBatches, ValidationBatches
from ml.checkpoint import LocalKeeper
from ml.config import ResolvedConfig, resolve, train_config
from ml.errors import CheckpointInvalid, LossDiverged, Stopped
from ml.model import BreedNet, ConcatPool
from ml.precision import Precision
from ml.reporting import BatchRecord, EpochRecord, NullReporter
from ml.trainer import Trainer
from tests.ml.facts import cases

NOTHING = Recipe(torch.empty(0), torch.empty(0), torch.empty(0))


class FixedBatches(TrainingBatches):
    """Given inputs in given order, without pictures."""

    def __init__(self, x: Tensor, y: Tensor, batch_size: int) -> None:
        self.x, self.y, self.batch_size = x, y, batch_size
        self.per_epoch = len(x) // batch_size

    def draw(self, step: int) -> Drawn:
        first = step % self.per_epoch * self.batch_size
        part = slice(first, first + self.batch_size)
        return Drawn(self.x[part], self.y[part], NOTHING)

    def load(self, drawn: Drawn, device: torch.device) -> tuple[Tensor, Tensor]:
        return drawn.pictures.to(device), drawn.targets.to(device)


class FixedValidation(ValidationBatches):
    """Given inputs as one batch."""

    def __init__(self, x: Tensor, y: Tensor) -> None:
        self.x, self.y = x, y

    @property
    def targets(self) -> Tensor:
        return self.y

    def load(self, device: torch.device) -> Iterator[Tensor]:
        yield self.x.to(device)


class Recorder(NullReporter):
    """Keeps the record in lists; stops before a given step."""

    def __init__(self, stop_before: int | None = None) -> None:
        self.epochs: list[EpochRecord] = []
        self.batches: list[BatchRecord] = []
        self.stop_before = stop_before

    def on_epoch(self, epoch: EpochRecord) -> None:
        self.epochs.append(epoch)

    def on_batches(self, batches: Sequence[BatchRecord]) -> None:
        self.batches.extend(batches)

    def should_stop(self) -> bool:
        return len(self.batches) == self.stop_before


def toy(*, dropout: float = 0.0) -> BreedNet:
    first = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU())
    second = nn.Sequential(nn.Conv2d(4, 5, 3, padding=1, bias=False), nn.BatchNorm2d(5), nn.ReLU())
    head = nn.Sequential(ConcatPool(), nn.Flatten(), nn.BatchNorm1d(10), nn.Linear(10, 4))
    if dropout:
        head.append(nn.Dropout(dropout))
    return BreedNet(nn.Sequential(first, second), head, early=1)


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


def test_a_checkpoint_of_another_config_is_refused(tmp_path: Path) -> None:
    case = cases("e2e_finetune")[0]
    with pytest.raises(Stopped):
        trainer(case, toy(), config_of(case), tmp_path, Recorder(2)).train()
    other = config_of(case).model_copy(update={"weight_decay": 0.5})
    with pytest.raises(CheckpointInvalid, match="another config"):
        trainer(case, toy(), other, tmp_path, Recorder()).restore()


def test_a_truncated_checkpoint_is_refused(tmp_path: Path) -> None:
    case = cases("e2e_finetune")[0]
    with pytest.raises(Stopped):
        trainer(case, toy(), config_of(case), tmp_path, Recorder(2)).train()
    path = tmp_path / "kept" / "checkpoint.safetensors"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(CheckpointInvalid, match="cannot be read"):
        trainer(case, toy(), config_of(case), tmp_path, Recorder()).restore()


def test_a_rate_of_a_billion_fails_naming_the_step_and_the_rate(tmp_path: Path) -> None:
    case = cases("e2e_finetune")[0]
    config = resolve(train_config.validate_python({"batch_size": case["bs"], "epochs": 40, "base_lr": 1e9}))
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
    assert [step for step, _, _ in seen] == list(range(1, 10))
    assert {steps for _, steps, _ in seen} == {9}
    assert all(eta is not None and eta >= 0 for _, _, eta in seen[1:])
