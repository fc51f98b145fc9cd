from pathlib import Path

import pytest
import torch

from ml.config import ResolvedConfig
from ml.errors import Stopped
from ml.learn.best_epoch import BestEpoch
from ml.learn.evaluation import loss_and_error
from ml.learn.trainer import Trainer
from ml.reporting import NullReporter
from tests.ml.learn.test_trainer import Recorder, check_equal, of, toy_trainer
from tests.ml.toys import FixedValidation, toy_inputs

EPOCHS = 12


def watched(patience: int, losses: list[float]) -> tuple[BestEpoch, int]:
    """What is kept, and how many epochs were trained."""
    best = BestEpoch(patience)
    for number, loss in enumerate(losses, 1):
        best.finished(loss, {"epoch": torch.tensor(number)})
        if best.is_over:
            return best, number
    return best, len(losses)


@pytest.mark.parametrize(
    ("patience", "losses", "kept", "trained"),
    [
        (2, [3.0, 2.0, 2.5, 2.4, 1.0], 2, 4),
        (2, [3.0, 2.0, 2.5, 1.9, 2.0, 1.95], 4, 6),
        (1, [1.0, 1.0, 0.5], 1, 2),  # as low is not lower
        (5, [3.0, 2.0, 1.0], 3, 3),
    ],
)
def test_a_phase_ends_when_so_many_epochs_were_no_better_than_its_best(
    patience: int, losses: list[float], kept: int, trained: int
) -> None:
    best, epochs = watched(patience, losses)
    assert (int(best.tensors["epoch"]), epochs) == (kept, trained)


def test_without_patience_nothing_is_kept_and_nothing_ends() -> None:
    best, epochs = watched(0, [1.0, 2.0, 3.0])
    assert (best.tensors, best.loss, epochs) == ({}, None, 3)


def test_what_is_kept_stays_as_it_was_then() -> None:
    weight = torch.zeros(2)
    best = BestEpoch(3)
    best.finished(1.0, {"weight": weight})
    weight.add_(1)
    assert best.tensors["weight"].tolist() == [0.0, 0.0]


def config(**changes: object) -> ResolvedConfig:
    phases = [{"freeze": freeze, "epochs": EPOCHS, "lr_max": 0.05} for freeze in (True, False)]
    return of(recipe="phases", phases=phases, patience=2, **changes)


def learns_by_heart(folder: Path, recorder: NullReporter, chosen: ResolvedConfig) -> Trainer:
    """A training whose validation labels have nothing to do with the pictures, so that its loss there rises."""
    trainer = toy_trainer(chosen, folder, recorder)
    x, y = toy_inputs(40, seed=1)
    trainer.validation = FixedValidation(x, y.roll(7))
    return trainer


class Logging(Recorder):
    def __init__(self, stop_before: int | None = None) -> None:
        super().__init__(stop_before)
        self.logs: list[str] = []

    def on_log(self, message: str) -> None:
        self.logs.append(message)


@pytest.mark.parametrize("averaging", [0.0, 0.9])
def test_each_phase_ends_early_and_goes_on_from_its_best_epoch(averaging: float, tmp_path: Path) -> None:
    chosen, record = config(weight_averaging=averaging), Logging()
    trainer = learns_by_heart(tmp_path, record, chosen)
    trainer.train()
    for phase in (0, 1):
        losses = [epoch.valid_loss for epoch in record.epochs if epoch.phase == phase]
        best = losses.index(min(losses))
        assert len(losses) == best + 3 < EPOCHS
        assert f"phase {phase + 1} ends with epoch {best + 3}" in record.logs[phase]
    assert trainer.epochs_trained == len(record.epochs)
    loss, _ = loss_and_error(chosen.loss, trainer.last_outputs()[0], trainer.validation.targets)
    assert loss == min(epoch.valid_loss for epoch in record.epochs if epoch.phase == 1)


@pytest.mark.parametrize("stop_before", [5, *(pytest.param(step, marks=pytest.mark.thorough) for step in (15, 25)), 35])
def test_a_run_with_patience_that_was_stopped_ends_bit_for_bit_as_if_it_had_not_been(
    stop_before: int, tmp_path: Path
) -> None:
    whole = learns_by_heart(tmp_path / "whole", Recorder(), config(weight_averaging=0.9))
    whole.train()
    first = learns_by_heart(tmp_path / "parts", Recorder(stop_before), config(weight_averaging=0.9))
    with pytest.raises(Stopped):
        first.train()
    parts = learns_by_heart(tmp_path / "parts", Recorder(), config(weight_averaging=0.9))
    parts.restore()
    assert parts.step >= stop_before  # more where an epoch of before was the last of its phase
    parts.train()
    check_equal(whole.learned.state_dict(), parts.learned.state_dict())
    check_equal(whole.model.state_dict(), parts.model.state_dict())
    assert whole.epochs_trained == parts.epochs_trained
