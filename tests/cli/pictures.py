"""Small pictures for what the command sends."""

from pathlib import Path

from PIL import Image

BREEDS = ("Abyssinian", "beagle", "pug")


def draw_pictures(folder: Path, *, each: int, side: int = 40) -> Path:
    """A folder of JPEGs in the naming of the pet photos; a breed is a colour."""
    folder.mkdir(parents=True)
    for place, breed in enumerate(BREEDS):
        for number in range(each):
            colour = [30 + number * 3 % 60] * 3
            colour[place] = 220 - number % 20
            Image.new("RGB", (side + number % 7, side), tuple(colour)).save(folder / f"{breed}_{number + 1}.jpg")
    return folder
