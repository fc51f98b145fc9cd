"""What a photo costs from its bytes to a model's input, by the exact way and the direct one, and how far they differ.

``python -m benchmarks.direct_input [FOLDER]``: core-milliseconds a stage, of a folder's photos or of made ones, as they
are and enlarged to a phone's 12 megapixels. One thread's processor time, the stages by turns; medians over the turns.
"""

import argparse
import io
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import simplejpeg
import torch
from PIL import Image

from benchmarks.decoding import make_photos
from ml.augment.augment import validation_pixels
from ml.decode.direct import direct
from ml.decode.images import Limits, check_cost, view
from ml.decode.pixels import Reader
from ml.decode.presize import resize_square
from ml.decode.views import View

PHONE = (4032, 3024)
LIMITS = Limits()
Way = Callable[[bytes], object]


def stages(size: int, presize: int) -> dict[str, Way]:
    """What each of the ways does, alone and as a whole, of a file's bytes."""
    opened = Reader(LIMITS)
    square = View("squares", presize, (0.5,))

    def exact(data: bytes) -> npt.NDArray[np.float32]:
        pixels = torch.from_numpy(view(data, LIMITS, square)[0])
        found: npt.NDArray[np.float32] = validation_pixels(pixels, size)[0].permute(1, 2, 0).numpy()
        return found

    return {
        "both: a look at the bytes": lambda data: check_cost(data, LIMITS),
        "both: header and EXIF": opened.header,
        "exact: header and pixels": opened.read,
        "exact: all up to the presized square": lambda data: view(data, LIMITS, square),
        "exact: all": exact,
        "direct: pixels": simplejpeg.decode_jpeg,
        "direct: pixels, fast transform and colours": lambda data: simplejpeg.decode_jpeg(
            data, fastdct=True, fastupsample=True
        ),
        "direct: pixels at half the scale": lambda data: simplejpeg.decode_jpeg(data, **_part(data, 2)),
        "direct: pixels at a quarter": lambda data: simplejpeg.decode_jpeg(data, **_part(data, 4)),
        "direct: pixels at an eighth": lambda data: simplejpeg.decode_jpeg(data, **_part(data, 8)),
        "direct: all": lambda data: direct(data, LIMITS, size, presize),
        "another kernel: decoded, then Pillow's filter to the input": lambda data: resize_square(
            Image.fromarray(simplejpeg.decode_jpeg(data)), size
        ),
    }


def _part(data: bytes, factor: int) -> dict[str, int]:
    height, width, *_ = simplejpeg.decode_jpeg_header(data)
    return {"min_height": -(-int(height) // factor), "min_width": -(-int(width) // factor)}


def core_milliseconds(ways: dict[str, Way], files: Sequence[bytes], turns: int) -> dict[str, float]:
    """Of one file, the median of the turns."""
    found: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(turns + 1):
        for name, way in ways.items():
            before = time.thread_time()
            for data in files:
                way(data)
            found[name].append(1000 * (time.thread_time() - before) / len(files))
    # The first turn makes the maps and the library's tables.
    return {name: statistics.median(each[1:]) for name, each in found.items()}


def tell_difference(ways: dict[str, Way], files: Iterable[bytes]) -> None:
    """Print how far the inputs are apart, in levels of 0 to 255."""
    for name in ("direct: all", "another kernel: decoded, then Pillow's filter to the input"):
        apart = [
            np.abs(np.asarray(ways[name](data), np.float32) - np.asarray(ways["exact: all"](data))) for data in files
        ]
        mean, most = statistics.mean(float(one.mean()) for one in apart), max(float(one.max()) for one in apart)
        print(f"{name} beside exact: {mean:.3f} levels in the mean, {most:.2f} at most")


def enlarged(data: bytes) -> bytes:
    """The photo as a phone would have taken it; smoother, so that it has fewer bytes than one of a phone."""
    image = Image.open(io.BytesIO(data)).convert("RGB")
    size = PHONE if image.width >= image.height else PHONE[::-1]
    out = io.BytesIO()
    image.resize(size, Image.Resampling.BICUBIC).save(out, "JPEG", quality=90)
    return out.getvalue()


def photos(folder: Path, count: int) -> list[bytes]:
    """So many of a folder's JPEGs that the direct way takes, spread over all of them."""
    paths = sorted(folder.rglob("*.jpg"))
    spread = paths[:: max(1, len(paths) // count)]
    return [data for path in spread if check_cost(data := path.read_bytes(), LIMITS)][:count]


def main() -> None:
    """Print a table for each kind of photo."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", help="of JPEGs; without it photos are made")
    parser.add_argument("--photos", type=int, default=100)
    parser.add_argument("--large", type=int, default=4, help="photos enlarged to 12 megapixels")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--presize", type=int, default=460)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as made:
        if asked.folder is None:
            make_photos(Path(made), ["jpg"], asked.photos)
        files = photos(asked.folder or Path(made), asked.photos)
    ways = stages(asked.size, asked.presize)
    for kind, some in (("as they are", files), ("12 megapixels", [enlarged(data) for data in files[: asked.large]])):
        print(f"\n{len(some)} photos {kind}, {sum(map(len, some)) / len(some) / 1000:.0f} kB each, core-ms each:")
        for name, each in core_milliseconds(ways, some, asked.turns).items():
            print(f"{name:60} {each:8.3f}")
        tell_difference(ways, some)


if __name__ == "__main__":
    main()
