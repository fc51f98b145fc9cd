"""Drawing a whole pet in one of four poses, from back to front."""

from collections.abc import Callable

import numpy as np
from PIL import Image

from ml.breeds import Breed
from ml.sample.breeds import LOOKS
from ml.sample.canvas import Canvas, Point
from ml.sample.coat import Coats
from ml.sample.head import Head, draw_head

_HEAD = 0.165
_GROUND = 0.95


class _Sitter:
    """One pet about to be drawn."""

    def __init__(self, breed: Breed, rng: np.random.Generator) -> None:
        self.look = LOOKS[breed.name]
        self.rng = rng
        self.species = breed.species
        self.canvas = Canvas(rng, self.look.fluff)
        self.coats = Coats(self.look, rng)
        self.turn = float(rng.uniform(-0.8, 0.8))
        # Long-haired bodies are wider than their bones.
        self.girth = self.look.build * (1 + 0.18 * self.look.fluff)

    def head(self, centre: Point, scale: float = 1.0) -> None:
        x, y = centre[0] + self.rng.uniform(-0.015, 0.015), centre[1] + self.rng.uniform(-0.015, 0.015)
        head = Head((x, y), _HEAD * self.look.head * scale, self.turn)
        draw_head(self.canvas, self.look, self.species, self.coats, head)

    def leg(self, top: Point, foot: Point, light: float = 1.0) -> None:
        width = 0.075 * self.girth
        self.canvas.stroke([top, foot], (width * 1.25, width * 0.85), self.coats.of("legs"), light=light)
        paw = self.coats.of("paws" if self.coats.has("paws") else "legs")
        self.canvas.blob((foot[0], foot[1] - 0.005), (width * 0.68, width * 0.48), paw, light=light * 1.02)

    def tail(self, root: Point, side: int) -> None:
        coat = self.coats.of("tail")
        swing = self.rng.uniform(0.7, 1.2)
        x, y = root
        if self.look.tail == "docked":
            self.canvas.stroke([root, (x + side * 0.05, y - 0.04)], (0.045, 0.035), coat)
        elif self.look.tail == "curl":
            path = [root, (x + side * 0.07, y - 0.13 * swing), (x - side * 0.03, y - 0.17), (x - side * 0.06, y - 0.07)]
            self.canvas.stroke(path, (0.07 + 0.05 * self.look.fluff, 0.07 + 0.05 * self.look.fluff), coat)
        else:
            thick = (0.1, 0.12) if self.look.tail == "plume" else (0.045, 0.03)
            path = [
                root,
                (x + side * 0.09, y + 0.02),
                (x + side * 0.13 * swing, y - 0.12),
                (x + side * 0.1, y - 0.24 * swing),
            ]
            self.canvas.stroke(path, thick, coat)


def draw_pet(breed: Breed, rng: np.random.Generator) -> Image.Image:
    """A pet without a background: RGBA, square, its feet near the lower edge, looking left in three of four poses."""
    sitter = _Sitter(breed, rng)
    pose = _POSES[int(rng.integers(len(_POSES)))]
    pose(sitter)
    return sitter.canvas.picture()


def _sitting(pet: _Sitter) -> None:
    body, girth = pet.coats.of("body"), pet.girth
    lift = 0.05 * (pet.look.legs - 1)
    pet.tail((0.5 + 0.17 * girth, 0.85), 1)
    pet.canvas.blob((0.5, 0.7 - lift), (0.19 * girth, 0.25), body)
    if pet.coats.has("saddle"):
        pet.canvas.blob((0.5 + 0.1 * girth, 0.62), (0.1 * girth, 0.16), pet.coats.of("saddle"))
    for side in (-1, 1):
        pet.canvas.blob((0.5 + side * 0.145 * girth, 0.83), (0.085 * girth, 0.105), body, light=0.96)
        pet.leg((0.5 + side * 0.16 * girth, 0.9), (0.5 + side * 0.17 * girth, _GROUND - 0.01), 0.94)
    _chest(pet, (0.5, 0.63 - lift), (0.1 * girth, 0.14))
    for side in (-1, 1):
        pet.leg((0.5 + side * 0.065 * girth, 0.66), (0.5 + side * 0.065 * girth, _GROUND))
    pet.head((0.5, 0.37 - lift))


def _standing(pet: _Sitter) -> None:
    body, girth = pet.coats.of("body"), pet.girth
    high = _GROUND - 0.15 * girth - 0.2 * pet.look.legs
    pet.tail((0.81, high - 0.05), 1)
    for x in (0.42, 0.76):
        pet.leg((x + 0.04, high + 0.02), (x + 0.05, _GROUND - 0.02), 0.8)
    pet.canvas.stroke([(0.42, high), (0.3, high - 0.16)], (0.22 * girth, 0.17 * girth), body, light=0.97)
    pet.canvas.blob((0.58, high), (0.265, 0.135 * girth), body, tilt=pet.rng.uniform(-3, 3))
    if pet.coats.has("saddle"):
        pet.canvas.blob((0.6, high - 0.055 * girth), (0.19, 0.075 * girth), pet.coats.of("saddle"))
    _chest(pet, (0.36, high + 0.02), (0.06, 0.09 * girth))
    for x in (0.4, 0.75):
        shift = pet.rng.uniform(-0.03, 0.03)
        pet.leg((x, high + 0.02), (x + shift, _GROUND))
    pet.head((0.27, high - 0.25))


def _lying(pet: _Sitter) -> None:
    body, girth = pet.coats.of("body"), pet.girth
    pet.tail((0.86, 0.86), 1)
    pet.canvas.blob((0.6, 0.8), (0.29, 0.14 * girth), body)
    if pet.coats.has("saddle"):
        pet.canvas.blob((0.62, 0.75), (0.2, 0.08 * girth), pet.coats.of("saddle"))
    pet.canvas.blob((0.78, 0.84), (0.11, 0.105), body, light=0.97)
    pet.leg((0.74, 0.92), (0.66, _GROUND))
    _chest(pet, (0.36, 0.78), (0.08, 0.11 * girth))
    for shift in (0.0, 0.1):
        pet.leg((0.36 + shift, 0.87), (0.2 + shift, _GROUND - 0.012))
    pet.head((0.32, 0.58))


def _portrait(pet: _Sitter) -> None:
    girth = pet.girth
    pet.canvas.blob((0.5, 1.02), (0.34 * girth, 0.38), pet.coats.of("body"))
    _chest(pet, (0.5, 0.94), (0.16 * girth, 0.2))
    pet.head((0.5, 0.47), 1.6)


def _chest(pet: _Sitter, centre: Point, radii: Point) -> None:
    if pet.coats.has("chest"):
        pet.canvas.blob(centre, radii, pet.coats.of("chest"), rough=1.4)


_POSES: tuple[Callable[[_Sitter], None], ...] = (_sitting, _standing, _lying, _portrait)
