import numpy as np
import pytest
import torch

from ml.augment.augment import as_float, validation_input, validation_pixels
from ml.augment.lighting import normalise
from ml.augment.resample import resize_exactly
from ml.line_map import LineMap, resample, validation_steps

SIZES = [
    (460, 224),
    (460, 128),
    (460, 299),
    (512, 256),
    (256, 224),
    (224, 224),
    (200, 100),
    (201, 100),
    (150, 7),
    (9, 8),
]


@pytest.mark.parametrize(("presize", "size"), SIZES)
def test_validations_resize_as_a_matrix_is_torchs_to_the_error_of_floats(presize: int, size: int) -> None:
    noise = torch.randint(
        0, 256, (2, presize, presize, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1)
    )
    torch.testing.assert_close(validation_pixels(noise, size), resize_exactly(as_float(noise), size), atol=1e-4, rtol=0)
    expected = normalise(resize_exactly(as_float(noise), size) / 255)
    torch.testing.assert_close(validation_input(noise, size), expected, atol=4e-6, rtol=0)


@pytest.mark.parametrize(("presize", "size"), SIZES)
def test_every_output_is_a_mean(presize: int, size: int) -> None:
    for step in validation_steps(presize, size):
        assert np.allclose(step.sum(1), 1, atol=1e-12)
        assert (step >= 0).all()


@pytest.mark.parametrize("steps", [1, 2])
def test_a_map_is_the_product_of_its_steps_for_rows_and_for_columns(steps: int) -> None:
    rows, columns = validation_steps(300, 40)[-steps:], validation_steps(200, 50)[-steps:]
    pixels = np.random.default_rng(0).integers(0, 256, (300, 200, 3), np.uint8)
    left, right = (np.linalg.multi_dot([*axis, np.eye(axis[-1].shape[1])]) for axis in (rows, columns))
    expected = np.einsum("ay,yxc,bx->cab", left, pixels, right, optimize=True)
    assert np.abs(resample(pixels, LineMap.of(*rows), LineMap.of(*columns)) - expected).max() < 1e-3


def test_a_long_line_is_cut_into_parts_that_make_the_whole() -> None:
    """Each part is one product; more than so many numbers in one would bring threads."""
    line = LineMap.of(*validation_steps(100, 40))
    wide = np.random.default_rng(0).integers(0, 256, (100, 3001, 3), np.uint8)
    assert np.allclose(line.along(wide)[-30:], line.along(wide[:, -10:]), atol=1e-3)
