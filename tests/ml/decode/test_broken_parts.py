"""Parts of pictures that are missing or are not what their names say: a refusal with its code, never a crash."""

import struct

import pytest

from ml.decode.images import Limits, examine_image
from ml.errors import ImageRejected
from tests.ml.hostile_pictures import tile_bomb
from tests.ml.pictures import encoded, picture


@pytest.mark.parametrize("size", [(40, 30), (2600, 2400)], ids=["by a thread", "by a process"])
def test_a_palette_that_is_nowhere_is_a_broken_picture(size: tuple[int, int]) -> None:
    data = encoded(picture(*size, mode="P"), "PNG", compress_level=1)
    start = data.index(b"PLTE") - 4
    without = data[:start] + data[start + 12 + struct.unpack_from(">I", data, start)[0] :]
    with pytest.raises(ImageRejected) as refused:
        examine_image(without, Limits())
    assert refused.value.code == "truncated"


@pytest.mark.parametrize("tag", [322, 323], ids=["width", "length"])
def test_a_tiff_whose_tiles_have_words_for_numbers_has_a_broken_header(tag: int) -> None:
    data = tile_bomb(64, 64)
    field = data.index(struct.pack("<HHI", tag, 4, 1))
    words = data[:field] + struct.pack("<HHI4s", tag, 2, 4, b"abc\0") + data[field + 12 :]
    with pytest.raises(ImageRejected) as refused:
        examine_image(words, Limits())
    assert refused.value.code == "not_an_image"
