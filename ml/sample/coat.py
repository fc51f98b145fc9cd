"""Coat patterns: where on the sheet a coat shows its second colour."""

from collections.abc import Callable

import numpy as np

from ml.sample.canvas import SIDE, Coat, Floats, noise
from ml.sample.looks import Colour, Look, Part


class Coats:
    """The coats of one pet in one picture: its breed's colours in a varied tone, and one draw of its pattern."""

    def __init__(self, look: Look, rng: np.random.Generator) -> None:
        self._look = look
        self._tone = rng.uniform(0.9, 1.1) * rng.uniform(0.96, 1.04, 3)
        make = _PATTERNS.get(look.pattern)
        self._marks = make(rng, look.amount) if make else None

    def has(self, part: Part) -> bool:
        return part in self._look.parts

    def of(self, part: Part) -> Coat:
        """The coat of a part: its own colour, or the base with the pattern where the breed shows it."""
        own = self._look.parts.get(part)
        if own is not None:
            return Coat(self._toned(own))
        marks = self._marks if part in self._look.marked else None
        return Coat(self._toned(self._look.base), self._toned(self._look.second), marks)

    def _toned(self, colour: Colour) -> Colour:
        red, green, blue = (np.array(colour) * self._tone).clip(0, 255).astype(int).tolist()
        return red, green, blue


def _patches(rng: np.random.Generator, amount: float) -> Floats:
    field = noise(rng, (6, 6)) + 0.15 * noise(rng, (40, 40))
    return _above(field, amount * rng.uniform(0.8, 1.2), 14)


def _flecks(rng: np.random.Generator, amount: float) -> Floats:
    specks, large = _above(noise(rng, (75, 75)), amount, 5) * 0.85, _above(noise(rng, (6, 6)), 0.12, 14)
    marks: Floats = np.maximum(specks, large)
    return marks


def _spots(rng: np.random.Generator, amount: float) -> Floats:
    return _above(noise(rng, (26, 26)), amount * 0.7, 10)


def _rosettes(rng: np.random.Generator, amount: float) -> Floats:
    field = noise(rng, (21, 24))
    ring = np.clip(1.4 - np.abs(field - 0.62) * 16, 0, 1)
    marks: Floats = np.maximum(ring * (0.6 + amount), _above(field, 0.14, 10) * 0.45).clip(0, 1)
    return marks


def _tabby(rng: np.random.Generator, amount: float) -> Floats:
    return _stripes(rng, 8.0, 0.28) * (0.45 + amount)


def _brindle(rng: np.random.Generator, amount: float) -> Floats:
    return _stripes(rng, 15.0, 0.4) * (0.35 + amount)


def _ticked(rng: np.random.Generator, amount: float) -> Floats:
    return noise(rng, (110, 90)) * noise(rng, (5, 8)) * (0.5 + amount)


def _stripes(rng: np.random.Generator, count: float, wobble: float) -> Floats:
    y, x = np.mgrid[0 : 1 : SIDE * 1j, 0 : 1 : SIDE * 1j].astype(np.float32)
    phase = (x + 0.25 * y) * count + wobble * 4 * noise(rng, (9, 7))
    broken = np.clip(noise(rng, (12, 18)) * 2, 0, 1)
    stripes: Floats = np.clip(np.sin(phase * 2 * np.pi) * 2.2 - 0.6, 0, 1) * broken
    return stripes


def _above(field: Floats, share: float, sharpness: float) -> Floats:
    """A soft step that covers about a share of the field."""
    threshold = float(np.quantile(field[::6, ::6], 1 - min(share, 0.95)))
    step: Floats = np.clip((field - threshold) * sharpness + 0.5, 0, 1)
    return step


_PATTERNS: dict[str, Callable[[np.random.Generator, float], Floats]] = {
    "patches": _patches,
    "flecks": _flecks,
    "spots": _spots,
    "rosettes": _rosettes,
    "tabby": _tabby,
    "brindle": _brindle,
    "ticked": _ticked,
}
