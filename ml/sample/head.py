"""Drawing a pet's head: ears, markings, muzzle, eyes."""

from dataclasses import dataclass

from ml.breeds import Species
from ml.sample.canvas import Canvas, Coat, Point
from ml.sample.coat import Coats
from ml.sample.looks import Colour, Ear, Look, Part

_PINK = (214, 150, 142)
_PALE = 420
"""Sum of a colour's channels above which skin shows pink."""
_PANTING = 0.3
_DARK = (30, 25, 25)
_TONGUE = (214, 112, 120)
_OUTLINES: dict[Ear, tuple[Point, ...]] = {
    "prick": ((0.22, -0.72), (0.62, -1.62), (0.8, -1.6), (0.98, -0.3), (0.6, -0.4)),
    "tufted": ((0.22, -0.74), (0.72, -1.85), (0.78, -1.9), (0.98, -0.3), (0.6, -0.4)),
    "bat": ((0.18, -0.7), (0.7, -1.8), (1.2, -1.6), (1.1, -0.2), (0.6, -0.3)),
    "small": ((0.3, -0.75), (0.66, -1.3), (0.84, -1.24), (0.96, -0.4), (0.6, -0.5)),
    "folded": ((0.3, -0.9), (0.85, -1.12), (1.18, -0.72), (1.06, -0.3), (0.82, -0.55)),
    "drop": ((0.62, -0.86), (1.05, -0.8), (1.3, -0.1), (1.18, 0.5), (0.86, 0.42), (0.78, -0.3)),
    "long": ((0.64, -0.7), (1.06, -0.62), (1.38, 0.4), (1.24, 1.15), (0.86, 1.05), (0.78, -0.1)),
}
"""Corners of the right ear, in head radii from the head's centre."""

_HANGING = frozenset({"folded", "drop", "long"})


@dataclass(frozen=True)
class Head:
    """Where a head is and how it looks at the viewer: ``turn`` from -1 (left) to 1 (right)."""

    centre: Point
    radius: float
    turn: float

    def at(self, x: float, y: float, depth: float = 0.0) -> Point:
        """A point in head radii, moved by the turn as far as it lies in front."""
        return (
            self.centre[0] + self.radius * (x * (1 - 0.12 * abs(self.turn)) + self.turn * (0.12 + 0.3 * depth)),
            self.centre[1] + self.radius * y,
        )

    def size(self, width: float, height: float) -> Point:
        """A size in head radii."""
        return self.radius * width, self.radius * height


def draw_head(canvas: Canvas, look: Look, species: Species, coats: Coats, head: Head) -> None:
    """Paint a head over what is there."""
    width = 1.06 if species == "cat" else 0.94
    if look.mane:
        canvas.blob(head.at(0, 0.22), head.size(1.42, 1.36), coats.of("body"), rough=1.6, light=0.94)
    if look.ear not in _HANGING:
        _ears(canvas, look, coats, head)
    canvas.blob(head.at(0, 0), head.size(width, 0.95), coats.of("head"))
    _markings(canvas, coats, head, width)
    if species == "cat":
        _cat_muzzle(canvas, look, coats, head)
    else:
        _dog_muzzle(canvas, look, coats, head)
    _eyes(canvas, look, species, head)
    if look.ear in _HANGING:
        _ears(canvas, look, coats, head)
    if look.wrinkles:
        _wrinkles(canvas, coats, head)


def _ears(canvas: Canvas, look: Look, coats: Coats, head: Head) -> None:
    coat = coats.of("ears" if coats.has("ears") else "head")
    tilt = canvas.rng.uniform(-0.06, 0.06)
    for side in (-1, 1):
        outline = [head.at(side * x, y * look.ear_size + tilt * side) for x, y in _OUTLINES[look.ear]]
        canvas.shape(outline, coat, light=0.9 if look.ear in _HANGING else 0.96)
        if look.ear not in _HANGING:
            _inner_ear(canvas, look, outline)


def _inner_ear(canvas: Canvas, look: Look, outline: list[Point]) -> None:
    middle = (sum(x for x, _ in outline) / len(outline), sum(y for _, y in outline) / len(outline))
    inside = [(middle[0] + (x - middle[0]) * 0.55, middle[1] + (y - middle[1]) * 0.62) for x, y in outline]
    red, green, blue = ((2 * a + b) // 3 for a, b in zip(_PINK, look.base, strict=True))
    canvas.shape(inside, Coat((red, green, blue)), light=0.86)


def _markings(canvas: Canvas, coats: Coats, head: Head, width: float) -> None:
    if coats.has("cheeks"):
        for side in (-1, 1):
            canvas.blob(head.at(side * 0.5, 0.42), head.size(0.42, 0.34), coats.of("cheeks"))
    if coats.has("mask"):
        canvas.blob(head.at(0, 0.16, 0.3), head.size(width * 0.74, 0.68), coats.of("mask"), rough=1.3)
    if coats.has("blaze"):
        canvas.blob(head.at(0, -0.4, 0.2), head.size(0.15, 0.55), coats.of("blaze"))
    if coats.has("brows"):
        for side in (-1, 1):
            canvas.blob(head.at(side * 0.36, -0.42, 0.2), head.size(0.12, 0.09), coats.of("brows"))


def _cat_muzzle(canvas: Canvas, look: Look, coats: Coats, head: Head) -> None:
    part: Part = "muzzle" if coats.has("muzzle") else ("mask" if coats.has("mask") else "head")
    drop = 0.3 + 0.16 * look.muzzle
    for side in (-1, 1):
        canvas.blob(head.at(side * 0.17, drop + 0.06, 0.5), head.size(0.27, 0.21), coats.of(part), light=1.05)
    nose = [head.at(x, drop - y, 0.6) for x, y in ((-0.13, 0.17), (0.13, 0.17), (0.03, -0.02), (-0.03, -0.02))]
    canvas.shape(nose, Coat(_PINK if sum(look.base) > _PALE and part != "mask" else (96, 66, 62)))
    for side in (-1, 1):
        mouth = [head.at(0, drop, 0.6), head.at(side * 0.04, drop + 0.12, 0.6), head.at(side * 0.2, drop + 0.14, 0.5)]
        canvas.line(mouth, head.radius * 0.035, (70, 48, 46), 0.8)
        for row in range(3):
            lift = (row - 1) * 0.14 + canvas.rng.uniform(-0.04, 0.04)
            hair = [head.at(side * 0.3, drop + 0.04 + lift * 0.3, 0.4), head.at(side * 1.1, drop - 0.08 + lift, 0.2)]
            canvas.line(hair, head.radius * 0.018, (226, 222, 216), 0.7)


def _dog_muzzle(canvas: Canvas, look: Look, coats: Coats, head: Head) -> None:
    long = look.muzzle
    coat = coats.of("muzzle" if coats.has("muzzle") else ("mask" if coats.has("mask") else "head"))
    middle = 0.34 + 0.2 * long
    reach = 0.2 + 0.8 * long
    if look.beard:
        canvas.blob(head.at(0, middle + 0.34, reach * 0.8), head.size(0.5, 0.52), coat, rough=2.2, light=0.95)
    canvas.blob(head.at(0, middle, reach * 0.6), head.size(0.46, 0.3 + 0.26 * long), coat, rough=0.6, light=1.03)
    if canvas.rng.random() < _PANTING:
        canvas.blob(head.at(0, middle + 0.4, reach), head.size(0.13, 0.24), Coat(_TONGUE), rough=0)
    nose = head.at(0, middle - 0.06 + 0.1 * long, reach)
    for side in (-1, 1):
        lip = [
            (nose[0], nose[1]),
            (nose[0], nose[1] + head.radius * 0.24),
            head.at(side * 0.3, middle + 0.26, reach * 0.6),
        ]
        canvas.line(lip, head.radius * 0.04, (44, 34, 34), 0.85)
    canvas.dot(nose, head.size(0.15 + 0.04 * long, 0.115 + 0.03 * long), _DARK)
    canvas.dot(
        (nose[0] - head.radius * 0.05, nose[1] - head.radius * 0.05), head.size(0.04, 0.025), (150, 146, 146), 0.8
    )


def _eyes(canvas: Canvas, look: Look, species: Species, head: Head) -> None:
    apart, high = (0.43, -0.1) if species == "cat" else (0.38, -0.16)
    size = look.eye_size * (0.19 if species == "cat" else 0.14)
    lid = canvas.rng.uniform(0.72, 1.0)
    for side in (-1, 1):
        centre = head.at(side * apart, high, 0.3)
        canvas.dot(centre, head.size(size * 1.22, size * 1.16 * lid), _DARK)
        canvas.dot(centre, head.size(size, size * 0.95 * lid), look.eye)
        pupil = size * (0.42 if species == "cat" else 0.66)
        canvas.dot(centre, head.size(pupil, size * 0.86 * lid if species == "cat" else pupil), (14, 12, 14))
        shine = (centre[0] - head.radius * size * 0.35, centre[1] - head.radius * size * 0.35)
        canvas.dot(shine, head.size(size * 0.26, size * 0.26), (250, 250, 250))


def _wrinkles(canvas: Canvas, coats: Coats, head: Head) -> None:
    colour = coats.of("head").colour
    fold: Colour = (int(colour[0] * 0.68), int(colour[1] * 0.64), int(colour[2] * 0.62))
    for row in range(3):
        high = -0.72 + 0.14 * row
        path = [head.at(-0.34, high + 0.06), head.at(0, high - 0.04, 0.1), head.at(0.34, high + 0.06)]
        canvas.line(path, head.radius * 0.035, fold, 0.55)
