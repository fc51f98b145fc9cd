"""What counts as cheap is cheap: files made by chance, and files changed by chance, never cost more than was proved."""

import re
import resource
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from PIL import Image

import ml.decode.picture_cost
from ml.decode.images import Limits
from ml.decode.picture_cost import CHEAP_PIXELS, CHEAP_WORK, MOST_MARKERS, MOST_WORK, is_cheap
from ml.decode.picture_limits import MIB
from ml.decode.pixels import Reader
from ml.errors import ImageRejected
from tests.ml.hostile_pictures import marker_bomb, png_chunk, scan_bomb, tag_bomb, with_chunk
from tests.ml.pictures import encoded, open_rgb, picture

OFTEN = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
JPEG = encoded(picture(200, 120), progressive=True, quality=80)
PNG = encoded(picture(200, 120), "PNG")
KINDS = [JPEG, PNG, encoded(picture(90, 50), quality=60), encoded(picture(64, 64).quantize(8), "PNG", transparency=1)]


def seconds() -> float:
    return sum(resource.getrusage(resource.RUSAGE_SELF)[:2])


def decoded_cheaply(data: bytes) -> None:
    """Decode what was called cheap, as a thread of the service would."""
    before = seconds()
    try:
        image, _ = Reader(Limits()).read(data)
        assert image.width * image.height <= CHEAP_PIXELS
    except ImageRejected as error:
        assert error.code != "picture_too_costly"  # noqa: PT017 - only what was called cheap comes here
    # Processor time of this process, in which tests run one after the other.
    assert seconds() - before < 3


def is_called_cheap(data: bytes) -> bool:
    try:
        return is_cheap(data)
    except ImageRejected:
        return False


@OFTEN
@given(
    st.sampled_from(KINDS), st.lists(st.tuples(st.integers(0, 10_000), st.binary(min_size=1, max_size=4)), max_size=6)
)
def test_a_changed_file_that_is_called_cheap_is(data: bytes, changes: list[tuple[int, bytes]]) -> None:
    for place, put in changes:
        at = place % len(data)
        data = data[:at] + put + data[at + len(put) :]
    assume(is_called_cheap(data))
    decoded_cheaply(data)


@OFTEN
@given(st.binary(max_size=300), st.sampled_from([b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF", b""]))
def test_whatever_the_bytes_are_the_answer_is_yes_or_no(tail: bytes, head: bytes) -> None:
    assert is_called_cheap(head + tail) in {True, False}


@OFTEN
@given(
    st.integers(1, 65_535),
    st.integers(1, 65_535),
    st.sampled_from([0xC0, 0xC1, 0xC2, 0xC3, 0xC9]),
    st.integers(1, 40),
    st.lists(st.sampled_from([b"\xff", b"\xff\xfe\0\4ab", b"\xff\xe0\0\4ab", b"\0", b"ab"]), max_size=4),
)
def test_a_cheap_jpeg_has_few_pixels_and_few_scans(
    width: int, height: int, kind: int, scans: int, between: list[bytes]
) -> None:
    """The frame is rewritten to promise other pixels, with scans and odd bytes added."""
    at = JPEG.index(b"\xff\xc2")
    frame = JPEG[:at] + b"".join(between) + b"\xff" + bytes([kind]) + JPEG[at + 2 : at + 5]
    frame += struct.pack(">HH", height, width) + JPEG[at + 9 :]
    start, end = frame.rindex(b"\xff\xda"), frame.rindex(b"\xff\xd9")
    data = frame[:end] + frame[start:end] * scans + frame[end:]
    assume(is_called_cheap(data))
    assert width * height <= CHEAP_PIXELS
    assert width * height * (scans + 6) <= CHEAP_WORK
    decoded_cheaply(data)


@OFTEN
@given(
    st.integers(0, 70_000), st.integers(0, 70_000), st.sampled_from([1, 2, 4, 8, 16]), st.sampled_from([0, 2, 3, 4, 6])
)
def test_a_cheap_png_has_few_pixels(width: int, height: int, bits: int, kind: int) -> None:
    data = PNG[:16] + struct.pack(">IIBB", width, height, bits, kind) + PNG[26:]
    assume(is_called_cheap(data))
    assert width * height <= CHEAP_PIXELS


@OFTEN
@given(st.text("IDATHEPLZxtnmeikcfRNS", min_size=4, max_size=4).map(str.encode), st.binary(max_size=200))
def test_a_cheap_png_has_only_chunks_that_are_known(kind: bytes, content: bytes) -> None:
    data = with_chunk(PNG, kind, content)
    if is_called_cheap(data):
        decoded_cheaply(data)
    assert not is_called_cheap(with_chunk(PNG, b"zTXt", content))
    assert not is_called_cheap(with_chunk(PNG, b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + content))


@pytest.mark.parametrize("entries", [10, 4000])
def test_a_directory_of_many_tags_is_no_proof(entries: int) -> None:
    tags = tag_bomb(entries, 100)
    few = entries < 100
    assert is_cheap(with_chunk(PNG, b"eXIf", tags)) == few
    assert is_cheap(encoded(picture(), exif=b"Exif\0\0" + tags)) == few
    # Pillow joins them, so that two of them are one that nobody has looked at.
    twice = encoded(picture(), exif=b"Exif\0\0" + tag_bomb(10, 100))
    assert not is_cheap(twice[:2] + twice[2 : twice.index(b"\xff\xdb")] * 2 + twice[twice.index(b"\xff\xdb") :])


def test_scans_are_refused_only_where_they_are_scans() -> None:
    """A phone's moving photo has a film behind its picture, in whose bytes the same two stand by chance."""
    film = np.random.default_rng(0).integers(0, 256, 100_000, np.uint8).tobytes() + b"\xff\xda" * 1000
    data = encoded(Image.new("RGB", (4000, 3000), "teal"), quality=30) + film
    assert not is_cheap(data)
    assert open_rgb(data, Limits()).size == (4000, 3000)


def test_the_most_scans_are_those_that_the_work_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ml.decode.picture_cost, "MOST_WORK", 1024 * 1024 * 200)
    assert not is_cheap(scan_bomb(1000, 190))
    with pytest.raises(ImageRejected, match="has more than 200 scans") as caught:
        is_cheap(scan_bomb(1000, 196))
    assert caught.value.code == "picture_too_costly"


class Counted:
    """A pattern that counts how often it is searched for."""

    def __init__(self, pattern: re.Pattern[bytes]) -> None:
        self.pattern, self.searches = pattern, 0

    def search(self, *where: Any) -> re.Match[bytes] | None:  # noqa: ANN401 - as a pattern is asked
        self.searches += 1
        return self.pattern.search(*where)

    def finditer(self, *where: Any) -> Iterator[re.Match[bytes]]:  # noqa: ANN401 - as above
        for found in self.pattern.finditer(*where):
            self.searches += 1
            yield found


@pytest.mark.parametrize("pixels", [163, 15])
def test_markers_that_say_nothing_are_not_all_looked_at(pixels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    markers = Counted(ml.decode.picture_cost._MARKER)
    scans = Counted(ml.decode.picture_cost._SCAN)
    monkeypatch.setattr(ml.decode.picture_cost, "_MARKER", markers)
    monkeypatch.setattr(ml.decode.picture_cost, "_SCAN", scans)
    data = marker_bomb()
    if pixels < 16:
        # Smaller, and with just so many scans that it is not cheap.
        data = data.replace(struct.pack(">HH", 10_200, 16_000), struct.pack(">HH", 3000, 5000)) + b"\xff\xda" * 11
    assert not is_cheap(data)
    assert 0 < markers.searches <= MOST_MARKERS
    assert scans.searches <= 11


def test_what_pillow_takes_apart_in_python_is_small_where_a_thread_does_it() -> None:
    """Photoshop's entries and quantisation tables: half a minute's work fits into what a request may hold."""
    entries = b"Photoshop 3.0\0" + (b"8BIM" + struct.pack(">HBBI", 1, 0, 0, 0)) * 5000
    tables = (b"\0" + bytes([1]) * 64) * 1000
    for marker, content in ((0xED, entries), (0xDB, tables)):
        segment = bytes([0xFF, marker]) + struct.pack(">H", 2 + len(content)) + content
        assert is_cheap(JPEG[:2] + segment + JPEG[2:])
        assert not is_cheap(JPEG[:2] + segment * 3 + JPEG[2:])


def test_the_limits_leave_room_for_what_cameras_write() -> None:
    assert MOST_WORK > 8160 * 6144 * 11
    assert CHEAP_WORK > 4000 * 3000 * 11
    assert Limits().max_memory >= 768 * MIB


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(encoded(picture())[:2] + b"\xff\xe5\0\2" * 2000 + encoded(picture())[2:], id="segments"),
        pytest.param(encoded(picture())[:2] + b"\xff" * 2000 + encoded(picture())[2:], id="fill"),
        pytest.param(encoded(picture(), "PNG")[:33] + png_chunk(b"IDAT", b"") * 2000, id="chunks"),
        pytest.param(encoded(Image.new("RGBA", (3000, 3000)), "PNG"), id="pixels"),
    ],
)
def test_what_costs_much_for_its_parts_or_its_transparency_is_not_called_cheap(data: bytes) -> None:
    assert not is_cheap(data)
