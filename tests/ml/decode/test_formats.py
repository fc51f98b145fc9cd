"""Photos of phones and of other programs: read by their bytes, wherever pictures are read."""

import zlib
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from PIL import Image

from ml.data.manifest import LabelRule
from ml.data.scan import scan_folder
from ml.decode.images import Limits, examine_image
from ml.errors import ImageRejected
from tests.ml.hostile_pictures import with_chunk
from tests.ml.pictures import encoded, fill, open_rgb, picture

pillow_heif.register_heif_opener()


@pytest.mark.parametrize("form", ["HEIF", "AVIF", "JPEG2000"])
def test_what_phones_and_scanners_write_is_read(form: str) -> None:
    image, facts = examine_image(encoded(picture(80, 60), form, quality=90), Limits())
    assert (facts.format, facts.width, facts.height) == (form, 80, 60)
    assert np.abs(np.asarray(image, np.int16) - np.asarray(picture(80, 60), np.int16)).mean() < 6


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_a_phone_that_was_turned_gives_an_upright_picture(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    upright = np.rot90(np.asarray(picture(80, 60), np.int16), {3: 2, 6: -1, 8: 1}[orientation])
    got = np.asarray(open_rgb(encoded(picture(80, 60), "AVIF", quality=90, exif=exif), Limits()), np.int16)
    assert got.shape == upright.shape
    assert np.abs(got - upright).mean() < 6


def test_a_heic_is_turned_by_its_own_box_and_not_once_more_by_its_exif() -> None:
    """A phone writes both; the format's rule is that the box alone counts."""
    exif = Image.Exif()
    exif[0x0112] = 6
    assert open_rgb(encoded(picture(80, 60), "HEIF", exif=exif), Limits()).size == (80, 60)


@pytest.mark.parametrize(
    ("suffix", "form"),
    [(".heic", "HEIF"), (".HEIF", "HEIF"), (".hif", "HEIF"), (".avif", "AVIF"), (".jp2", "JPEG2000"),
     (".j2k", "JPEG2000")],
)  # fmt: skip
def test_their_names_are_taken_for_pictures(suffix: str, form: str, tmp_path: Path) -> None:
    fill(tmp_path, ("Birman/1.jpg",))
    (tmp_path / "pug").mkdir()
    (tmp_path / "pug" / f"1{suffix}").write_bytes(encoded(picture(), form))
    manifest = scan_folder(tmp_path, LabelRule(kind="folder"), name="pets")
    assert [(item.format, item.disguised) for item in manifest.items] == [("JPEG", False), (form, False)]


@pytest.mark.parametrize("form", ["HEIF", "AVIF", "JPEG2000"])
def test_a_file_that_is_cut_short_is_refused(form: str) -> None:
    noisy = Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8))
    data = encoded(noisy, form)
    with pytest.raises(ImageRejected) as caught:
        open_rgb(data[: len(data) // 2], Limits())
    assert caught.value.code in {"truncated", "not_an_image"}


def test_what_is_no_picture_is_told_what_is_read() -> None:
    with pytest.raises(ImageRejected, match=r"none of JPEG, .*JPEG2000, AVIF, HEIF"):
        open_rgb(b"a pet, but no picture", Limits())


@pytest.mark.parametrize("kind", [b"iTXt", b"tEXt", b"zTXt", b"iCCP"])
def test_a_png_with_much_beside_its_pixels_is_read(kind: bytes) -> None:
    """1.1 MB of text: more than Pillow takes. What a colour profile unpacks to is of the same kind."""
    text = b"<x:xmpmeta>" + b"a" * 1_100_000
    content = {
        b"iTXt": b"XML:com.adobe.xmp\0\0\0\0\0" + text,
        b"tEXt": b"Comment\0" + text,
        b"zTXt": b"Comment\0\0" + zlib.compress(text),
        b"iCCP": b"profile\0\0" + zlib.compress(text),
    }[kind]
    data = with_chunk(encoded(picture(), "PNG"), kind, content)
    assert np.array_equal(np.asarray(open_rgb(data, Limits())), np.asarray(picture()))


def test_a_text_that_says_which_way_is_up_is_heard() -> None:
    xmp = b'XML:com.adobe.xmp\0\0\0\0\0<x tiff:Orientation="6"/>' + b" " * 1_100_000
    data = with_chunk(encoded(picture(), "PNG"), b"iTXt", xmp)
    assert np.array_equal(np.asarray(open_rgb(data, Limits())), np.rot90(np.asarray(picture()), -1))
