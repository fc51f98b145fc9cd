"""How much a picture looks like what the model has learned: measured on what the network makes of it.

The distance is Mahalanobis' to the nearest breed's mean, on features of length 1 (Müller and Hein 2025, "Mahalanobis++:
improving OOD detection via feature normalization"), with two changes, both measured in docs/experiments.md. Features of
two places stand side by side, each of length 1. And to the scatter within the breeds comes the scatter that blur and
noise bring into the same pictures: along it a distance counts for less, so that a blurred pet stays a pet.

The scatter is told apart in its few strongest directions and taken to be even in all others, so that a distance costs
some microseconds and a fit of thousands of features no more than a moment.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ml.judge.scores import Doubles

SHIFT_WEIGHT = 1.0
"""Of the scatter that blur and noise bring, in parts of that within the breeds, unless it is known what is needed."""
EVENNESS = 0.6
"""How far the scatter within the breeds is drawn towards one that is the same in all directions."""
DIRECTIONS = 128
_MORE, _ROUNDS = 16, 4
"""Further directions, and rounds, in which the strongest are looked for (Halko, Martinsson and Tropp 2011)."""
_LEAST = 1e-12

Floats = NDArray[np.float32]
Tensors = dict[str, NDArray[np.generic]]


@dataclass(frozen=True)
class KnownPictures:
    """What the network makes of pictures that it learned from.

    Attributes:
        features: float32 [n, features]; those of the first place come first.
        first: how many those are.
        targets: class ids, [n].
        shifted: of the first m pictures again, with blur, with noise …: [kinds, m, features].
    """

    features: Floats
    first: int
    targets: NDArray[np.int64]
    shifted: Floats


@dataclass(frozen=True)
class Familiarity:
    """``means`` [breeds, features], ``directions`` [features, k], and how much less a step along each counts, [k]."""

    first: int
    means: Floats
    directions: Floats
    relief: Floats

    def measure(self, features: NDArray[np.floating]) -> Doubles:
        """Of each picture, float64 [n], from features [n, features]: the larger the more familiar."""
        x = of_length_1(features, self.first)
        off = x @ self.directions
        found: Doubles = np.empty(len(x))
        for row, (one, along) in enumerate(zip(x, off, strict=True)):
            eased = (along - self._along) ** 2 @ self.relief
            found[row] = (2 * (self.means @ one) - self._squares + eased).max() - one @ one
        return found

    @cached_property
    def _along(self) -> Floats:
        return self.means @ self.directions

    @cached_property
    def _squares(self) -> Floats:
        squares: Floats = np.einsum("cd,cd->c", self.means, self.means)
        return squares

    def with_breeds(
        self, kept: Mapping[int, int], features: NDArray[np.floating], targets: NDArray[np.int64], breeds: int
    ) -> "Familiarity":
        """The same network's among other breeds; those without pictures lie where all breeds do in the mean.

        Args:
            kept: of the breeds that stay, from the number before to that among the ``breeds``.
            features: of pictures of the others, [n, features].
            targets: their class ids, [n], among the ``breeds``.
            breeds: how many there are now.
        """
        means = np.repeat(self.means.mean(0, keepdims=True), breeds, 0)
        for before, now in kept.items():
            means[now] = self.means[before]
        x = of_length_1(features, self.first)
        for breed in np.unique(targets):
            means[breed] = x[targets == breed].mean(0)
        return replace(self, means=means)

    def tensors(self) -> Tensors:
        """What is stored."""
        first = np.array([self.first], dtype=np.int64)
        return {"first": first, "means": self.means, "directions": self.directions, "relief": self.relief}

    @classmethod
    def of_tensors(cls, tensors: Tensors) -> Self:
        """From what was stored; raises KeyError where something is missing."""
        means, directions, relief = (tensors[name].astype(np.float32) for name in ("means", "directions", "relief"))
        return cls(int(tensors["first"].item()), means, directions, relief)


def of_length_1(features: NDArray[np.floating], first: int) -> Floats:
    """Float32 [n, features]: the features of each of the two places scaled to length 1."""
    x = np.where(np.isfinite(features), features, np.nan).astype(np.float32)
    parts = (x[:, :first], x[:, first:])
    lengths = (np.sqrt(np.einsum("nd,nd->n", part, part))[:, None] for part in parts)
    return np.concatenate([part / np.maximum(length, _LEAST) for part, length in zip(parts, lengths, strict=True)], 1)


def fit_familiarity(known: KnownPictures, breeds: int, weight: float = SHIFT_WEIGHT) -> Familiarity | None:
    """Fit on known pictures; None without any whose features are numbers.

    ``weight`` is that of the scatter that blur and noise bring, in parts of that within the breeds, from 0 on.
    """
    fit = np.isfinite(known.features).all(1)
    x, targets = of_length_1(known.features[fit], known.first), known.targets[fit]
    if not len(x):
        return None
    means = np.repeat(x.mean(0, keepdims=True), breeds, 0)
    for breed in np.unique(targets):
        means[breed] = x[targets == breed].mean(0)
    within = (x - means[targets]) * np.sqrt((1 - EVENNESS) / len(x))
    scatter = np.concatenate([within, _brought(known) * np.sqrt(weight)]).astype(np.float32)
    directions, strengths = _strongest(scatter)
    features = scatter.shape[1]
    even = max(float((within**2).sum()) / features * EVENNESS / (1 - EVENNESS), _LEAST)
    rest = max(0.0, float((scatter**2).sum() - strengths.sum()) / max(1, features - len(strengths)))
    relief = 1 - (rest + even) / (strengths + even)
    return Familiarity(known.first, means, directions, relief.astype(np.float32))


def _brought(known: KnownPictures) -> Floats:
    """What blur and noise change in the features, [kinds * m, features], divided so that its squares are means."""
    count = known.shifted.shape[1]
    plain = of_length_1(known.features[:count], known.first)
    changes = np.concatenate([of_length_1(kind, known.first) - plain for kind in known.shifted])
    changes = changes[np.isfinite(changes).all(1)]
    scaled: Floats = changes / np.float32(np.sqrt(max(1, len(changes))))
    return scaled


def _strongest(scatter: Floats) -> tuple[Floats, Floats]:
    """Directions [features, k] in which the rows scatter most, and how much, [k]; the same each time."""
    wide = min(DIRECTIONS + _MORE, *scatter.shape)
    space = np.random.default_rng(0).normal(size=(scatter.shape[1], wide)).astype(np.float32)
    for _ in range(_ROUNDS):
        space = np.linalg.qr(scatter.T @ (scatter @ space))[0]
    seen = scatter @ space
    strengths, turns = np.linalg.eigh(seen.T @ seen)
    best = np.argsort(-strengths)[:DIRECTIONS]
    return (space @ turns[:, best]).astype(np.float32), np.maximum(strengths[best], 0).astype(np.float32)
