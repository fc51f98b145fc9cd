"""Photos and weights small enough to travel to a machine with a GPU and no network: ``BundleFolder`` and its two ends.

    python -m benchmarks.gpu.bundle PHOTOS WEIGHTS BUNDLE [--peer fastai_train.py]

Photos go as WebP with a shorter side of 256 pixels, weights in half precision, the peer's script as it is. 3,389 photos
and resnet18 take 45 MB. What is measured with them is compared only with what is measured with them.
"""

import argparse
import io
import os
import shutil
import zipfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import torch
from PIL import Image
from safetensors.torch import load_file, save_file

SHORTER_SIDE = 256
WEBP_QUALITY = 40
JPEG_QUALITY = 95
_PHOTOS, _WEIGHTS, _PEER = "photos.zip", "weights", "peer.py"


def main() -> None:
    """Make a bundle."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path, help="a folder of NAME_1.jpg, …")
    parser.add_argument("weights", type=Path, help="a folder of safetensors files")
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--archs", nargs="+", default=["resnet18"])
    parser.add_argument("--peer", type=Path, help="the fastai training script")
    asked = parser.parse_args()
    asked.bundle.mkdir(parents=True, exist_ok=True)
    _pack_photos(asked.photos, asked.bundle / _PHOTOS)
    (asked.bundle / _WEIGHTS).mkdir(exist_ok=True)
    for arch in asked.archs:
        _convert(asked.weights / f"{arch}.safetensors", asked.bundle / _WEIGHTS / f"{arch}.safetensors", torch.float16)
    if asked.peer:
        shutil.copy(asked.peer, asked.bundle / _PEER)
    size = sum(file.stat().st_size for file in asked.bundle.rglob("*") if file.is_file())
    print(f"{asked.bundle}: {size / 1e6:.1f} MB")


def unpack(bundle: Path, folder: Path) -> tuple[Path, Path, Path]:
    """Photos as JPEG files, weights in float32 and the peer's script (which may be missing), below the folder."""
    packed, photos, weights = folder / "packed", folder / "photos", folder / _WEIGHTS
    for made in (packed, photos, weights):
        made.mkdir()
    with zipfile.ZipFile(bundle / _PHOTOS) as archive:
        archive.extractall(packed)
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        files = sorted(packed.iterdir())
        list(pool.map(_as_jpeg, files, [photos / f"{file.stem}.jpg" for file in files], chunksize=32))
    for file in (bundle / _WEIGHTS).iterdir():
        _convert(file, weights / file.name, torch.float32)
    return photos, weights, bundle / _PEER


def _pack_photos(photos: Path, packed: Path) -> None:
    files = sorted(photos.glob("*.jpg"))
    with zipfile.ZipFile(packed, "w") as archive, ProcessPoolExecutor(os.cpu_count()) as pool:
        for file, data in zip(files, pool.map(_as_webp, files, chunksize=32), strict=True):
            archive.writestr(f"{file.stem}.webp", data)


def _as_webp(file: Path) -> bytes:
    with Image.open(file) as photo:
        small = photo.convert("RGB")
    scale = SHORTER_SIDE / min(small.size)
    small = small.resize((round(scale * small.width), round(scale * small.height)), Image.Resampling.LANCZOS)
    written = io.BytesIO()
    small.save(written, "WEBP", quality=WEBP_QUALITY, method=6)
    return written.getvalue()


def _as_jpeg(packed: Path, file: Path) -> None:
    with Image.open(packed) as photo:
        photo.convert("RGB").save(file, "JPEG", quality=JPEG_QUALITY)


def _convert(file: Path, to: Path, dtype: torch.dtype) -> None:
    state = load_file(file)
    save_file({name: value.to(dtype) if value.is_floating_point() else value for name, value in state.items()}, to)


if __name__ == "__main__":
    main()
