import pytest
import torch

from ml.augment.blend import Blend, blend_of_step

INPUTS = torch.arange(3 * 3 * 8 * 8, dtype=torch.float32).view(3, 3, 8, 8)


def test_nothing_is_blended_where_nothing_is_asked() -> None:
    assert blend_of_step(0, 0, 224, 42, 0) is None


def test_mixup_lays_each_photo_over_the_one_before_it() -> None:
    mixed = Blend(0.75).inputs(INPUTS.clone())
    torch.testing.assert_close(mixed[1], 0.75 * INPUTS[1] + 0.25 * INPUTS[0])
    torch.testing.assert_close(mixed[0], 0.75 * INPUTS[0] + 0.25 * INPUTS[2])


def test_cutmix_puts_a_piece_of_the_photo_before_and_leaves_the_rest() -> None:
    mixed = Blend(1 - 6 / 64, (2, 4, 1, 4)).inputs(INPUTS.clone())
    assert torch.equal(mixed[1, :, 2:4, 1:4], INPUTS[0, :, 2:4, 1:4])
    outside = torch.ones(8, 8, dtype=torch.bool)
    outside[2:4, 1:4] = False
    assert torch.equal(mixed[:, :, outside], INPUTS[:, :, outside])


def test_the_share_of_a_cut_is_the_area_that_is_left() -> None:
    for step in range(200):
        blend = blend_of_step(0, 1.0, 64, 42, step)
        assert blend is not None
        assert blend.box is not None
        top, bottom, left, right = blend.box
        assert 0 <= top <= bottom <= 64
        assert 0 <= left <= right <= 64
        assert blend.share == pytest.approx(1 - (bottom - top) * (right - left) / 64**2)


def test_shares_follow_their_beta_distribution_and_each_step_has_its_own() -> None:
    blends = [blend_of_step(0.4, 0, 224, 42, step) for step in range(2000)]
    shares = torch.tensor([blend.share for blend in blends if blend is not None])
    assert shares.mean().item() == pytest.approx(0.5, abs=0.03)
    assert shares.var().item() == pytest.approx(0.25 / 1.8, abs=0.01)  # 1 / (4 (2 alpha + 1))
    assert blend_of_step(0.4, 0, 224, 42, 7) == blends[7]
    assert blend_of_step(0.4, 0, 224, 43, 7) != blends[7]


def test_where_both_are_asked_each_has_half_of_the_batches() -> None:
    cut = [blend is not None and blend.box is not None for blend in (blend_of_step(1, 1, 64, 3, s) for s in range(400))]
    assert 150 < sum(cut) < 250
