"""The order of draws is a contract: runs of before, resumed or looked at again, go by it."""

import torch

from ml.augment.draws import BatchDraws, draw_batch, draw_copies, draws_of_step, epoch_order
from ml.augment.geometry import draw, homography
from ml.augment.lighting import draw_lighting
from ml.augment.seed import generator
from ml.config_augment import Augment

AUGMENT = Augment()


def equal(one: BatchDraws, other: BatchDraws) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.tensors(), other.tensors(), strict=True))


def test_a_step_asks_for_squares_then_geometry_then_light_from_its_own_seed() -> None:
    chance = generator(7, "augment", 3)
    positions = torch.rand(5, generator=chance)
    homographies = homography(draw(5, AUGMENT, 0.75, chance))
    expected = BatchDraws(positions, homographies, *draw_lighting(5, AUGMENT, chance))
    assert equal(draws_of_step(5, AUGMENT, 0.75, 7, 3), expected)
    assert not equal(draws_of_step(5, AUGMENT, 0.75, 7, 4), expected)


def test_copies_ask_for_all_squares_first() -> None:
    chance = generator(7, "tta")
    positions = torch.rand(2, generator=chance)
    homographies, lights = [], []
    for _ in range(2):
        homographies.append(homography(draw(1, AUGMENT, 0.75, chance)))
        lights.append(draw_lighting(1, AUGMENT, chance))
    brightness, contrast = (torch.cat(parts) for parts in zip(*lights, strict=True))
    found = BatchDraws.join(draw_copies(2, AUGMENT, 0.75, generator(7, "tta")))
    assert equal(found, BatchDraws(positions, torch.cat(homographies), brightness, contrast))


def test_rows_of_a_batch_are_the_batch_s() -> None:
    whole = draw_batch(5, AUGMENT, 0.75, generator(1, "x"))
    assert equal(BatchDraws.join([whole.rows(slice(0, 2)), whole.rows(slice(2, 5))]), whole)


def test_an_epoch_s_order_is_the_seed_s() -> None:
    expected = torch.randperm(9, generator=generator(7, "order", 2))
    assert epoch_order(9, 7, 2).tolist() == expected.tolist()
    assert epoch_order(9, 7, 3).tolist() != expected.tolist()
