"""A vision transformer's body as the head and its readers take every body: pictures in, a map of features out.

Torchvision's own takes pictures of one size. Here the embeddings of the places are resampled to the grid of any size.
"""

from functools import lru_cache
from math import isqrt

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

CLASS_TOKENS = 1
_A = -0.75
"""Keys' parameter (1981), as torch has it."""


class Patches(nn.Module):
    """Pictures [n,3,h,w] as tokens [n,1+patches,c]: the class token, then the patches row by row."""

    def __init__(self, projection: nn.Conv2d, class_token: nn.Parameter, places: nn.Parameter) -> None:
        """With ``class_token`` [1,1,c] and ``places`` [1,1+k²,c], the embeddings of a square grid of k."""
        super().__init__()
        self.projection = projection
        self.class_token = class_token
        self.places = places
        self.fitted: Tensor | None
        self.register_buffer("fitted", None, persistent=False)

    def fit(self, size: int) -> None:
        """Resample the embeddings once, for all pictures of ``size`` pixels; nothing learns afterwards."""
        count = size // self.projection.stride[0]
        self.fitted = resampled(self.places.detach(), count, count)

    def forward(self, x: Tensor) -> Tensor:
        """What of the sides is less than a patch is left out.

        Raises:
            RuntimeError: it is traced or exported, and fits no size yet.
        """
        maps = self.projection(x)
        n, _, rows, columns = maps.shape
        if self.fitted is None and _is_written_down():
            raise RuntimeError("fit it to a size first: what is traced would be kept for every other pass")
        tokens = torch.cat([self.class_token.expand(n, -1, -1), maps.flatten(2).transpose(1, 2)], 1)
        places = resampled(self.places, rows, columns) if self.fitted is None else self.fitted
        embedded: Tensor = tokens + places
        return embedded


def _is_written_down() -> bool:
    return torch.compiler.is_exporting() or bool(torch.jit.is_tracing())  # type: ignore[attr-defined, no-untyped-call] # it is documented


class TokenColumn(nn.Module):
    """Tokens [n,1+patches,c] as a map of one column, [n,c,1+patches,1]."""

    def forward(self, tokens: Tensor) -> Tensor:
        return tokens.transpose(1, 2).unsqueeze(3)


class TokenPool(nn.Module):
    """The class token and the mean of the patches side by side: [n,c,1+patches,1] → [n,2c] (as DINOv2 is probed)."""

    def forward(self, x: Tensor) -> Tensor:
        """Pool the two last dimensions."""
        return torch.cat([x[:, :, 0, 0], x[:, :, CLASS_TOKENS:].mean((2, 3))], 1)


def resampled(places: Tensor, rows: int, columns: int) -> Tensor:
    """Embeddings [1,1+k²,c] of a square grid for another grid, bicubic: [1,1+rows·columns,c]; the first one stays."""
    side = isqrt(places.shape[1] - CLASS_TOKENS)
    if (rows, columns) == (side, side):
        return places
    first, grid = places[:, :CLASS_TOKENS], places[:, CLASS_TOKENS:]
    square = grid.transpose(1, 2).reshape(1, -1, side, side)
    down, across = (_matrix(side, count, places.device) for count in (rows, columns))
    with torch.autocast(places.device.type, enabled=False):
        resized = down @ square.float() @ across.T
    return torch.cat([first, resized.to(places.dtype).flatten(2).transpose(1, 2)], 1)


@lru_cache(maxsize=64)
def _matrix(side: int, count: int, device: torch.device) -> Tensor:
    # Kept where it is used: a copy in each step would have the host wait. Training reads those made for validation.
    with torch.inference_mode(mode=False):
        return torch.from_numpy(cubic(side, count)).to(device)


def cubic(side: int, count: int) -> NDArray[np.float32]:
    """The matrix [count,side] of ``F.interpolate``'s bicubic (a = -0.75, no antialias, corners not aligned).

    A matrix, since other engines read that operation otherwise where a single place is asked for.
    """
    at = (np.arange(count) + 0.5) * side / count - 0.5
    first = np.floor(at).astype(np.int64) - 1
    found = np.zeros((count, side), np.float32)
    for tap in range(4):
        away = np.abs(at - (first + tap))
        near = ((_A + 2) * away - (_A + 3)) * away**2 + 1
        far = ((_A * away - 5 * _A) * away + 8 * _A) * away - 4 * _A
        np.add.at(found, (np.arange(count), (first + tap).clip(0, side - 1)), np.where(away <= 1, near, far))
    return found
