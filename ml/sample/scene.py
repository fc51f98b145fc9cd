"""Backgrounds, light and lens of the drawn dataset: the same pet never stands in the same picture."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

from ml.sample.canvas import Floats, noise

Colour = tuple[int, int, int]
_SIZES = ((320, 260), (320, 240), (300, 300), (260, 330), (350, 250), (330, 280))


def draw_background(rng: np.random.Generator) -> Image.Image:
    """A place for a pet: RGB, about 320 x 260 pixels, of varying shape."""
    width, height = _SIZES[int(rng.integers(len(_SIZES)))]
    size = (width + int(rng.integers(-12, 13)), height + int(rng.integers(-12, 13)))
    scene = _SCENES[int(rng.integers(len(_SCENES)))](rng, size)
    return scene.filter(ImageFilter.BoxBlur(float(rng.uniform(0.3, 3.0))))


def place_pet(scene: Image.Image, pet: Image.Image, size: float, rng: np.random.Generator) -> None:
    """Put a pet somewhere into a scene: mirrored or not, turned a little, at a size around ``size`` (1 is usual)."""
    if _happens(rng, 0.5):
        pet = pet.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    side = int(min(scene.size) * np.clip(size * rng.uniform(0.66, 1.12), 0.5, 1.2))
    pet = pet.resize((side, side), Image.Resampling.BILINEAR, reducing_gap=2.0)
    pet = pet.rotate(float(rng.normal(0, 6)), Image.Resampling.BILINEAR)
    spare_x, spare_y = scene.width - side, scene.height - side
    left = int(spare_x * rng.uniform(0.1, 0.9))
    top = int(spare_y * rng.uniform(0.55, 1.05)) if spare_y > 0 else int(spare_y * rng.uniform(0.3, 0.7))
    _shadow(scene, left, top + int(side * 0.93), side)
    scene.paste(pet, (left, top), pet)


def take_photo(scene: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Light and lens: exposure, colour cast, vignette, soft focus and grain."""
    if _happens(rng, 0.35):
        scene = scene.filter(ImageFilter.BoxBlur(float(rng.uniform(0.3, 0.9))))
    width, height = scene.size
    y, x = np.linspace(-1, 1, height, dtype=np.float32)[:, None], np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    lamp = rng.uniform(-0.16, 0.16, 2)
    light = rng.uniform(0.78, 1.15) + lamp[0] * x + lamp[1] * y - rng.uniform(0, 0.14) * (x * x + y * y)
    cast = (light[..., None] * rng.uniform(0.91, 1.09, 3)).astype(np.float32)
    grain = rng.integers(-128, 128, (height, width, 1), np.int8) * np.float32(rng.uniform(0.01, 0.08))
    return Image.fromarray((np.asarray(scene) * cast + grain).clip(0, 255).astype(np.uint8))


def _shadow(scene: Image.Image, left: int, ground: int, side: int) -> None:
    shade = Image.new("L", (side, max(8, side // 5)))
    box = (side * 0.1, shade.height * 0.25, side * 0.9, shade.height * 0.75)
    ImageDraw.Draw(shade).ellipse(box, fill=90)
    scene.paste((20, 18, 16), (left, ground - shade.height // 2), shade.filter(ImageFilter.BoxBlur(6)))


def _meadow(rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    horizon = rng.uniform(0.25, 0.6)
    sky, haze = _near(rng, (146, 190, 230)), _near(rng, (214, 228, 236))
    scene = _gradient(size, sky, haze, 0, horizon)
    pen = ImageDraw.Draw(scene)
    width, height = size
    for _ in range(int(rng.integers(2, 8))):
        x, r = rng.uniform(-0.1, 1.1) * width, rng.uniform(0.08, 0.22) * height
        pen.ellipse((x - r, horizon * height - r * 1.3, x + r, horizon * height + r), fill=_near(rng, (74, 112, 62)))
    return _ground(scene, rng, horizon, (104, 146, 66), (70, 34))


def _sand(rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    horizon = rng.uniform(0.2, 0.5)
    scene = _gradient(size, _near(rng, (150, 196, 226)), _near(rng, (90, 150, 176)), 0, horizon)
    return _ground(scene, rng, horizon, (222, 200, 156), (64, 30))


def _snow(rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    horizon = rng.uniform(0.2, 0.5)
    scene = _gradient(size, _near(rng, (168, 178, 192)), _near(rng, (206, 212, 220)), 0, horizon)
    pen = ImageDraw.Draw(scene)
    for _ in range(int(rng.integers(3, 9))):
        x, tall = rng.uniform(0, 1) * size[0], rng.uniform(0.12, 0.3) * size[1]
        foot = horizon * size[1]
        pen.polygon([(x, foot - tall), (x - tall / 3, foot), (x + tall / 3, foot)], fill=_near(rng, (62, 86, 78)))
    return _ground(scene, rng, horizon, (226, 230, 238), (40, 16))


def _room(rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    floor = rng.uniform(0.5, 0.8)
    wall = _any(rng, 120, 226)
    scene = _gradient(size, wall, _scaled(wall, 0.86), 0, floor)
    pen = ImageDraw.Draw(scene)
    width, height = size
    x, w = rng.uniform(-0.2, 0.5) * width, rng.uniform(0.5, 0.9) * width
    seat, back = _any(rng, 50, 190), floor * height - rng.uniform(0.15, 0.35) * height
    pen.rounded_rectangle((x, back, x + w, height * 0.86), 14, fill=seat)
    pen.rounded_rectangle((x - 12, back + 30, x + 18, height * 0.9), 9, fill=_scaled(seat, 0.85))
    pen.rounded_rectangle((x + 18, back + 45, x + w, height * 0.86), 9, fill=_scaled(seat, 1.1))
    if _happens(rng, 0.6):
        left, top = rng.uniform(0, 0.7) * width, rng.uniform(0.02, 0.15) * height
        pen.rectangle((left, top, left + 64, top + 48), fill=_any(rng, 40, 240), outline=_any(rng, 30, 110), width=4)
    return _ground(scene, rng, floor, _any(rng, 90, 190), (4, 40), depth=0.12)


def _tiles(rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    colour = _any(rng, 130, 225)
    scene = Image.new("RGB", size, colour)
    pen = ImageDraw.Draw(scene)
    step, other = int(rng.integers(28, 60)), _scaled(colour, rng.uniform(0.72, 0.95))
    for row in range(0, size[1], step):
        for column in range((row // step) % 2 * step, size[0], 2 * step):
            pen.rectangle((column, row, column + step - 2, row + step - 2), fill=other)
    return scene


def _blanket(rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    scene = Image.new("RGB", size, _any(rng, 70, 220))
    pen = ImageDraw.Draw(scene, "RGBA")
    slope, gap = rng.uniform(-0.6, 0.6) * size[1], int(rng.integers(16, 50))
    bands = [(*_any(rng, 60, 230), 150) for _ in range(3)]
    for number, x in enumerate(range(-size[1], size[0] + size[1], gap)):
        pen.line((x, 0, x + slope, size[1]), fill=bands[number % 3], width=int(gap * rng.uniform(0.2, 0.6)))
    return scene


def _studio(rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    colour = _any(rng, 40, 220)
    scene = _gradient(size, _scaled(colour, 1.15), _scaled(colour, 0.7), 0, 1)
    field = noise(rng, (3, 3), size)[..., None]
    return Image.fromarray((np.asarray(scene) * (0.85 + 0.3 * field)).clip(0, 255).astype(np.uint8))


def _clutter(rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    scene = _room(rng, size)
    pen = ImageDraw.Draw(scene)
    for _ in range(int(rng.integers(6, 16))):
        x, y, r = rng.uniform(0, size[0]), rng.uniform(0, size[1]), rng.uniform(8, 34)
        box = (x - r, y - r * rng.uniform(0.4, 1), x + r, y + r * rng.uniform(0.4, 1))
        (pen.ellipse if _happens(rng, 0.5) else pen.rectangle)(box, fill=_any(rng, 30, 235))
    return scene


_SCENES: tuple[Callable[[np.random.Generator, tuple[int, int]], Image.Image], ...] = (
    _meadow,
    _sand,
    _snow,
    _room,
    _tiles,
    _blanket,
    _studio,
    _clutter,
)


def _ground(
    scene: Image.Image,
    rng: np.random.Generator,
    start: float,
    colour: Colour,
    cells: tuple[int, int],
    depth: float = 0.35,
) -> Image.Image:
    """Cover what lies below the horizon with a floor whose texture is drawn from noise."""
    top = int(start * scene.height)
    field: Floats = noise(rng, cells, (scene.width, scene.height - top)) - 0.5
    fade = np.linspace(0.8, 1.1, scene.height - top, dtype=np.float32)[:, None]
    floor = np.array(_near(rng, colour), np.float32) * (fade + depth * field)[..., None]
    scene.paste(Image.fromarray(floor.clip(0, 255).astype(np.uint8)), (0, top))
    return scene


def _gradient(size: tuple[int, int], top: Colour, bottom: Colour, start: float, end: float) -> Image.Image:
    share = np.clip((np.linspace(0, 1, size[1]) - start) / max(end - start, 1e-6), 0, 1)[:, None]
    column = (np.array(top) * (1 - share) + np.array(bottom) * share).astype(np.uint8)
    return Image.fromarray(np.ascontiguousarray(np.broadcast_to(column[:, None, :], (size[1], size[0], 3))))


def _happens(rng: np.random.Generator, probability: float) -> bool:
    return bool(rng.random() < probability)


def _near(rng: np.random.Generator, colour: Colour) -> Colour:
    return _colour(np.array(colour) * rng.uniform(0.85, 1.12) + rng.uniform(-14, 14, 3))


def _any(rng: np.random.Generator, low: int, high: int) -> Colour:
    # Rooms and cloth are rarely gaudy: each channel stays near a common grey.
    return _colour(rng.uniform(low, high) + rng.uniform(-45, 45, 3))


def _scaled(colour: Colour, factor: float) -> Colour:
    return _colour(np.array(colour) * factor)


def _colour(values: npt.NDArray[np.float64]) -> Colour:
    red, green, blue = values.clip(0, 255).astype(int).tolist()
    return red, green, blue
