"""What makes up a drawn pet's look: coat, markings, ears, head, build and tail."""

from dataclasses import dataclass, field
from typing import Literal

Colour = tuple[int, int, int]
Pattern = Literal["solid", "ticked", "tabby", "brindle", "spots", "rosettes", "patches", "flecks"]
Ear = Literal["prick", "tufted", "bat", "small", "folded", "drop", "long"]
Tail = Literal["thin", "plume", "curl", "docked"]
Part = Literal[
    "head", "body", "ears", "legs", "paws", "tail", "mask", "muzzle", "blaze", "chest", "brows", "cheeks", "saddle"
]


@dataclass(frozen=True, kw_only=True)
class Look:
    """Colours are RGB; the other figures are proportions around 1, or amounts from 0 to 1.

    ``marked`` names the parts that show the pattern in the colour ``second``; ``parts`` gives parts another colour
    than ``base`` and adds the markings that are only drawn where they are named (mask, blaze, chest, brows…).
    """

    base: Colour
    second: Colour = (60, 46, 38)
    pattern: Pattern = "solid"
    amount: float = 0.4
    marked: tuple[Part, ...] = ("body", "head", "legs", "tail")
    parts: dict[Part, Colour] = field(default_factory=dict)
    ear: Ear = "prick"
    ear_size: float = 1.0
    eye: Colour = (70, 46, 26)
    eye_size: float = 1.0
    head: float = 1.0
    muzzle: float = 0.5
    fluff: float = 0.1
    build: float = 1.0
    legs: float = 1.0
    tail: Tail = "thin"
    size: float = 1.0
    mane: bool = False
    beard: bool = False
    wrinkles: bool = False
