"""Why a model says what it says: which part of a picture speaks for a breed, as a heat map over the picture.

Grad-CAM++ (Chattopadhyay et al. 2018) on the last feature map, which every family has: the weight of a channel is the
gradient of the breed's logit, where it speaks for the breed, weighed by how much each place has a part in it. Only the
head is differentiated, so that it costs little more than a prediction.
"""

from math import isqrt
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F  # noqa: N812 - the name everyone reads it by
from PIL import Image
from torch import Tensor

from ml.augment.augment import validation_input
from ml.decode.images import Limits, view
from ml.decode.views import View
from ml.learn.model import BreedNet
from ml.run_files import DESCRIPTION
from ml.serve.description import Description
from ml.serve.engines import load_network

_OPAQUE = 0.6
"""How much of the picture the hottest place covers; the coldest covers none."""
_BAR = 0.035
"""Height of the scale below the picture, as a share of its side."""
_COLOURS = np.array(
    [[0, 0, 4], [40, 11, 84], [101, 21, 110], [159, 42, 99], [212, 72, 66], [245, 125, 21], [250, 193, 39]], np.float32
)
"""Of Matplotlib's inferno, evenly spaced from no part to the largest: it rises in brightness, for every eye."""


class Explainer:
    """A model in fp32 on the CPU, of its own. Callable from any thread."""

    def __init__(self, about: Description, network: BreedNet) -> None:
        self.about = about
        self._network = network.eval().requires_grad_(False)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """From the files of a run's model.

        Raises:
            CheckpointInvalid: one is missing, broken or of another format version.
        """
        about = Description.read(folder / DESCRIPTION)
        return cls(about, load_network(folder, about))

    def explain(self, data: bytes, limits: Limits, breed: str | None = None) -> Image.Image:
        """The part of a picture that the model looks at, with the heat over it and the scale below.

        Args:
            data: the file.
            limits: what it may cost.
            breed: one of the model's; by default the likeliest.

        Raises:
            ImageRejected: the bytes are not a picture within the limits.
            ValueError: the model knows no such breed.
        """
        square = view(data, limits, View("squares", self.about.presize, (0.5,)), self.about.decoding)[0]
        images = validation_input(torch.from_numpy(square), self.about.size)
        heat = heat_map(self._network, images, None if breed is None else self.about.vocab.index(breed))
        return overlaid(square[0], heat)


def heat_map(network: BreedNet, images: Tensor, index: int | None = None) -> npt.NDArray[np.float32]:
    """What speaks for a class in a picture, float32 [h, w] of the last feature map, 0 to 1; all 0 where nothing does.

    Args:
        network: in evaluation mode.
        images: one, normalised, [1, 3, size, size].
        index: of the class; by default the likeliest.
    """
    with torch.no_grad():
        places = network.body(images)
    with torch.enable_grad():
        seen = places.detach().requires_grad_()
        logits = network.head(seen)
        chosen = int(logits.argmax()) if index is None else index
        (gradient,) = torch.autograd.grad(logits[0, chosen], seen)
    seen_at = slice(network.unplaced, None)
    heat = _plus_plus(places[:, :, seen_at], gradient[:, :, seen_at])
    return _normed(heat.reshape(isqrt(heat.numel()), -1) if network.unplaced else heat)


def _plus_plus(places: Tensor, gradient: Tensor) -> Tensor:
    """[1, c, h, w] each → [h, w], not negative."""
    squared, cubed = gradient**2, gradient**3
    below = 2 * squared + places.clamp_min(0).sum((2, 3), keepdim=True) * cubed.abs()
    share = torch.where(below > 0, squared / below.clamp_min(torch.finfo(below.dtype).tiny), 0)
    weights = (share * gradient.clamp_min(0)).sum((2, 3), keepdim=True)
    return (weights * places).sum(1)[0].clamp_min(0)


def _normed(heat: Tensor) -> npt.NDArray[np.float32]:
    most = float(heat.max())
    found: npt.NDArray[np.float32] = (heat / most if most > 0 else torch.zeros_like(heat)).float().numpy()
    return found


def overlaid(square: npt.NDArray[np.uint8], heat: npt.NDArray[np.float32]) -> Image.Image:
    """The picture [s, s, 3] under its heat [h, w], and below it the scale from no part to the largest."""
    side = len(square)
    wide = F.interpolate(torch.from_numpy(heat)[None, None], size=(side, side), mode="bilinear", align_corners=False)
    cover = wide[0, 0, :, :, None].numpy()
    mixed = square * (1 - _OPAQUE * cover) + coloured(cover[..., 0]) * _OPAQUE * cover
    scale = np.broadcast_to(coloured(np.linspace(0, 1, side, dtype=np.float32)), (max(1, round(side * _BAR)), side, 3))
    return Image.fromarray(np.concatenate([mixed, scale]).round().clip(0, 255).astype(np.uint8))


def coloured(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The colour of each value in [0, 1], [..., 3] in 0-255."""
    stops = np.linspace(0, 1, len(_COLOURS))
    channels = [np.interp(values, stops, _COLOURS[:, channel]) for channel in range(3)]
    return np.stack(channels, -1).astype(np.float32)
