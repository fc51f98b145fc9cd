"""What is transparent is laid on white: no hidden colour reaches a model, in any format."""

import io
import json
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pillow_heif
import pytest
from PIL import Image

from ml.data.bundle import Folder
from ml.data.cache import META, open_cache
from ml.data.manifest import LabelRule, Manifest
from ml.data.scan import scan_folder
from ml.decode.images import Limits
from ml.decode.presize import resize_square
from ml.errors import CheckpointInvalid
from tests.ml.hostile_pictures import png_chunk
from tests.ml.pictures import encoded, open_rgb, picture
from tests.ml.serve.test_classifier import classifier

pillow_heif.register_heif_opener()
MASK = Image.fromarray(np.tile(np.array([0, 0, 255, 255], np.uint8), (30, 10)))


def hidden(colour: str, mode: str = "RGBA") -> Image.Image:
    """A picture whose transparent half holds a colour that nobody sees."""
    image = Image.new("RGB", (40, 30), colour)
    image.paste(picture(), mask=MASK)
    image.putalpha(MASK)
    return image.convert(mode)


def read(data: bytes) -> npt.NDArray[np.int16]:
    return np.asarray(open_rgb(data, Limits()), np.int16)


@pytest.mark.parametrize(
    ("form", "mode", "options"),
    [
        ("PNG", "RGBA", {}),
        ("PNG", "LA", {}),
        ("TIFF", "RGBA", {}),
        ("TIFF", "LA", {}),
        ("WEBP", "RGBA", {"lossless": True, "exact": True}),
        ("JPEG2000", "RGBA", {}),
        ("JPEG2000", "LA", {}),
        ("AVIF", "RGBA", {"quality": 100, "subsampling": "4:4:4"}),
        ("HEIF", "RGBA", {"quality": -1}),
    ],
)
def test_hidden_colours_are_white_in_every_format(form: str, mode: str, options: dict[str, object]) -> None:
    black, red = (read(encoded(hidden(colour, mode), form, **options)) for colour in ("black", "red"))
    clear = np.asarray(MASK) == 0
    wanted = np.asarray(picture().convert(mode[:-1]).convert("RGB"), np.int16)
    allowed = 0 if form in {"PNG", "TIFF", "WEBP", "JPEG2000"} else 12
    assert np.abs(black - red).mean() <= allowed / 2
    assert black[clear].mean() >= 255 - allowed / 2
    assert np.abs(black[~clear] - wanted[~clear]).mean() <= allowed


@pytest.mark.parametrize("form", ["PNG", "GIF"])
def test_a_transparent_entry_of_a_palette_is_white(form: str) -> None:
    palette = picture().quantize(16)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        got = read(encoded(palette, form, transparency=3))
    clear = np.asarray(palette) == 3
    assert clear.any()
    assert (got[clear] == 255).all()
    assert np.array_equal(got[~clear], np.asarray(palette.convert("RGB"), np.int16)[~clear])


def test_half_transparent_entries_of_a_palette_are_mixed_with_white() -> None:
    palette = picture().quantize(16)
    alphas = np.arange(0, 160, 10)
    got = read(encoded(palette, "PNG", transparency=bytes(alphas.tolist())))
    share = (alphas / 255)[np.asarray(palette)][..., None]
    wanted = share * np.asarray(palette.convert("RGB")) + (1 - share) * 255
    assert np.abs(got - wanted).max() <= 1


@pytest.mark.parametrize(("mode", "key"), [("RGB", (10, 20, 30)), ("L", 77), ("1", 0)])
def test_a_colour_that_counts_as_transparent_is_white(mode: str, key: int | tuple[int, ...]) -> None:
    image = Image.new(mode, (40, 30), 1 if mode == "1" else "white")
    image.paste(key, (0, 0, 20, 30))
    image.putpixel((30, 10), 0)
    got = read(encoded(image, "PNG", transparency=key))
    assert (got[:, :20] == 255).all()
    assert (got[10, 30] == (255 if key == 0 else 0)).all()


@pytest.mark.parametrize("bits", [2, 4])
def test_a_transparent_grey_is_meant_in_the_depth_of_the_file(bits: int) -> None:
    """Pillow gives grey of few bits eight, and compares it with the value as it is written."""
    got = read(grey_png(bits, key=1))
    assert (got[:, 1] == 255).all()
    assert [int(value) for value in got[0, :3, 0]] == [0, 255, 2 * 255 // (2**bits - 1)]


def test_sixteen_bits_have_their_transparent_value_too() -> None:
    assert [int(value) for value in read(grey_png(16, key=0x1234))[0, :3, 0]] == [0, 255, 0x22]


def grey_png(bits: int, key: int) -> bytes:
    """8 rows of 8 grey values: 0, the key, another, and then 0."""
    other = 2 if bits < 8 else 0x2234
    row = np.array([0, key, other, 0, 0, 0, 0, 0], np.uint16)
    if bits == 16:
        packed = row.astype(">u2").tobytes()
    else:
        every = (row[:, None] >> np.arange(bits - 1, -1, -1)) & 1
        packed = np.packbits(every.astype(np.uint8).ravel()).tobytes()
    head = struct.pack(">IIBBBBB", 8, 8, bits, 0, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"tRNS", struct.pack(">H", key)), (b"IDAT", zlib.compress((b"\0" + packed) * 8))]
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*one) for one in chunks) + png_chunk(b"IEND", b"")


@pytest.mark.parametrize("orientation", [3, 6])
@pytest.mark.parametrize("form", ["PNG", "TIFF", "WEBP"])
def test_a_transparent_picture_stands_upright(form: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    options: dict[str, object] = {"lossless": True} if form == "WEBP" else {}
    plain = read(encoded(hidden("red"), form, **options))
    turned = read(encoded(hidden("red"), form, exif=exif, **options))
    assert np.array_equal(turned, np.rot90(plain, 2 if orientation == 3 else -1))


def test_training_and_prediction_see_the_same_white(tmp_path: Path) -> None:
    manifest, source = cut_outs(tmp_path / "pictures")
    cache = open_cache(manifest, source, presize=24, root=tmp_path / "cache", limits=Limits(), on_progress=None)
    served = classifier(tmp_path / "model", size=24, presize=24, decoding=2)
    for number, item in enumerate(manifest.items):
        data = (tmp_path / "pictures" / item.path).read_bytes()
        assert np.array_equal(cache.centre(number), served.prepare(data, Limits()))
        assert np.array_equal(cache.centre(number), np.asarray(resize_square(open_rgb(data, Limits()), 24)))
    assert np.array_equal(cache.centre(0), cache.centre(1))


def cut_outs(folder: Path) -> tuple[Manifest, Folder]:
    folder.mkdir()
    for number, colour in enumerate(("red", "blue")):
        (folder / f"cat_{number}.png").write_bytes(encoded(hidden(colour), "PNG"))
        (folder / f"dog_{number}.png").write_bytes(encoded(picture(seed=number), "PNG"))
    manifest = scan_folder(folder, LabelRule(regex=r"(.+)_\d+.png$"), name="pets")
    assert manifest.decoding == 2
    return manifest, Folder(folder, manifest)


def test_a_cache_of_pictures_that_were_read_another_way_is_made_anew(tmp_path: Path) -> None:
    manifest, source = cut_outs(tmp_path / "pictures")

    def cached() -> npt.NDArray[np.uint8]:
        root = tmp_path / "cache"
        return open_cache(manifest, source, presize=24, root=root, limits=Limits(), on_progress=None).centre(0).copy()

    wanted = cached()
    (folder,) = (tmp_path / "cache").glob("*-v*[0-9]")
    about = json.loads((folder / META).read_text())
    assert about["decoding"] == 2
    (folder / META).write_text(json.dumps({**about, "decoding": 1}))
    (folder / "pixels.u8").write_bytes(bytes((folder / "pixels.u8").stat().st_size))
    assert np.array_equal(cached(), wanted)


def test_a_manifest_of_before_says_so(tmp_path: Path) -> None:
    manifest, _ = cut_outs(tmp_path / "pictures")
    stored = manifest.model_dump(mode="json")
    del stored["decoding"]
    assert Manifest.model_validate(stored).decoding == 1


def test_an_old_model_sees_pictures_as_it_did_in_its_training(tmp_path: Path) -> None:
    old, new = (
        classifier(tmp_path / "old", size=24, presize=24),
        classifier(tmp_path / "new", size=24, presize=24, decoding=2),
    )
    red, blue = (encoded(hidden(colour), "PNG") for colour in ("red", "blue"))
    assert not np.array_equal(old.prepare(red, Limits()), old.prepare(blue, Limits()))
    assert np.array_equal(new.prepare(red, Limits()), new.prepare(blue, Limits()))
    opaque = np.asarray(resize_square(Image.open(io.BytesIO(red)).convert("RGB"), 24))
    assert np.array_equal(old.prepare(red, Limits()), opaque)


@pytest.mark.parametrize("decoding", [0, 3, "2", None])
def test_a_model_that_reads_pictures_in_an_unknown_way_is_refused(decoding: object, tmp_path: Path) -> None:
    with pytest.raises(CheckpointInvalid, match="this program knows 1 to 2"):
        classifier(tmp_path, decoding=decoding)
