import io
import tracemalloc
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from ml.decode.images import Limits, examine_image
from ml.errors import ImageRejected
from tests.ml.pictures import encoded, grey_tiff, jpeg, open_rgb, picture, png_header


def refused(data: bytes, limits: Limits | None = None) -> str:
    with pytest.raises(ImageRejected) as caught:
        open_rgb(data, limits or Limits())
    return caught.value.code


def test_a_jpeg_is_decoded_as_pillow_decodes_it() -> None:
    data = jpeg()
    assert np.array_equal(np.asarray(open_rgb(data, Limits())), np.asarray(Image.open(io.BytesIO(data))))


@pytest.mark.parametrize(
    ("mode", "form"),
    [
        ("L", "JPEG"),
        ("CMYK", "JPEG"),
        ("RGBA", "PNG"),
        ("LA", "PNG"),
        ("1", "PNG"),
        ("P", "GIF"),
        ("P", "PNG"),
        ("RGB", "WEBP"),
    ],
)
def test_every_mode_becomes_rgb_of_about_the_same_colours(mode: str, form: str) -> None:
    source = picture(mode=mode)
    got = open_rgb(encoded(source, form), Limits())
    assert (got.mode, got.size) == ("RGB", source.size)
    wanted = np.asarray(source.convert("RGB"), np.int16)
    assert np.abs(np.asarray(got, np.int16) - wanted).mean() < 12


def ramp(top: int) -> npt.NDArray[np.uint16]:
    return np.linspace(0, top, 40 * 30).reshape(30, 40).astype(np.uint16)


@pytest.mark.parametrize("top", [65535, 40000, 255])
@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_sixteen_bit_grey_keeps_its_high_byte_however_bright_the_picture_is(form: str, top: int) -> None:
    got = np.asarray(open_rgb(encoded(Image.fromarray(ramp(top)), form), Limits()))
    assert np.array_equal(got, np.repeat((ramp(top) >> 8)[..., None], 3, 2))


@pytest.mark.parametrize(("order", "zero_is_black"), [("<", True), (">", True), ("<", False)])
def test_sixteen_bit_grey_of_either_byte_order_and_polarity_is_the_same_picture(
    order: str, zero_is_black: bool
) -> None:
    values = ramp(65535)
    stored = values if zero_is_black else 65535 - values
    got = np.asarray(open_rgb(grey_tiff(stored, 16, order, zero_is_black=zero_is_black), Limits()))
    assert np.array_equal(got[..., 0], values >> 8)


@pytest.mark.parametrize("top", [4095, 2000, 200])
def test_a_tiff_of_twelve_bits_keeps_the_high_eight_of_them(top: int) -> None:
    got = np.asarray(open_rgb(grey_tiff(ramp(top), 12, "<"), Limits()))
    assert np.array_equal(got[..., 0], ramp(top) >> 4)


@pytest.mark.parametrize("kind", [np.float32, np.int32])
def test_grey_that_does_not_say_what_white_is_is_refused(kind: type[np.float32 | np.int32]) -> None:
    for top in (1, 255, 65535):
        data = encoded(Image.fromarray(ramp(top).astype(kind)), "TIFF")
        with pytest.raises(ImageRejected, match="and nothing says which value is white") as caught:
            open_rgb(data, Limits())
        assert caught.value.code == "unsupported_pixels"
        assert caught.value.hint is not None
        assert "16-bit grey" in caught.value.hint


_UPRIGHT: dict[int, Callable[[npt.NDArray[np.int16]], npt.NDArray[np.int16]]] = {
    1: lambda pixels: pixels,
    2: lambda pixels: pixels[:, ::-1],
    3: lambda pixels: pixels[::-1, ::-1],
    4: lambda pixels: pixels[::-1],
    5: lambda pixels: pixels.swapaxes(0, 1),
    6: lambda pixels: pixels[::-1].swapaxes(0, 1),
    7: lambda pixels: pixels[::-1, ::-1].swapaxes(0, 1),
    8: lambda pixels: pixels[:, ::-1].swapaxes(0, 1),
}


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["PNG", "TIFF", "JPEG"])
def test_exif_orientation_is_applied_once(form: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    source = picture(40, 30)
    upright, facts = examine_image(encoded(source, form, exif=exif), Limits())
    turned = _UPRIGHT[orientation](np.asarray(source, np.int16))
    assert (facts.height, facts.width) == (upright.height, upright.width) == turned.shape[:2]
    assert np.abs(np.asarray(upright, np.int16) - turned).mean() < (12 if form == "JPEG" else 0.001)


def test_broken_exif_does_not_cost_the_picture() -> None:
    data = encoded(picture(), exif=b"Exif\0\0II*\0\xff\xff\xff\x7f garbage")
    assert open_rgb(data, Limits()).size == (40, 30)


def test_bytes_between_a_jpegs_segments_and_behind_its_end_are_passed_over() -> None:
    data = jpeg()
    second = 4 + int.from_bytes(data[4:6])
    more = data[:second] + b"\0no marker" + data[second:] + b"what a camera adds"
    assert np.array_equal(np.asarray(open_rgb(more, Limits())), np.asarray(open_rgb(data, Limits())))


def test_the_facts_are_the_files_own() -> None:
    _, facts = examine_image(encoded(picture(mode="L"), "PNG"), Limits())
    assert (facts.format, facts.mode, facts.width, facts.height) == ("PNG", "L", 40, 30)


@pytest.mark.parametrize("keep", [0.3, 0.6, 0.95])
@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_a_truncated_file_is_refused(form: str, keep: float) -> None:
    noisy = Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8))
    data = encoded(noisy, form)
    assert refused(data[: int(len(data) * keep)]) == "truncated"


@pytest.mark.parametrize(
    "data", [b"", b"a pet", b"\xff\xd8\xff", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 40 30\n"]
)
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    assert refused(data) == "not_an_image"


@pytest.mark.parametrize("side", [20_000, 200_000])
def test_a_huge_header_is_refused_before_memory_is_spent(side: int) -> None:
    data = png_header(side, side)
    assert len(data) == 1024
    tracemalloc.start()
    with pytest.raises(ImageRejected, match=f"has {side}x{side} pixels, at most 51000000 are accepted") as caught:
        open_rgb(data, Limits())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert caught.value.code == "too_many_pixels"
    assert peak < 4 << 20


def test_the_pixel_limit_is_inclusive() -> None:
    assert open_rgb(jpeg(40, 30), Limits(max_pixels=1200)).size == (40, 30)
    assert refused(jpeg(40, 30), Limits(max_pixels=1199)) == "too_many_pixels"


def test_a_tiny_picture_is_refused() -> None:
    assert refused(encoded(picture(1, 1), "PNG")) == "too_small"
    assert refused(encoded(picture(100, 7), "PNG")) == "too_small"


def test_the_byte_limit_comes_before_anything_else() -> None:
    assert refused(b"no picture, but long", Limits(max_bytes=10)) == "too_many_bytes"
