"""The direct way gives what the exact way gives, or leaves the file to it."""

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from PIL import Image

from ml.augment.augment import as_float
from ml.augment.resample import resize_exactly
from ml.decode.direct import direct
from ml.decode.images import Limits, view
from ml.decode.input_map import input_map
from ml.decode.picture_limits import DECODING
from ml.decode.views import View
from ml.errors import ImageRejected
from ml.line_map import LineMap
from tests.ml.hostile_pictures import exif_bomb, scan_bomb, slow_jpeg
from tests.ml.pictures import encoded, picture, png_header

Floats = npt.NDArray[np.float32]
MOST, MEAN = 1.5, 0.4
"""Levels. The exact way rounds twice before its last step, each time by up to a half, and the direct way never."""
OFTEN = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def noisy(width: int, height: int, mode: str = "RGB") -> Image.Image:
    """Every pixel another, so that a wrong weight or place shows."""
    pixels = np.random.default_rng(width * height).integers(0, 256, (height, width, 3), np.uint8)
    return Image.blend(picture(width, height), Image.fromarray(pixels), 0.3).convert(mode)


def exact(data: bytes, size: int, presize: int, limits: Limits | None = None) -> Floats:
    squares, _ = view(data, limits or Limits(), View("squares", presize, (0.5,)))
    found: Floats = resize_exactly(as_float(torch.from_numpy(squares)), size)[0].permute(1, 2, 0).numpy()
    return found


def difference(data: bytes, size: int = 64, presize: int = 100) -> Floats:
    got = direct(data, Limits(), size, presize)
    assert got is not None
    assert (got.shape, got.dtype.name, got.flags.c_contiguous) == ((size, size, 3), "float32", True)
    apart: Floats = np.abs(got - exact(data, size, presize))
    return apart


def is_equal(data: bytes, size: int = 64, presize: int = 100) -> bool:
    apart = difference(data, size, presize)
    return bool(apart.max() < MOST and apart.mean() < MEAN)


@pytest.mark.parametrize(
    ("width", "height"),
    [
        (150, 110),
        (110, 151),
        (99, 100),
        (100, 100),
        (101, 100),
        (8, 8),
        (9, 8),
        (8, 300),
        (400, 9),
        (199, 401),
        (33, 64),
    ],
)
@pytest.mark.parametrize(
    ("size", "presize"), [(64, 100), (64, 140), (64, 128), (120, 120), (101, 110), (48, 230), (2, 100)]
)
def test_at_full_scale_it_is_the_exact_way_to_rounding(width: int, height: int, size: int, presize: int) -> None:
    assert is_equal(encoded(noisy(width, height), quality=95), size, presize)


@OFTEN
@given(st.integers(8, 260), st.integers(8, 260), st.integers(2, 120), st.integers(8, 150), st.integers(5, 100))
def test_so_it_is_for_whatever_sizes(width: int, height: int, size: int, presize: int, quality: int) -> None:
    assume(min(width, height) < 2 * presize)
    assert is_equal(encoded(noisy(width, height), quality=quality), size, presize)


def test_so_it_is_for_a_photo_of_the_usual_size() -> None:
    assert is_equal(encoded(noisy(500, 375), quality=90), 224, 460)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(("width", "height"), [(120, 95), (95, 120), (410, 385), (390, 411)])
def test_the_picture_is_upright_to_the_pixel(width: int, height: int, orientation: int) -> None:
    """An odd rest beside the square falls on one side of the upright picture, however it lies in the file."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(noisy(width, height), quality=95, exif=exif)
    if min(width, height) < 380:
        assert is_equal(data)
    else:
        assert difference(encoded(picture(width, height), quality=95, exif=exif)).mean() < MEAN


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(encoded(noisy(150, 110, "L")), id="grey"),
        pytest.param(encoded(noisy(150, 110), progressive=True), id="progressive"),
        pytest.param(encoded(noisy(150, 110), subsampling=0), id="4:4:4"),
        pytest.param(encoded(noisy(150, 110), subsampling=1), id="4:2:2"),
        pytest.param(encoded(noisy(150, 110), keep_rgb=True), id="rgb"),
        pytest.param(encoded(noisy(150, 110), exif=b"Exif\0\0II*\0\xff\xff\xff\x7f garbage"), id="broken exif"),
        pytest.param(encoded(noisy(150, 110)) + b"a film" * 1000, id="film behind it"),
        pytest.param(
            encoded(noisy(150, 110), "MPO", save_all=True, append_images=[noisy(50, 40)]), id="two pictures in one file"
        ),
    ],
)
def test_ordinary_kinds_of_jpeg_are_read(data: bytes) -> None:
    assert is_equal(data)


@pytest.mark.parametrize(
    ("side", "scale"), [(380, 2), (381, 2), (383, 2), (759, 2), (760, 4), (761, 4), (763, 4), (901, 4)]
)
@pytest.mark.parametrize("beside", [0, 1, 2, 5, 46])
def test_a_large_photo_is_drawn_from_a_part_of_its_scale(side: int, scale: int, beside: int) -> None:
    """A shift by half a decoded pixel would make a mean difference several times as large."""
    smooth = picture(side, side + beside)
    apart = difference(encoded(smooth, quality=95))
    assert apart.mean() < MEAN
    assert apart.max() < 3
    map_ = input_map(side, 100, 64, scale)
    assert map_.length == -(-side // scale)


def test_a_reduced_scale_leaves_more_pixels_than_presizing(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def recorded(side: int, presize: int, size: int, factor: int, before: int) -> LineMap:
        asked.append(factor)
        return input_map(side, presize, size, factor, before)

    monkeypatch.setattr("ml.decode.direct.input_map", recorded)
    for side in (379, 380, 759, 760, 1000):
        assert direct(encoded(picture(side, side)), Limits(), 64, 100) is not None
    assert asked[::2] == [1, 2, 2, 4, 4]


def test_weights_of_every_output_sum_to_one() -> None:
    for side, factor, before in [(375, 1, 0), (1500, 2, 1), (3024, 4, 3), (8, 1, 0)]:
        sums = np.concatenate([block.weights.sum(0) for block in input_map(side, 460, 224, factor, before).blocks])
        assert sums.shape == (224,)
        assert np.allclose(sums, 1, atol=1e-6)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(encoded(picture(80, 60, mode="CMYK")), id="cmyk"),
        pytest.param(encoded(picture(80, 60), "PNG"), id="png"),
        pytest.param(encoded(picture(80, 60), "WEBP"), id="webp"),
        pytest.param(encoded(picture(80, 60), "GIF"), id="gif"),
        pytest.param(encoded(noisy(80, 60))[:2000], id="truncated"),
        pytest.param(encoded(noisy(80, 60))[:-700] + bytes(700), id="broken"),
        pytest.param(exif_bomb(), id="many tags"),
        pytest.param(slow_jpeg(), id="many scans"),
        pytest.param(b"a pet", id="no picture"),
    ],
)
def test_other_files_are_left_to_the_exact_way(data: bytes) -> None:
    assert direct(data, Limits(), 64, 100) is None


def test_a_way_of_reading_that_is_not_known_is_left_to_the_exact_way() -> None:
    assert direct(encoded(picture()), Limits(), 64, 100, DECODING) is not None
    assert direct(encoded(picture()), Limits(), 64, 100, DECODING + 1) is None


@pytest.mark.parametrize(
    ("data", "limits", "code"),
    [
        (b"", Limits(), "not_an_image"),
        (b"\xff\xd8\xff", Limits(), "not_an_image"),
        (encoded(picture()), Limits(max_bytes=100), "too_many_bytes"),
        (encoded(picture(200, 100)), Limits(max_pixels=19_999), "too_many_pixels"),
        (encoded(picture(200, 7)), Limits(), "too_small"),
        (png_header(20_000, 20_000), Limits(), "too_many_pixels"),
        (scan_bomb(3000, 500), Limits(), "picture_too_costly"),
    ],
)
def test_what_the_header_shows_is_refused_as_by_the_exact_way(data: bytes, limits: Limits, code: str) -> None:
    refused = refusal(lambda: exact(data, 64, 100, limits))
    assert refused is not None
    assert refused[0] == code
    assert refusal(lambda: direct(data, limits, 64, 100)) in {refused, None}


def refusal(way: Callable[[], object]) -> tuple[str, str, str | None] | None:
    try:
        way()
    except ImageRejected as error:
        return error.code, error.detail, error.hint
    return None


KINDS = [
    encoded(noisy(150, 110), quality=80),
    encoded(noisy(90, 120), quality=60, progressive=True),
    encoded(noisy(90, 120, "L"), quality=60),
    encoded(picture(230, 210), quality=60),
]


@OFTEN
@given(
    st.sampled_from(KINDS),
    st.lists(st.tuples(st.integers(0, 10_000), st.binary(min_size=1, max_size=4)), max_size=4),
    st.floats(0.2, 1.0) | st.just(1.0),
    st.sampled_from([50, 120]),
)
def test_a_changed_file_is_never_answered_where_the_exact_way_refuses_it(
    data: bytes, changes: list[tuple[int, bytes]], keep: float, presize: int
) -> None:
    for place, put in changes:
        at = place % len(data)
        data = data[:at] + put + data[at + len(put) :]
    data = data[: int(len(data) * keep)]
    if refused := refusal(lambda: direct(data, Limits(), 32, presize)):
        assert refusal(lambda: exact(data, 32, presize)) == refused
    elif (got := direct(data, Limits(), 32, presize)) is not None:
        apart = np.abs(got - exact(data, 32, presize))
        # Of what has become noise, half a scale is another picture.
        assert presize == 50 or apart.max() < MOST


def test_threads_share_maps_and_get_the_same_answer() -> None:
    data = [encoded(noisy(200 + number, 150 + number)) for number in range(4)]
    alone: list[Any] = [direct(one, Limits(), 64, 100) for one in data]
    together: list[Any] = [None] * 8

    def work(number: int) -> None:
        together[number] = direct(data[number % 4], Limits(), 64, 100)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(together[number], alone[number % 4]) for number in range(8))
