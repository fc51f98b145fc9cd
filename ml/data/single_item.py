"""One item outside of any run: decoded, presized and cut exactly as the presized cache gives it to training."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from ml.data.bundle import ImageSource
from ml.data.manifest import Item, Manifest
from ml.decode.images import Facts, Limits, examine_image
from ml.decode.placement import Placement, place, render
from ml.errors import DatasetUnusable


@dataclass(frozen=True)
class OpenedItem:
    """An item's upright RGB picture, with what its file said of itself."""

    number: int
    item: Item
    image: Image.Image
    facts: Facts


def open_item(manifest: Manifest, source: ImageSource, number: int, limits: Limits) -> OpenedItem:
    """Read and decode item ``number``, which the manifest must have.

    Raises:
        DatasetUnusable: its bytes are not a picture of the size that the manifest says.
        ImageRejected: it is over limits that are lower now than at its import.
    """
    item = manifest.items[number]
    image, facts = examine_image(source.read(number), limits)
    if (facts.width, facts.height) != (item.width, item.height):
        detail = f"{item.path} has {facts.width}x{facts.height} pixels, the manifest says {item.width}x{item.height}"
        raise DatasetUnusable(detail, hint="Import the dataset again.")
    return OpenedItem(number, item, image, facts)


@dataclass(frozen=True)
class PresizedImage:
    """A whole picture as the presized cache keeps it, and the squares that a model's input is drawn from.

    ``pixels`` is uint8 [h, w, 3] with a short side of ``plan.size`` pixels.
    """

    pixels: npt.NDArray[np.uint8]
    plan: Placement

    def centre(self) -> npt.NDArray[np.uint8]:
        """What validation sees: uint8 [size, size, 3]."""
        return self._cut(*self.plan.corner)

    def window(self, position: float) -> npt.NDArray[np.uint8]:
        """What training draws at a position along the long side, 0 to 1: uint8 [size, size, 3]."""
        height, width, _ = self.plan.shape
        return self._cut(int(position * (height - self.plan.size)), int(position * (width - self.plan.size)))

    def _cut(self, top: int, left: int) -> npt.NDArray[np.uint8]:
        return self.pixels[top : top + self.plan.size, left : left + self.plan.size]


def presize(image: Image.Image, size: int) -> PresizedImage:
    """Scale an upright RGB picture to a short side of ``size`` pixels."""
    plan = place(image.width, image.height, size)
    return PresizedImage(render(image, plan), plan)
