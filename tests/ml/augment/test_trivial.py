import pytest
import torch
from torch import Tensor

from ml.augment.lighting import MEAN, STD
from ml.augment.trivial import WAYS, trivial_of_step, trivially_changed

SIDE = 14


def inputs(count: int) -> Tensor:
    """Normalised photos whose pixels are whole levels of 255."""
    levels = torch.randint(0, 255, (count, 3, SIDE, SIDE), generator=torch.Generator().manual_seed(1))
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (MEAN, STD))
    return (levels / 255 - mean) / std


def test_every_way_is_drawn_as_often_and_with_every_strength() -> None:
    drawn = trivial_of_step(14_000, 42, 0)
    counts = torch.bincount(drawn[:, 0].long(), minlength=len(WAYS))
    assert len(counts) == len(WAYS) == 14
    assert bool(((counts > 850) & (counts < 1150)).all())
    assert drawn[:, 1].min() < -0.99
    assert drawn[:, 1].max() > 0.99
    assert drawn[:, 1].mean().abs() < 0.03
    assert torch.equal(drawn, trivial_of_step(14_000, 42, 0))
    assert not torch.equal(drawn, trivial_of_step(14_000, 42, 1))


@pytest.mark.parametrize("strength", [-1.0, -0.3, 0.0, 0.3, 1.0])
def test_each_way_changes_its_own_photo_alone_and_stays_within_what_a_photo_can_be(strength: float) -> None:
    before = inputs(len(WAYS))
    drawn = torch.tensor([[float(way), strength] for way in range(len(WAYS))])
    after = trivially_changed(before.clone(), drawn)
    assert torch.equal(after[0], before[0])
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (MEAN, STD))
    pixels = after * std + mean
    assert bool(((pixels > -1e-5) & (pixels < 1 + 1e-5)).all())
    changed = [bool((one - other).abs().max() > 0.02) for one, other in zip(after, before, strict=True)]
    if abs(strength) == 1:
        assert all(changed[1:12])
    if strength == 0:
        assert not any(changed[:12])


def test_a_photo_moves_by_a_seventh_of_its_side_and_what_comes_into_sight_is_grey() -> None:
    before = inputs(1)
    after = trivially_changed(before.clone(), torch.tensor([[3.0, 1.0]]))
    torch.testing.assert_close(after[..., 2:], before[..., :-2], atol=0.03, rtol=0)
    assert after[..., :2].abs().max() < 0.02
