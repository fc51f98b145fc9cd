"""Drawn photos by the thousand, for a measurement: small, of every breed, no two near-duplicates."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

from ml.sample.draw import draw_sample

DRAWN = 20
"""Of each breed; the others are views of these, which are made sooner."""


def draw_photos(into: Path, count: int) -> None:
    """Twenty drawn pictures of each breed, and of each of these other views until there are enough."""
    draw_sample(into, per_breed=DRAWN)
    random = np.random.default_rng(7)
    drawn = sorted(into.glob("*.jpg"))
    for number in range(count - len(drawn)):
        path = drawn[number % len(drawn)]
        breed = path.stem.rpartition("_")[0]
        with Image.open(path) as picture:
            view = _view(picture, random)
        view.save(into / f"{breed}_{DRAWN + 1 + number}.jpg", quality=85)


def _view(picture: Image.Image, random: np.random.Generator) -> Image.Image:
    """A part of it, at times mirrored, in another light: no near-duplicate."""
    share = random.uniform(0.6, 0.85)
    width, height = (int(share * side) for side in picture.size)
    left, top = (
        int(random.integers(0, side - part + 1)) for side, part in zip(picture.size, (width, height), strict=True)
    )
    part = picture.crop((left, top, left + width, top + height))
    turned = ImageOps.mirror(part) if random.random() < 0.5 else part  # noqa: PLR2004
    return ImageEnhance.Brightness(turned.resize(picture.size)).enhance(random.uniform(0.7, 1.3))
