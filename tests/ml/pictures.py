"""Real image bytes for the tests of the data half."""

import io
import struct
import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from ml.data.bundle import Folder
from ml.data.manifest import LabelRule, Manifest
from ml.data.scan import scan_folder
from ml.decode.images import DECODING, Limits, examine_image


def picture(width: int = 40, height: int = 30, seed: int = 0, mode: str = "RGB") -> Image.Image:
    """Smooth colours that differ everywhere, so that a wrong crop or turn shows."""
    grid = np.random.default_rng(seed).integers(0, 256, (5, 7, 3), np.uint8)
    return Image.fromarray(grid).resize((width, height), Image.Resampling.BICUBIC).convert(mode)


def encoded(image: Image.Image, form: str = "JPEG", **options: object) -> bytes:
    data = io.BytesIO()
    image.save(data, form, **options)
    return data.getvalue()


def open_rgb(data: bytes, limits: Limits, decoding: int = DECODING) -> Image.Image:
    """The picture alone."""
    return examine_image(data, limits, decoding)[0]


def jpeg(width: int = 40, height: int = 30, seed: int = 0) -> bytes:
    return encoded(picture(width, height, seed), quality=90)


def png_header(width: int, height: int, size: int = 1024) -> bytes:
    """A PNG that promises much and holds nothing, padded to ``size`` bytes."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(b""))
    return body.ljust(size, b"\0")


def grey_tiff(values: npt.NDArray[np.uint16], bits: int, order: str, *, zero_is_black: bool = True) -> bytes:
    """An uncompressed TIFF of 16 or 12 bits a pixel; ``order`` is ``<`` (II) or ``>`` (MM)."""
    height, width = values.shape
    if bits == 16:
        pixels = values.astype(f"{order}u2").tobytes()
    else:
        first, second = values[:, ::2].astype(int), values[:, 1::2].astype(int)
        pixels = np.stack([first >> 4, (first & 15) << 4 | second >> 8, second & 255], -1).astype(np.uint8).tobytes()
    entries = {256: width, 257: height, 258: bits, 259: 1, 262: int(zero_is_black), 273: 0, 277: 1, 278: height}
    entries |= {273: 8 + 2 + 12 * (len(entries) + 1) + 4, 279: len(pixels)}
    head = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(f"{order}LH", 8, len(entries))
    fields = [struct.pack(f"{order}HHLL", tag, 4, 1, value) for tag, value in sorted(entries.items())]
    return head + b"".join(fields) + bytes(4) + pixels


def fill(
    folder: Path, names: Iterable[str], sizes: tuple[tuple[int, int], ...] = ((40, 30), (30, 44), (36, 36))
) -> Path:
    """A folder of JPEGs under the names, all different."""
    for number, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(jpeg(*sizes[number % len(sizes)], seed=number))
    return folder


def dataset(folder: Path, breeds: int = 2, each: int = 3, name: str = "pets") -> tuple[Manifest, Folder]:
    """A small dataset of JPEGs and the source that reads it."""
    fill(folder, (f"breed{breed}_{number}.jpg" for breed in range(breeds) for number in range(each)))
    manifest = scan_folder(folder, LabelRule(), name=name)
    return manifest, Folder(folder, manifest)


def holds(sheet: Image.Image, part: npt.NDArray[np.uint8]) -> bool:
    """Whether a picture has uint8 [h, w, 3] in it somewhere, pixel for pixel."""
    whole = np.asarray(sheet)
    height, width, _ = part.shape
    tops, lefts = whole.shape[0] - height + 1, whole.shape[1] - width + 1
    corners = np.argwhere((whole[:tops, :lefts] == part[0, 0]).all(-1)).tolist()
    return any(np.array_equal(whole[top : top + height, left : left + width], part) for top, left in corners)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
