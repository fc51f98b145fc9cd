"""Trainings in two processes over Gloo: as one would, whatever is killed, and nobody is left behind."""

import os
import signal
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from ml.data.bundle import Folder
from ml.data.manifest import LabelRule
from ml.data.scan import scan_folder
from ml.errors import LossDiverged, ProcessLost, Stopped
from ml.fetch.weights import load_state
from ml.learn import devices
from ml.learn.checkpoint import LocalKeeper
from ml.learn.setup import Paths
from ml.learn.training import fit
from ml.reporting import BatchRecord, EpochRecord, NullReporter, Plan
from tests.ml.learn.test_training import config, folder

__all__ = ["folder"]

SMALL = {"arch": "mobilenet_v3_small", "mixup": 0.4, "label_smoothing": 0.1, "weight_averaging": 0.5, "patience": 2}


class Watcher(NullReporter):
    """Keeps the record; at a step it kills the process of a rank, or asks all to stop."""

    def __init__(self, step: int | None = None, kill: int | None = None) -> None:
        self.plans: list[Plan] = []
        self.losses: list[float] = []
        self.epochs: list[EpochRecord] = []
        self.logs: list[str] = []
        self.ranks: list[int] = []
        self._step, self._kill = step, kill

    def on_plan(self, plan: Plan) -> None:
        self.plans.append(plan)
        self.ranks = ranks_of(os.getpid())

    def on_batches(self, batches: Sequence[BatchRecord]) -> None:
        self.losses += [one.raw_loss for one in batches]
        if len(self.losses) == self._step and self._kill is not None:
            os.kill(self.ranks[self._kill], signal.SIGKILL)

    def on_epoch(self, epoch: EpochRecord) -> None:
        self.epochs.append(epoch)

    def on_log(self, message: str) -> None:
        self.logs.append(message)

    def should_stop(self) -> bool:
        return self._kill is None and len(self.losses) == self._step


def ranks_of(parent: int) -> list[int]:
    """The processes of a training, number 0 first."""
    found = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return [int(one) for one in found if b"ml.learn.rank_process" in Path(f"/proc/{one}/cmdline").read_bytes()]


@pytest.fixture(autouse=True)
def cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """Enough for two, on any machine."""
    monkeypatch.setattr(devices, "worth_starting", lambda: 2)


def learned(folder: Path, out: Path, watcher: Watcher, **changes: object) -> dict[str, torch.Tensor]:
    """What a training leaves; it goes on from the checkpoint that an earlier one left there."""
    manifest = scan_folder(folder, LabelRule(), name="colours")
    paths = Paths(cache=folder.parent / "cache", weights=None, work=out)
    keeper, source = LocalKeeper(out / "kept"), Folder(folder, manifest)
    chosen = config(**{**SMALL, "devices": 2, **changes})
    try:
        result = fit(chosen, manifest, source, paths=paths, reporter=watcher, keeper=keeper, device="cpu")
    finally:
        assert ranks_of(os.getpid()) == []
        assert not list(out.glob("meeting-*"))
    return load_state(result.files["model.safetensors"])


def test_two_processes_learn_what_one_does_and_end_when_one_is_killed(folder: Path, tmp_path: Path) -> None:
    one, two = Watcher(), Watcher(step=8, kill=1)
    learned(folder, tmp_path / "one", one, devices=1)
    with pytest.raises(ProcessLost, match="process 2 of the 2 that train together ended with signal SIGKILL") as lost:
        learned(folder, tmp_path / "two", two)
    assert lost.value.killed
    assert two.losses[:8] == pytest.approx(one.losses[:8], abs=2e-4)
    assert [e.valid_loss for e in two.epochs[:2]] == pytest.approx([e.valid_loss for e in one.epochs[:2]], abs=2e-4)
    assert [e.error_rate for e in two.epochs[:2]] == [e.error_rate for e in one.epochs[:2]]
    assert (one.plans[0].device[:3], two.plans[0].device[:7]) == ("cpu", "2 x cpu")


@pytest.mark.thorough
@pytest.mark.parametrize(("batch_norm", "kill"), [("sync", 1), ("local", 0)])
def test_a_training_of_which_one_was_killed_ends_bit_for_bit_as_if_none_had_been(
    folder: Path, tmp_path: Path, batch_norm: str, kill: int
) -> None:
    undisturbed, resumed = Watcher(), Watcher()
    whole = learned(folder, tmp_path / "whole", undisturbed, batch_norm=batch_norm)
    if batch_norm == "sync":
        torch.testing.assert_close(whole, learned(folder, tmp_path / "one", Watcher(), devices=1), atol=2e-3, rtol=0)
    with pytest.raises(ProcessLost, match=f"process {kill + 1} of the 2"):
        learned(folder, tmp_path / "parts", Watcher(step=4, kill=kill), batch_norm=batch_norm)
    with pytest.raises(Stopped):
        learned(folder, tmp_path / "parts", Watcher(step=2), batch_norm=batch_norm)
    parts = learned(folder, tmp_path / "parts", resumed, batch_norm=batch_norm)
    assert resumed.plans[0].resumed_from_step == 5
    assert resumed.losses == undisturbed.losses[5:]
    assert all(torch.equal(parts[name], whole[name]) for name in whole)


@pytest.mark.thorough
def test_what_ends_one_of_them_in_order_is_told_as_of_one_process(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(LossDiverged, match="the loss became"):
        learned(folder, tmp_path / "out", Watcher(), base_lr=1e12)
