from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from ml.augment.augment import as_float
from ml.augment.geometry import Draws
from ml.augment.resample import resize_exactly
from ml.look.contact_sheet import BLACK, WHITE
from ml.look.presizing import LEAST_CROP, ROTATE, WARP, ZOOM, busiest, compare, neighbour_contrast, strong_draws
from ml.look.presizing_figure import DETAIL, SHOWN, draw_presizing
from tests.ml.pictures import holds, picture


def smooth(size: int = 160) -> Tensor:
    return torch.from_numpy(np.array(picture(size, size, seed=3)))


def fine(size: int = 160) -> Tensor:
    values = np.random.default_rng(0).integers(0, 256, (size, size, 3), np.uint8)
    return torch.from_numpy(values)


def unchanged() -> Draws:
    zero, one = torch.zeros(1), torch.ones(1)
    return Draws(
        flip=zero,
        rotate=zero,
        zoom=one,
        zoom_x=zero,
        zoom_y=zero,
        warp_x=zero,
        warp_y=zero,
        crop_scale=one,
        crop_x=zero,
        crop_y=zero,
    )


@pytest.mark.parametrize("seed", range(4))
def test_both_ways_show_the_same_part(seed: int) -> None:
    # Well inside, so that no step has turned what is seen out of its frame.
    draws = replace(strong_draws(seed), rotate=torch.tensor([12.0]), zoom=torch.tensor([1.6]))
    centred = replace(draws, zoom_x=torch.tensor([0.5]), zoom_y=torch.tensor([0.5]))
    found = compare(smooth(), centred, 80)
    middle = slice(20, 60)
    difference = (found.once[middle, middle].float() - found.stepwise[middle, middle].float()).abs().mean()
    assert difference < 2
    turned = found.once.flip(1)[middle, middle].float() - found.stepwise[middle, middle].float()
    assert turned.abs().mean() > 10


def test_step_by_step_loses_contrast_against_an_antialiased_resample_and_once_has_aliasing_above_it() -> None:
    for seed in range(4):
        found = compare(fine(), strong_draws(seed), 80)
        assert found.contrast_once == neighbour_contrast(found.once)
        assert found.kept_stepwise == found.contrast_stepwise / found.contrast_antialiased
        assert found.kept_stepwise < 0.7
        assert found.kept_once > 1.05


def test_the_antialiased_resample_shows_the_same_picture_and_differs_where_detail_is_too_fine() -> None:
    # Without a shrink there is nothing to alias: the two agree on a smooth picture.
    found = compare(smooth(), strong_draws(0), 320)
    assert found.kept_once == pytest.approx(1, abs=0.1)


def test_a_picture_without_any_contrast_has_lost_none() -> None:
    found = compare(torch.full((160, 160, 3), 90, dtype=torch.uint8), strong_draws(0), 80)
    assert (found.kept_once, found.kept_stepwise) == (1, 1)


def test_without_changes_step_by_step_is_the_plain_resize() -> None:
    source = smooth()
    found = compare(source, unchanged(), 80)
    plain = resize_exactly(as_float(source[None]), 80)[0].permute(1, 2, 0)
    assert (found.stepwise.float() - plain).abs().max() <= 0.51
    assert found.outline == ((0, 0), (1, 0), (1, 1), (0, 1))


def test_the_draws_are_strong_and_only_directions_and_places_vary() -> None:
    drawn = [strong_draws(seed) for seed in range(20)]
    assert {abs(one.rotate.item()) for one in drawn} == {ROTATE}
    assert {one.rotate.item() for one in drawn} == {ROTATE, -ROTATE}
    assert {round(abs(one.warp_x.item()), 5) for one in drawn} == {WARP}
    assert {round(one.zoom.item(), 5) for one in drawn} == {ZOOM}
    assert {one.flip.item() for one in drawn} == {0.0, 1.0}
    assert all(LEAST_CROP**0.5 <= one.crop_scale.item() <= 1 for one in drawn)


def test_the_interpolations_are_named_and_a_mirror_is_none() -> None:
    found = compare(smooth(), replace(strong_draws(0), flip=torch.ones(1)), 80)
    assert found.steps == ("resize", "warp", "rotate", "zoom", "crop")
    assert found.said.startswith("mirrored, turned by ")


def test_contrast_is_the_mean_step_between_neighbours() -> None:
    stripes = torch.zeros(4, 6, 3, dtype=torch.uint8)
    stripes[:, ::2] = 100
    assert neighbour_contrast(stripes) == 50


def test_the_busiest_window_is_found() -> None:
    plain = torch.full((80, 80, 3), 90, dtype=torch.uint8)
    plain[38:48, 30:40] = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (10, 10, 3), np.uint8))
    top, left = busiest(plain, 16)
    assert 32 <= top <= 38
    assert 24 <= left <= 30


def test_the_figure_holds_the_same_detail_of_both_ways_magnified() -> None:
    found = compare(fine(460), strong_draws(0), 224)
    figure = draw_presizing(found, title="pets", drawn=False)
    top, left = busiest(found.once, DETAIL)
    for pixels in (found.once, found.stepwise):
        part = pixels[top : top + DETAIL, left : left + DETAIL].numpy()
        assert holds(figure, part.repeat(SHOWN // DETAIL, 0).repeat(SHOWN // DETAIL, 1))
    assert draw_presizing(found, title="pets", drawn=True).height > figure.height
    dark = np.asarray(draw_presizing(found, title="pets", drawn=False, paper=BLACK))
    # Photos keep their white outlines; the paper between them, and that of the text, does not.
    assert (dark == WHITE.ground).all(-1).mean() < 0.02
    assert (dark == BLACK.ground).all(-1).mean() > 0.2
