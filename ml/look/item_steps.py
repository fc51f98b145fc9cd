"""One item through every step from file to model input, with type, shape, dtype and range of values at each.

The steps are training's own, in its order; where items cannot be put into one batch, it says why and what to add.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ml.augment.antialias import draw_once
from ml.augment.augment import as_float
from ml.augment.draws import BatchDraws, draws_of_step
from ml.augment.lighting import light, normalise
from ml.config import TrainSettings
from ml.data.bundle import ImageSource
from ml.data.manifest import Manifest
from ml.data.single_item import OpenedItem, open_item, presize
from ml.decode.images import Limits

BATCH = 2
"""Items that are put together: the fewest that can fail to fit."""


@dataclass(frozen=True)
class Step:
    """What an item is after a step.

    ``shape`` is as numpy and torch print it; ``low`` and ``high`` are the least and greatest value, None where there
    are no numbers to look at.
    """

    name: str
    does: str
    type: str
    shape: tuple[int, ...] = ()
    dtype: str | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Collation:
    """Whether two items make a batch. ``reason`` and ``fix``, the one thing to add, are None where they do."""

    items: tuple[int, ...]
    paths: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]
    reason: str | None
    fix: str | None

    @property
    def fits(self) -> bool:
        return self.reason is None


@dataclass(frozen=True)
class Passage:
    """All steps of one item, and the batch that it makes with the next one."""

    path: str
    steps: tuple[Step, ...]
    collated: Collation


def follow(
    manifest: Manifest, source: ImageSource, number: int, settings: TrainSettings, *, resize: bool, limits: Limits
) -> Passage:
    """Take item ``number`` and another one through the steps of training's first batch of two.

    Without ``resize`` the other one is the next of another size, and nothing follows once the two do not fit; where all
    pictures have one size they fit, and nothing follows either, because the changes are defined on squares.

    Args:
        manifest: the dataset.
        source: its bytes.
        number: the item's position, which the manifest must have.
        settings: presize, size, min_scale, augment and seed are used.
        resize: whether pictures are presized.
        limits: what a picture may cost.

    Raises:
        DatasetUnusable, ImageRejected: as ml.data.single_item.open_item.
    """
    other = _partner(manifest, number, same_size=resize)
    opened = [open_item(manifest, source, one, limits) for one in (number, other)]
    draws = draws_of_step(BATCH, settings.augment, settings.min_scale, settings.seed, 0)
    steps = _opening(opened[0], manifest)
    if resize:
        where = zip(opened, draws.positions.tolist(), strict=True)
        pictures = [presize(one.image, settings.presize).window(at) for one, at in where]
        does = f"a square window of the photo, scaled to {settings.presize} pixels"
        steps.append(_of_array("presize", does, pictures[0]))
    else:
        pictures = [np.asarray(one.image) for one in opened]
    tensors = [torch.from_numpy(np.array(picture)) for picture in pictures]
    steps.append(_of_tensor("to tensor", "the same bytes, height x width x colour", tensors[0]))
    collated = _collate(opened, tensors, settings.presize)
    if collated.fits:
        batch = torch.stack(tensors)
        steps.append(_of_tensor("collate", f"{BATCH} items become one batch", batch, rows=1))
        steps += _changes(batch, draws, settings.size) if resize else []
    return Passage(opened[0].item.path, tuple(steps), collated)


def _opening(opened: OpenedItem, manifest: Manifest) -> list[Step]:
    facts, item = opened.facts, opened.item
    what = f"{facts.format} file" + (", whatever its name says" if item.disguised else "")
    pixels = np.asarray(opened.image)
    category = manifest.vocab.index(item.label)
    return [
        Step("open", f"{item.path}, {item.bytes} bytes", f"{what}, mode {facts.mode}", (facts.height, facts.width)),
        _of_array("convert", "upright by its EXIF orientation, RGB, laid on white", pixels, kind="PIL.Image RGB"),
        Step(
            "label",
            f"{item.label!r} is class {category} of {len(manifest.vocab)}",
            "int",
            (),
            "int64",
            category,
            category,
        ),
    ]


def _changes(batch: Tensor, draws: BatchDraws, size: int) -> list[Step]:
    """The steps of ml.augment.augment.training_input, one at a time."""
    floats = as_float(batch)
    rendered = draw_once(batch, draws.homographies, size)
    scaled = rendered / 255
    lit = light(scaled, draws.brightness, draws.contrast)
    return [
        _of_tensor("to float", "on the training device: item x colour x height x width", floats, rows=1),
        _of_tensor(
            "augment", "antialiased; flip, rotation, zoom, warp and crop by one interpolation", rendered, rows=1
        ),
        _of_tensor("scale", "divided by 255", scaled, rows=1),
        _of_tensor("lighting", "brightness and contrast", lit, rows=1),
        _of_tensor("normalise", "ImageNet's mean and deviation taken out: the model's input", normalise(lit), rows=1),
    ]


def _collate(opened: list[OpenedItem], tensors: list[Tensor], side: int) -> Collation:
    shapes = tuple(tuple(tensor.shape) for tensor in tensors)
    numbers, paths = tuple(one.number for one in opened), tuple(one.item.path for one in opened)
    if len(set(shapes)) == 1:
        return Collation(numbers, paths, shapes, None, None)
    said = " and ".join(" x ".join(map(str, shape)) for shape in shapes)
    reason = f"items of {said} cannot be stacked into one batch: all must have one shape"
    fix = f"Add a resize: presize={side} makes every item {side} x {side} x {shapes[0][-1]}."
    return Collation(numbers, paths, shapes, reason, fix)


def _partner(manifest: Manifest, number: int, *, same_size: bool) -> int:
    items = manifest.items
    following = [(number + step) % len(items) for step in range(1, len(items) + 1)]
    if same_size:
        return following[0]
    own = (items[number].width, items[number].height)
    return next((one for one in following if (items[one].width, items[one].height) != own), following[0])


def _of_array(
    name: str, does: str, pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], kind: str = "numpy.ndarray"
) -> Step:
    return Step(name, does, kind, pixels.shape, str(pixels.dtype), float(pixels.min()), float(pixels.max()))


def _of_tensor(name: str, does: str, values: Tensor, rows: int | None = None) -> Step:
    """A tensor's step; ``rows`` limits the range to the first items of a batch, the one that is followed."""
    seen = values[:rows]
    dtype = str(values.dtype).removeprefix("torch.")
    return Step(name, does, "torch.Tensor", tuple(values.shape), dtype, float(seen.min()), float(seen.max()))
