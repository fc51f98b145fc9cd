"""A labelled batch as a person looks at it: as it is, and as training changes it."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, sqrt
from typing import Literal

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ml.augment.augment import training_input, validation_input
from ml.augment.draws import draws_of_step, epoch_order
from ml.augment.lighting import MEAN, STD
from ml.config import TrainSettings
from ml.data.bundle import ImageSource
from ml.data.manifest import Manifest
from ml.data.single_item import open_item, presize
from ml.decode.images import Limits
from ml.look.contact_sheet import WHITE, Heading, Paper, Tile, draw_sheet

Shown = Literal["as_is", "augmented", "both"]
_MOST_COLUMNS = 8
_SHOWN_AS = {
    "as_is": "as they are, without augmentation",
    "augmented": "augmented as in training",
    "both": "above as they are, below augmented as in training",
}


@dataclass(frozen=True)
class BatchPictures:
    """A batch's items by number, and their inputs as uint8 [n, size, size, 3]; None where not asked for."""

    items: tuple[int, ...]
    as_is: Tensor | None
    augmented: Tensor | None


def choose_items(side: Sequence[int], n: int, seed: int) -> tuple[int, ...]:
    """The first ``n`` of a side of the split in the order in which a run with this seed trains on them."""
    return tuple(side[place] for place in epoch_order(len(side), seed, 0)[:n].tolist())


def make_batch(
    manifest: Manifest,
    source: ImageSource,
    items: Sequence[int],
    settings: TrainSettings,
    *,
    shown: Shown,
    limits: Limits,
) -> BatchPictures:
    """Make the inputs of ``items`` with the draws of a run's first step.

    The draws depend on the batch's size. Of a whole batch (n = ``settings.batch_size``, items by choose_items with
    ``settings.seed``) the augmented inputs are therefore the very ones that the run's first step trains on.

    Args:
        manifest: the dataset.
        source: its bytes.
        items: by number, n of them.
        settings: presize, size, min_scale, augment and seed are used.
        shown: which inputs to make.
        limits: what a picture may cost.

    Raises:
        DatasetUnusable, ImageRejected: as ml.data.single_item.open_item.
    """
    draws = draws_of_step(len(items), settings.augment, settings.min_scale, settings.seed, 0)
    centres, windows = [], []
    for number, position in zip(items, draws.positions.tolist(), strict=True):
        kept = presize(open_item(manifest, source, number, limits).image, settings.presize)
        if shown != "augmented":
            centres.append(torch.from_numpy(kept.centre()))
        if shown != "as_is":
            windows.append(torch.from_numpy(kept.window(position)))
    with torch.inference_mode():
        return BatchPictures(
            items=tuple(items),
            as_is=to_pixels(validation_input(torch.stack(centres), settings.size)) if centres else None,
            augmented=to_pixels(training_input(torch.stack(windows), draws, settings.size)) if windows else None,
        )


def to_pixels(inputs: Tensor) -> Tensor:
    """Take normalisation back: float [n,3,h,w] → uint8 [n,h,w,3]."""
    mean, std = torch.tensor(MEAN).view(1, 3, 1, 1), torch.tensor(STD).view(1, 3, 1, 1)
    values = (inputs * std + mean).mul_(255).round_().clamp_(0, 255)
    return values.to(torch.uint8).permute(0, 2, 3, 1)


def draw_batch(
    manifest: Manifest, batch: BatchPictures, *, title: str, shown: Shown, paper: Paper = WHITE
) -> Image.Image:
    """The batch as one RGB picture, each item's label below it; a drawn dataset's says that it is drawn."""
    rows = [pictures for pictures in (batch.as_is, batch.augmented) if pictures is not None]
    tiles = [
        Tile(tuple(to_image(pictures[place]) for pictures in rows), manifest.items[number].label)
        for place, number in enumerate(batch.items)
    ]
    heading = Heading(title, notes=(_SHOWN_AS[shown],), drawn=manifest.drawn, paper=paper)
    return draw_sheet(heading, tiles, columns=_columns(len(tiles) * len(rows)))


def to_image(pixels: Tensor) -> Image.Image:
    """A picture of uint8 [h, w, 3]."""
    return Image.fromarray(np.ascontiguousarray(pixels.numpy()))


def _columns(pictures: int) -> int:
    """So many that the sheet is about as wide as it is high."""
    return min(_MOST_COLUMNS, ceil(sqrt(pictures)))
