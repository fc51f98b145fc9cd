"""Validation's two steps by quicker programs give what validation gave, but for a level here and there."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from PIL import Image

from ml.decode.images import Limits
from ml.decode.picture_limits import DECODING
from ml.serve.two_steps import two_steps
from tests.ml.decode.test_direct import KINDS, OFTEN, exact, noisy, refusal
from tests.ml.hostile_pictures import scan_bomb
from tests.ml.pictures import encoded, picture

Floats = npt.NDArray[np.float32]
MOST, MEAN = 2.01, 0.1
"""Levels: a value of the presized square may be rounded the other way."""


def difference(data: bytes, size: int = 64, presize: int = 100) -> Floats:
    got = two_steps(data, Limits(), size, presize)
    assert got is not None
    assert (got.shape, got.dtype.name, got.flags.c_contiguous) == ((size, size, 3), "float32", True)
    apart: Floats = np.abs(got - exact(data, size, presize))
    return apart


@OFTEN
@given(st.integers(8, 260), st.integers(8, 260), st.integers(2, 120), st.integers(8, 150), st.integers(5, 100))
def test_at_whatever_sizes(width: int, height: int, size: int, presize: int, quality: int) -> None:
    assume(size <= presize)
    apart = difference(encoded(noisy(width, height), quality=quality), size, presize)
    assert apart.max() < MOST
    # Of a handful of values one may be a large part.
    assert size < 16 or apart.mean() < MEAN


def test_it_is_nearer_than_the_direct_way_on_a_photo_of_the_usual_size() -> None:
    apart = difference(encoded(noisy(500, 375), quality=90), 224, 460)
    assert apart.max() < MOST
    assert apart.mean() < MEAN / 20


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(("width", "height"), [(120, 95), (95, 120), (410, 385)])
def test_the_picture_is_upright_to_the_pixel(width: int, height: int, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    # Turned after it is scaled, what is rounded first is the other axis.
    assert difference(encoded(noisy(width, height), quality=95, exif=exif)).max() < MOST


@pytest.mark.parametrize("data", KINDS)
def test_ordinary_kinds_of_jpeg(data: bytes) -> None:
    assert difference(data).max() < MOST


@pytest.mark.parametrize(
    "data",
    [encoded(picture(), "PNG"), scan_bomb(300, 500), encoded(picture())[:-40], encoded(picture().convert("CMYK"))],
    ids=["png", "costly", "truncated", "cmyk"],
)
def test_all_else_is_left_to_the_exact_way(data: bytes) -> None:
    assert refusal(lambda: two_steps(data, Limits(), 64, 100)) is not None or two_steps(data, Limits(), 64, 100) is None


def test_a_later_way_of_reading_is_left_to_it_too() -> None:
    assert two_steps(encoded(picture()), Limits(), 64, 100, DECODING + 1) is None
