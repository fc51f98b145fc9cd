"""What each of several processes takes of a batch, and that together they take what one would."""

from pathlib import Path

import pytest
import torch
from torch import nn
from torchvision.ops import StochasticDepth

from ml.config import ResolvedConfig
from ml.data.bundle import Folder
from ml.data.manifest import LabelRule
from ml.data.scan import scan_folder
from ml.errors import DeviceUnavailable
from ml.learn import devices
from ml.learn.devices import count_devices
from ml.learn.rows import Rows, cut, rows_of
from ml.learn.setup import Paths, Setup, set_up
from ml.learn.shared_layers import Sight, share_draws
from ml.reporting import NullReporter
from tests.ml.learn.test_training import config, folder
from tests.ml.toys import toy, toy_inputs

__all__ = ["folder"]

CPU = torch.device("cpu")
CHANGED = {"mixup": 0.4, "cutmix": 1.0, "erase": 0.5, "trivial_augment": True}


@pytest.mark.parametrize(("count", "parts"), [(8, 2), (7, 3), (2, 5), (64, 7)])
def test_shares_hold_each_picture_once_and_differ_by_one_at_most(count: int, parts: int) -> None:
    shares = cut(count, parts)
    assert [row for first, end in shares for row in range(first, end)] == list(range(count))
    assert max(end - first for first, end in shares) - min(end - first for first, end in shares) <= 1
    assert rows_of(count, parts - 1, parts) == Rows(*shares[-1], count)


def learning(chosen: ResolvedConfig, folder: Path) -> Setup:
    manifest = scan_folder(folder, LabelRule(), name="colours")
    paths = Paths(cache=folder.parent / "cache", weights=None, work=folder.parent)
    source, silent = Folder(folder, manifest), NullReporter()
    return set_up(chosen, manifest, source, paths=paths, reporter=silent, device="cpu", initial=None)


@pytest.mark.parametrize("ranks", [2, 3])
@pytest.mark.parametrize("changes", [{}, CHANGED], ids=["plain", "blended"])
def test_together_they_see_what_one_would_and_mix_the_same_pairs(
    folder: Path, ranks: int, changes: dict[str, object]
) -> None:
    training = learning(config(**changes), folder).training
    seen = set()
    for step in range(4):
        whole = training.sample(step)
        seen.add(whole.blend is None)
        shares = [training.shared(rank, ranks).sample(step) for rank in range(ranks)]
        loaded = [training.load(share, CPU) for share in shares]
        inputs, targets = training.load(whole, CPU)
        assert torch.equal(torch.cat([one for one, _ in loaded]), inputs)
        assert torch.equal(torch.cat([one for _, one in loaded]), targets)
        if whole.blend is not None:
            assert torch.equal(torch.cat([share.others for share in shares]), whole.others)
        assert [share.of for share in shares] == [len(targets)] * ranks
        assert sum(share.count for share in shares) == len(targets)
    assert seen == {not changes}


def test_parts_of_a_share_hold_each_of_its_pictures_once_and_know_their_rows(folder: Path) -> None:
    training = learning(config(mixup=0.4), folder).training
    share = training.shared(1, 2).sample(0)
    parts = share.parts(2)
    assert [part.rows for part in parts] == [Rows(4, 6, 8), Rows(6, 8, 8)]
    assert [(part.count, part.of) for part in parts] == [(2, 8)] * 2
    inputs = torch.cat([training.load(part, CPU)[0] for part in parts])
    assert torch.equal(inputs, training.load(share, CPU)[0])
    assert torch.equal(torch.cat([part.others for part in parts]), share.others)


def test_a_lone_process_s_parts_blend_their_own_pictures(folder: Path) -> None:
    whole = learning(config(mixup=0.4), folder).training.sample(0)
    assert [part.count for part in whole.parts(3)] == [3, 3, 2]
    for part in whole.parts(3):
        assert torch.equal(part.others, part.targets.roll(1))


@pytest.mark.parametrize("ranks", [2, 5])
def test_the_validation_side_is_shared_in_whole_batches_one_after_the_other(folder: Path, ranks: int) -> None:
    validation = learning(config(batch_size=4), folder).validation
    shares = [validation.shared(rank, ranks) for rank in range(ranks)]
    batches = [list(share.load(CPU)) for share in shares]
    whole = list(validation.load(CPU))
    assert all(map(torch.equal, (one for some in batches for one in some), whole))
    before = [0]
    for some in batches:
        before.append(before[-1] + sum(map(len, some)))
    assert [share.before() for share in shares] == before[:-1]
    assert all(torch.equal(share.targets, validation.targets) for share in shares)


def test_dropout_of_a_share_is_its_rows_of_the_whole_batch_s() -> None:
    x, _ = toy_inputs(8)
    sight, model = Sight(), toy(dropout=0.5, norm=False)
    torch.manual_seed(3)
    whole = model(x)
    share_draws(model, sight)
    torch.manual_seed(3)
    assert torch.equal(model(x), whole)
    for rows in (Rows(0, 3, 8), Rows(3, 8, 8)):
        sight.rows = rows
        torch.manual_seed(3)
        torch.testing.assert_close(model(x[rows.first : rows.end]), whole[rows.first : rows.end])
    assert torch.equal(model.eval()(x), model(x))


@pytest.mark.parametrize("mode", ["row", "batch"])
def test_stochastic_depth_of_a_share_is_its_rows_of_the_whole_batch_s(mode: str) -> None:
    x = torch.rand(8, 3, 5, 5, generator=torch.Generator().manual_seed(0)) + 1
    sight, model = Sight(), nn.Sequential(StochasticDepth(0.5, mode)).train()
    torch.manual_seed(3)
    whole = model(x)
    share_draws(model, sight)
    kept = set()
    for rows in (None, Rows(0, 3, 8), Rows(3, 8, 8)):
        sight.rows = rows
        torch.manual_seed(3)
        first, end = (0, 8) if rows is None else (rows.first, rows.end)
        assert torch.equal(model(x[first:end]), whole[first:end])
        kept |= set((whole[first:end] > 0).flatten(1).any(1).tolist())
    assert len(kept) == (2 if mode == "row" else 1), "of single photos some are dropped"
    assert torch.equal(model.eval()(x), x)


def test_a_cpu_is_one_device_that_as_many_processes_share_as_it_has_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "worth_starting", lambda: 2)
    assert [count_devices(asked, CPU, 64) for asked in (1, "all", 2)] == [1, 1, 2]
    with pytest.raises(DeviceUnavailable, match="this machine has no GPU, but a CPU with 2 cores") as refused:
        count_devices(3, CPU, 64)
    assert refused.value.hint == "Set devices to 2 or less, or start a worker where there are more."


def test_more_gpus_than_there_are_are_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = torch.device("cuda")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda number: f"GPU {number}")
    assert [count_devices(asked, gpu, 64) for asked in (1, 2, "all")] == [1, 2, 2]
    with pytest.raises(DeviceUnavailable, match=r"4 devices were asked for, and this machine has 2 \(GPU 0, GPU 1\)"):
        count_devices(4, gpu, 64)
    with pytest.raises(DeviceUnavailable, match="a batch of 3 has fewer than 2 photos for each of this machine's 2"):
        count_devices("all", gpu, 3)
