from typing import Any

import numpy as np
import pytest
from PIL import Image

from ml.decode.placement import place, render
from ml.decode.presize import crop_box, resize_square
from tests.ml.facts import cases, facts
from tests.ml.pictures import picture


@pytest.mark.parametrize("case", cases("resize"), ids=lambda case: f"{case['width']}x{case['height']}")
def test_the_crop_box_is_the_originals(case: dict[str, Any]) -> None:
    left, top, width, height = crop_box(case["width"], case["height"], case["size"], *case["pcts_xy"])
    assert [left, top] == case["top_left_xy"]
    assert [width, height] == case["crop_wh"]


@pytest.mark.parametrize("case", facts("resize")["pixels"], ids=lambda case: f"{case['width']}x{case['height']}")
def test_the_pixels_are_the_originals(case: dict[str, Any]) -> None:
    image = Image.fromarray(np.array(case["input"], np.uint8))
    got = np.asarray(resize_square(image, case["size"], *case["pcts_xy"]), np.int16)
    assert np.abs(got - np.array(case["output"], np.int16)).max() <= facts("resize")["tolerance_uint8"]


@pytest.mark.parametrize(("width", "height"), [(50, 37), (37, 50), (117, 300), (252, 100), (64, 64), (8, 500), (9, 8)])
@pytest.mark.parametrize("size", [32, 46, 100])
def test_a_kept_picture_holds_the_validation_square_exactly(width: int, height: int, size: int) -> None:
    image = picture(width, height)
    plan = place(width, height, size)
    kept = render(image, plan)
    assert kept.shape == plan.shape
    assert min(kept.shape[:2]) == size
    assert max(kept.shape[:2]) <= 3 * size
    top, left = plan.corner
    assert np.array_equal(kept[top : top + size, left : left + size], np.asarray(resize_square(image, size)))


@pytest.mark.parametrize(("width", "height"), [(300, 117), (117, 300), (64, 41)])
def test_the_rest_of_it_continues_the_square_without_a_seam(width: int, height: int) -> None:
    size = 46
    image = picture(width, height)
    plan = place(width, height, size)
    kept = render(image, plan)
    left, top, side = plan.box
    step = side / size
    first, last = -plan.before * step, (size + plan.after) * step
    box = (left + first, top, left + last, top + side) if plan.wide else (left, top + first, left + side, top + last)
    at_once = image.resize((kept.shape[1], kept.shape[0]), Image.Resampling.BILINEAR, box=box)
    # Only the square's outermost pixels may differ: cut first, they see nothing beyond the cut.
    assert np.abs(kept.astype(np.int16) - np.asarray(at_once, np.int16)).max() <= 6
    assert np.abs(kept.astype(np.int16) - np.asarray(at_once, np.int16)).mean() < 0.3


def test_it_reaches_nearly_to_both_ends_of_the_picture() -> None:
    plan = place(300, 200, 100)
    assert plan.shape == (100, 150, 3)
    assert plan.corner == (0, 25)
