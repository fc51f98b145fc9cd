import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ml.data.manifest import LabelRule
from ml.data.scan import scan_folder
from ml.decode.decoder_line import send
from ml.decode.decoders import DECODERS, Decoders
from ml.decode.images import Limits, check_cost, unless
from ml.decode.picture_limits import MIB
from ml.decode.views import WHOLE
from ml.errors import ImageRejected, OutOfMemory, Stopped
from tests.ml.hostile_pictures import (
    animation,
    exif_bomb,
    is_read_by_pillow,
    scan_bomb,
    slow_jpeg,
    tag_bomb,
    text_bomb,
    tile_bomb,
)
from tests.ml.pictures import encoded, fill, jpeg, open_rgb, picture
from tests.patience import PATIENCE_SECONDS


def refused(data: bytes, limits: Limits | None = None) -> str:
    with pytest.raises(ImageRejected) as caught:
        open_rgb(data, limits or Limits())
    return caught.value.code


@pytest.mark.parametrize(
    "bomb",
    [
        lambda: scan_bomb(3000, 500),
        # Fill bytes before the frame: each decoder skips them, and so must whoever counts scans.
        lambda: scan_bomb(3000, 500).replace(b"\xff\xc2", b"\xff\xff\xff\xc2", 1),
        lambda: tile_bomb(100, 12_000),
        lambda: tile_bomb(3000, 16_000),
    ],
    ids=["scans", "scans after fill bytes", "tile", "tile of a larger picture"],
)
def test_what_the_header_shows_to_cost_too_much_is_refused(bomb: Callable[[], bytes]) -> None:
    data = bomb()
    assert is_read_by_pillow(data)
    assert refused(data) == "picture_too_costly"


def test_a_process_that_takes_too_long_is_ended_and_the_next_picture_is_read() -> None:
    assert refused(slow_jpeg(), Limits(max_seconds=0.1)) == "picture_too_costly"
    assert open_rgb(encoded(picture(), "WEBP"), Limits()).size == (40, 30)


def test_memory_is_bounded_by_what_the_header_claims(tmp_path: Path) -> None:
    """Tags that all name the same 200 kB: their directory is read with the header, in gigabytes.

    In a process of its own, because what a process had at most counts what its parent had as it began.
    """
    bomb = tmp_path / "bomb"
    bomb.write_bytes(tag_bomb(20_000, 200_000))
    code = f"""
import resource
from ml.decode.decoder_line import send
from ml.decode.decoders import DECODERS
from ml.errors import ImageRejected
from ml.decode.images import Limits, examine_image
try:
    examine_image(open({str(bomb)!r}, "rb").read(), Limits())
except ImageRejected as error:
    print(error.code)
DECODERS.close()
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    said, most = done.stdout.split()
    assert said in {"picture_too_costly", "not_an_image"}
    assert int(most) < 512 << 10


def test_exif_of_many_tags_is_never_read_by_the_service_itself() -> None:
    data = exif_bomb()
    assert not check_cost(data, Limits())
    assert open_rgb(data, Limits()).size == (40, 30)


def test_texts_of_a_gigabyte_cost_nothing_and_the_picture_is_read() -> None:
    assert np.array_equal(np.asarray(open_rgb(text_bomb(), Limits())), np.asarray(picture()))


def test_only_the_first_frame_of_an_animation_is_paid_for() -> None:
    assert open_rgb(animation(300, 400), Limits(max_seconds=1.0)).size == (400, 400)


@pytest.mark.parametrize("form", ["GIF", "WEBP", "TIFF", "JPEG2000", "AVIF", "BMP"])
def test_a_header_that_promises_too_many_pixels_is_refused_in_every_format(form: str) -> None:
    assert refused(encoded(picture(200, 100), form), Limits(max_pixels=19_999)) == "too_many_pixels"


def test_what_nobody_wants_any_more_ends_soon_however_much_time_it_has() -> None:
    asked = iter([False, False])
    with unless(lambda: next(asked, True)), pytest.raises(Stopped):
        open_rgb(slow_jpeg(), Limits(max_seconds=600.0))


def test_the_processes_end_with_the_one_that_started_them(tmp_path: Path) -> None:
    """Killed in the middle of a picture that takes long, so that nobody reads what it is told."""
    bomb = tmp_path / "bomb"
    bomb.write_bytes(slow_jpeg())
    code = f"""
from ml.decode.images import Limits, examine_image
while True:
    examine_image(open({str(bomb)!r}, 'rb').read(), Limits())
"""
    with subprocess.Popen([sys.executable, "-c", code]) as parent:
        while not (found := children_of(parent.pid)):
            time.sleep(0.05)
        parent.kill()
    until = time.monotonic() + PATIENCE_SECONDS
    while any(is_alive(one) for one in found):
        assert time.monotonic() < until, "it lives on"
        time.sleep(0.05)


def children_of(parent: int) -> list[int]:
    stats = [(path.name, text) for path in Path("/proc").glob("[0-9]*") if (text := stat_of(path))]
    return [int(name) for name, text in stats if re.search(rf"\) \S {parent} ", text)]


def stat_of(process: Path) -> str:
    try:
        return (process / "stat").read_text()
    except OSError:
        return ""


def is_alive(process: int) -> bool:
    text = stat_of(Path("/proc") / str(process))
    return bool(text) and ") Z " not in text


def test_in_a_folder_each_costly_picture_is_left_out_with_its_reason(tmp_path: Path) -> None:
    fill(tmp_path, ("pug_1.jpg", "pug_2.jpg", "Birman_1.jpg", "Birman_2.jpg"))
    (tmp_path / "pug_3.jpg").write_bytes(scan_bomb(3000, 500))
    (tmp_path / "pug_4.jpg").write_bytes(tile_bomb(100, 12_000))
    manifest = scan_folder(tmp_path, LabelRule(), name="pets")
    assert len(manifest.items) == 4
    assert {entry.path: entry.code for entry in manifest.exclusions} == {
        "pug_3.jpg": "picture_too_costly",
        "pug_4.jpg": "picture_too_costly",
    }
    assert manifest.left_out() == "2 files left out: 2 too costly to decode"


def test_ordinary_pictures_are_read_without_another_process() -> None:
    ordinary = [jpeg(800, 600), encoded(picture(800, 600), progressive=True), encoded(picture(800, 600), "PNG")]
    assert all(check_cost(data, Limits()) for data in ordinary)


def test_a_picture_of_fifty_megapixels_is_read() -> None:
    data = encoded(Image.new("RGB", (8160, 6144), "teal"), quality=30)
    assert not check_cost(data, Limits())
    assert open_rgb(data, Limits()).size == (8160, 6144)


def test_memory_that_a_picture_may_take_follows_its_pixels() -> None:
    limits = Limits()
    assert limits.memory("TIFF", 100 * 100) < 129 * MIB
    assert limits.memory("JPEG", 8160 * 6144) < limits.max_memory == limits.memory("JPEG2000", 8160 * 6144)


def test_no_process_is_left_over() -> None:
    open_rgb(encoded(picture(), "WEBP"), Limits())
    ours = [decoder._process.pid for decoder in DECODERS._idle]
    assert ours
    DECODERS.close()
    assert not [one for one in ours if is_alive(one)]


def test_a_large_picture_is_handed_over_however_slowly_it_is_taken() -> None:
    ours, theirs = socket.socketpair()
    taken: list[bytes] = []

    def take_slowly() -> None:
        while sum(map(len, taken)) < len(body):
            time.sleep(0.005)
            taken.append(theirs.recv(100_000))

    body = bytes(3_000_000)
    slow = threading.Thread(target=take_slowly)
    with ours, theirs:
        ours.settimeout(0.02)
        slow.start()
        send(ours, {}, body)
        slow.join()
    assert sum(map(len, taken)) >= len(body)


def test_a_process_that_ended_while_it_waited_costs_no_picture() -> None:
    decoders = Decoders()
    webp = encoded(picture(), "WEBP")
    decoders.read(webp, Limits(), WHOLE, lay_on_white=True)
    (idle,) = decoders._idle
    idle._process.kill()
    idle._process.wait()
    assert decoders.read(webp, Limits(), WHOLE, lay_on_white=True)[1].format == "WEBP"
    decoders.close()


def test_a_picture_is_not_to_blame_where_no_process_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(OutOfMemory):
        Decoders().read(encoded(picture(), "WEBP"), Limits(), WHOLE, lay_on_white=True)
