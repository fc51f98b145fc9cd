"""Resampling a line of pixels as a matrix: each pixel that comes out is a weighted mean of a few neighbours.

Such a matrix is zero but near its diagonal, so it is held, and multiplied, in blocks. Several resamplings one after the
other are one matrix, and a picture is resampled along its rows and then along its columns. Without torch.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float64]
Floats = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]

_OUTPUTS = 16
"""Of a block. With more, most of its weights are zeros; with fewer, calls cost more than products."""
_MOST_PRODUCTS = 500_000
"""Of one call. From 524,288 on OpenBLAS would use threads of its own, beside those that are at work."""


@dataclass(frozen=True)
class _Block:
    """Outputs ``first`` to ``last`` are made of pixels ``low`` to ``high``; weights [pixels, outputs]."""

    first: int
    last: int
    low: int
    high: int
    weights: Floats


@dataclass(frozen=True)
class LineMap:
    """From ``length`` pixels to ``size``."""

    length: int
    size: int
    blocks: tuple[_Block, ...]

    @classmethod
    def of(cls, *steps: Matrix) -> Self:
        """The product of matrices [outputs, inputs], the last step first as in a formula."""
        blocks = (_block(first, *steps) for first in range(0, len(steps[0]), _OUTPUTS))
        return cls(steps[-1].shape[1], len(steps[0]), tuple(blocks))

    def along(self, source: Pixels | Floats) -> Floats:
        """[length, …] → [all of …, size]: what is made comes last, so that the next axis comes first by itself."""
        count = source[0].size
        out = np.empty((count, self.size), np.float32)
        for block in self.blocks:
            # A block at a time, so that its floats stay in the processor's cache.
            lines = source[block.low : block.high].astype(np.float32, copy=False).reshape(-1, count).T
            for part in _parts(count, -(-count * block.weights.size // _MOST_PRODUCTS)):
                np.matmul(lines[part], block.weights, out=out[part, block.first : block.last])
        return out


def resample(pixels: Pixels, rows: LineMap, columns: LineMap) -> Floats:
    """uint8 [h, w, 3] → float32 [3, rows.size, columns.size]."""
    tall = rows.along(pixels)
    return columns.along(tall.reshape(columns.length, -1)).reshape(-1, rows.size, columns.size)


@lru_cache(4)
def validation_steps(presize: int, size: int) -> tuple[Matrix, ...]:
    """What validation does to a line of a presized square: ``ml.augment.resample.resize_exactly`` as matrices.

    As fastai does it: an area mean where the output is less than half as large, then samples from edge to edge.
    """
    if presize == size:
        return (np.eye(size),)
    shrink = presize / size / 2
    if shrink <= 1:
        return (_samples(presize, size),)
    # The same floats as torch's, which this rounding down depends on.
    between = math.floor(presize * (1 / shrink))
    return _samples(between, size), _means(presize, between)


def _block(first: int, *steps: Matrix) -> _Block:
    weights = steps[0][first : first + _OUTPUTS]
    low, high = _span(weights)
    weights = weights[:, low:high]
    for step in steps[1:]:
        rows = step[low:high]
        # No row begins before the one above it, nor ends before it.
        low, high = _span(rows[[0, -1]])
        weights = weights @ rows[:, low:high]
    return _Block(first, first + len(weights), low, high, weights.T.astype(np.float32, order="C"))


def _span(weights: Matrix) -> tuple[int, int]:
    """First and last column that are not all zeros."""
    used = np.flatnonzero(weights.any(0))
    return int(used[0]), int(used[-1]) + 1


def _parts(count: int, parts: int) -> Iterator[slice]:
    step = -(-count // parts)
    return (slice(start, start + step) for start in range(0, count, step))


def _samples(length: int, size: int) -> Matrix:
    """Between the two nearest pixels, from the first to the last: [size, length]."""
    near: Matrix = np.maximum(0, 1 - np.abs(_places(length, size)[:, None] - np.arange(length)))
    return near


def _places(length: int, size: int) -> Matrix:
    """From 0 to ``length`` - 1, with the errors of torch's floats: they move a place by up to 6e-5 of a pixel."""
    step, half = np.float32(2) / np.float32(max(1, size - 1)), size // 2
    number = np.arange(size)
    line = np.where(number < half, -1 + np.float64(step) * number, 1 - np.float64(step) * (size - 1 - number))
    place = (line.astype(np.float32) + np.float32(1)) * np.float32((length - 1) / 2)
    return place.astype(np.float64)


def _means(length: int, count: int) -> Matrix:
    """Of windows that may overlap, as torch's adaptive average takes them: [count, length]."""
    number, pixel = np.arange(count)[:, None], np.arange(length)
    first, last = number * length // count, -(-(number + 1) * length // count)
    within = (pixel >= first) & (pixel < last)
    means: Matrix = within / within.sum(1, keepdims=True)
    return means
