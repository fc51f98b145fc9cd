import io

import numpy as np
import pytest
from PIL import Image, ImageFilter

from ml.decode.appearance import appearance
from ml.decode.image_kind import media_type_of, suffix_of


def encoded(image: Image.Image, form: str = "JPEG") -> bytes:
    out = io.BytesIO()
    image.save(out, form)
    return out.getvalue()


@pytest.fixture
def noisy() -> Image.Image:
    pixels = np.random.default_rng(1).integers(60, 200, (300, 400, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def test_what_people_see_is_measured(noisy: Image.Image) -> None:
    plain, dark = appearance(encoded(noisy)), appearance(encoded(noisy.point(lambda value: value // 2)))
    blurred = appearance(encoded(noisy.filter(ImageFilter.GaussianBlur(4))))
    assert plain is not None
    assert dark is not None
    assert blurred is not None
    assert (plain.width, plain.height) == (400, 300)
    assert plain.brightness == pytest.approx(130, abs=3)
    assert dark.brightness == pytest.approx(65, abs=3)
    assert blurred.sharpness < plain.sharpness / 4
    assert blurred.contrast < plain.contrast / 2


def test_the_format_makes_no_difference(noisy: Image.Image) -> None:
    soft = noisy.filter(ImageFilter.GaussianBlur(6))
    jpeg, png = appearance(encoded(soft)), appearance(encoded(soft, "PNG"))
    assert jpeg is not None
    assert png is not None
    assert jpeg.brightness == pytest.approx(png.brightness, abs=1)


@pytest.mark.parametrize(
    "data",
    [b"", b"\xff\xd8\xff", b"nothing", encoded(Image.new("RGB", (9, 9)), "WEBP"), encoded(Image.new("L", (1, 400)))],
)
def test_what_costs_much_or_is_broken_is_not_looked_at(data: bytes) -> None:
    assert appearance(data) is None


@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_a_damaged_file_raises_nothing(noisy: Image.Image, form: str) -> None:
    data, rng = encoded(noisy.resize((64, 48)), form), np.random.default_rng(7)
    for _ in range(300):
        damaged = bytearray(data)
        for place in rng.integers(0, len(data), 3):
            damaged[place] = rng.integers(0, 256)
        appearance(bytes(damaged[: rng.integers(1, len(data) + 1)]))


def test_a_file_is_known_by_its_first_bytes() -> None:
    for form, kind, suffix in (
        ("JPEG", "image/jpeg", ".jpg"),
        ("PNG", "image/png", ".png"),
        ("GIF", "image/gif", ".gif"),
        ("WEBP", "image/webp", ".webp"),
        ("BMP", "image/bmp", ".bmp"),
        ("TIFF", "image/tiff", ".tif"),
        ("AVIF", "image/avif", ".avif"),
        ("JPEG2000", "image/jp2", ".jp2"),
    ):
        data = encoded(Image.new("RGB", (32, 32)), form)
        assert (media_type_of(data), suffix_of(data)) == (kind, suffix)
    assert (media_type_of(b"<script>"), suffix_of(b"<svg>")) == ("application/octet-stream", None)
