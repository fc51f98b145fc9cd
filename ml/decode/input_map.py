"""The one linear map from a photo's square to a model's input: presizing, area shrink and sampling multiplied out.

Each of the three is one matrix for rows and columns alike, so their product is one too. It is banded: neighbouring
outputs are made of a few neighbouring source pixels. So it is held, and multiplied, in blocks.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from ml.decode.views import Pixels

Matrix = npt.NDArray[np.float64]
Lines = npt.NDArray[np.float32]
Places = npt.NDArray[np.int64]

_OUTPUTS = 16
"""Of a block. With more, most of its weights are zeros; with fewer, calls cost more than products."""
_MOST_PRODUCTS = 500_000
"""Of one call. From 524,288 on OpenBLAS would use threads of its own, beside those that decode."""
_KEPT = 256
"""Maps of different sides, of some 30 kB each."""


@dataclass(frozen=True)
class _Block:
    """Outputs ``first`` to ``last`` are made of source pixels ``low`` to ``high``; weights [source, outputs]."""

    first: int
    last: int
    low: int
    high: int
    weights: Lines


@dataclass(frozen=True)
class InputMap:
    """From a square of ``length`` decoded pixels a side to one of ``size``."""

    length: int
    size: int
    blocks: tuple[_Block, ...]

    def of(self, rows: Pixels, columns: "InputMap") -> Pixels:
        """uint8 [length, columns.length, 3] → uint8 [size, size, 3], rounded once; this map is that of the rows."""
        # Each pass puts its outputs last, so that the other axis comes first without anything being moved.
        tall = _lines(self, rows)
        planes = _lines(columns, tall.reshape(columns.length, -1))
        planes += 0.5
        channels = planes.astype(np.uint8).reshape(3, self.size, self.size)
        out = np.empty((self.size, self.size, 3), np.uint8)
        for number, channel in enumerate(channels):
            out[..., number] = channel
        return out


def _lines(along: InputMap, source: Pixels | Lines) -> Lines:
    """One pass: [length, …] → [all of …, size]."""
    count = source[0].size
    out = np.empty((count, along.size), np.float32)
    for block in along.blocks:
        # A block at a time, so that its floats stay in the processor's cache.
        lines = source[block.low : block.high].astype(np.float32, copy=False).reshape(-1, count).T
        for part in _parts(count, -(-count * block.weights.size // _MOST_PRODUCTS)):
            np.matmul(lines[part], block.weights, out=out[part, block.first : block.last])
    return out


def _parts(count: int, parts: int) -> Iterator[slice]:
    step = -(-count // parts)
    return (slice(start, start + step) for start in range(0, count, step))


@lru_cache(_KEPT)
def input_map(side: int, presize: int, size: int, factor: int = 1, before: int = 0) -> InputMap:
    """The map of one axis.

    Args:
        side: of the square that is cut out of the picture, pixels.
        presize: side of the square that the picture is presized to.
        size: side of the model's input.
        factor: a decoded pixel stands for so many of the picture's.
        before: picture's pixels of the first decoded pixel that lie before the square.
    """
    near, weights = _presized(side, presize)
    decoded = np.minimum(near, side - 1) + before
    decoded //= factor
    length = int(decoded.max()) + 1
    rows = np.repeat(np.arange(presize), decoded.shape[1])
    sums = np.asarray(np.bincount(rows * length + decoded.ravel(), weights.ravel(), presize * length), np.float64)
    blocks = _blocks(_sampled(presize, size), sums.reshape(presize, length), decoded)
    return InputMap(length, size, tuple(blocks))


def _blocks(sampled: Matrix, presized: Matrix, decoded: Places) -> Iterator[_Block]:
    """The product of ``sampled`` and ``presized``; ``decoded`` says which pixels each row of the latter is made of."""
    for first in range(0, len(sampled), _OUTPUTS):
        some = sampled[first : first + _OUTPUTS]
        used = np.flatnonzero(some.any(0))
        begin, end = used[0], used[-1] + 1
        low, high = int(decoded[begin].min()), int(decoded[end - 1].max()) + 1
        weights = some[:, begin:end] @ presized[begin:end, low:high]
        yield _Block(first, first + len(some), low, high, weights.T.astype(np.float32, order="C"))


def _presized(side: int, size: int) -> tuple[Places, Matrix]:
    """Pillow's bilinear filter from ``side`` pixels to ``size``: the pixels near each output, and their weights."""
    scale = side / size
    reach = max(1.0, scale)
    centre = (np.arange(size)[:, None] + 0.5) * scale
    first = np.maximum(0, (centre - reach + 0.5).astype(np.int64))
    last = np.minimum(side, (centre + reach + 0.5).astype(np.int64))
    near = first + np.arange((last - first).max())
    weights = np.maximum(0, 1 - np.abs(near + 0.5 - centre) / reach) * (near < last)
    return near, weights / weights.sum(1, keepdims=True)


@lru_cache(4)
def _sampled(presize: int, size: int) -> Matrix:
    """What ``ml.augment.resample.resize_exactly`` does to an axis: [size, presize]."""
    if presize == size:
        return np.eye(size)
    shrink = presize / size / 2
    drawn = np.eye(presize)
    if shrink > 1:
        drawn = _area(presize, math.floor(presize * (1 / shrink)))
    place = np.linspace(0, len(drawn) - 1, size)
    low = np.minimum(place.astype(np.int64), max(0, len(drawn) - 2))
    share = (place - low)[:, None]
    high = np.minimum(low + 1, len(drawn) - 1)
    sampled: Matrix = drawn[low] * (1 - share) + drawn[high] * share
    return sampled


def _area(length: int, count: int) -> Matrix:
    """Means of windows that may overlap, as torch's adaptive average takes them: [count, length]."""
    number, pixel = np.arange(count)[:, None], np.arange(length)
    first, last = number * length // count, -(-(number + 1) * length // count)
    within = (pixel >= first) & (pixel < last)
    means: Matrix = within / within.sum(1, keepdims=True)
    return means
