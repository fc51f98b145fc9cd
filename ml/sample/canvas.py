"""A sheet that soft, shaded, furry shapes are painted on."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

SIDE = 300
"""Side of the sheet in pixels; a pet is drawn larger than it will be and scaled down, which smooths its edges."""

Floats = npt.NDArray[np.float32]
Point = tuple[float, float]


@dataclass(frozen=True)
class Coat:
    """How a part is coloured: RGB ``colour``, and ``marks`` (alpha of ``second`` on the sheet), if patterned."""

    colour: tuple[int, int, int]
    second: tuple[int, int, int] = (0, 0, 0)
    marks: Floats | None = None


class Canvas:
    """Colour and coverage, painted part by part from back to front. Coordinates are fractions of the side."""

    def __init__(self, rng: np.random.Generator, fluff: float) -> None:
        self.rng = rng
        self.fluff = fluff
        self._colour: Floats = np.zeros((SIDE, SIDE, 3), np.float32)
        self._cover: Floats = np.zeros((SIDE, SIDE), np.float32)
        self._fur = 1 + (0.05 + 0.07 * fluff) * _streaks(rng)

    def blob(
        self, centre: Point, radii: Point, coat: Coat, *, tilt: float = 0.0, rough: float = 1.0, light: float = 1.0
    ) -> None:
        """An ellipse, its edge as furry as the pet. ``tilt`` in degrees; ``rough`` 0 makes it smooth."""
        count = 72
        angles = np.linspace(0, 2 * np.pi, count, endpoint=False)
        spikes = self.rng.uniform(-0.3, 1.0, count) * 0.09 * self.fluff * rough
        x = radii[0] * np.cos(angles) * (1 + spikes)
        y = radii[1] * np.sin(angles) * (1 + spikes)
        turn = np.radians(tilt)
        points = np.stack(
            [centre[0] + x * np.cos(turn) - y * np.sin(turn), centre[1] + x * np.sin(turn) + y * np.cos(turn)], axis=1
        )
        self._paint(points, coat, light)

    def shape(self, points: list[Point], coat: Coat, *, light: float = 1.0) -> None:
        """A closed smooth curve through corner points."""
        self._paint(_rounded(np.array(points)), coat, light)

    def stroke(self, points: list[Point], width: Point, coat: Coat, *, light: float = 1.0) -> None:
        """A limb or tail along a smooth line, its width running from the first to the second value."""
        path = _curve(np.array(points), 14)
        widths = np.linspace(width[0], width[1], len(path))
        furry = 1 + self.rng.uniform(-0.2, 0.8, len(path)) * 0.35 * self.fluff
        along = np.gradient(path, axis=0)
        across = np.stack([-along[:, 1], along[:, 0]], axis=1) / (np.linalg.norm(along, axis=1, keepdims=True) + 1e-9)
        reach = (across.T * widths * furry / 2).T
        self._paint(np.concatenate([path + reach, (path - reach)[::-1]]), coat, light)
        for end, size in ((path[0], width[0]), (path[-1], width[1])):
            self.blob((end[0], end[1]), (size / 2, size / 2), coat, rough=0.5, light=light)

    def dot(self, centre: Point, radii: Point, colour: tuple[int, int, int], strength: float = 1.0) -> None:
        """A small plain ellipse without fur or shading."""
        self._paint(_ellipse(centre, radii), np.array(colour, np.float32), strength)

    def line(self, points: list[Point], width: float, colour: tuple[int, int, int], strength: float = 1.0) -> None:
        path = _curve(np.array(points), 8)
        along = np.gradient(path, axis=0)
        across = np.stack([-along[:, 1], along[:, 0]], axis=1) / (np.linalg.norm(along, axis=1, keepdims=True) + 1e-9)
        outline = np.concatenate([path + across * width / 2, (path - across * width / 2)[::-1]])
        self._paint(outline, np.array(colour, np.float32), strength)

    def picture(self) -> Image.Image:
        """What was painted, RGBA of SIDE x SIDE."""
        pixels = np.empty((SIDE, SIDE, 4), np.uint8)
        np.clip(self._colour, 0, 255, out=self._colour)
        pixels[..., :3] = self._colour
        pixels[..., 3] = self._cover * 255
        return Image.fromarray(pixels)

    def _paint(self, points: npt.NDArray[np.float64], paint: Coat | Floats, amount: float) -> None:
        """Paint a polygon: with a coat ``amount`` is its light, with a plain colour its opacity."""
        found = _mask(points)
        if found is None:
            return
        mask, rows, columns = found
        if isinstance(paint, Coat):
            colour = self._shaded(paint, rows, columns) * amount
        else:
            colour, mask = np.broadcast_to(paint, (*mask.shape, 3)), mask * amount
        cover = mask[..., None]
        self._colour[rows, columns] += (colour - self._colour[rows, columns]) * cover
        self._cover[rows, columns] = np.maximum(self._cover[rows, columns], mask)

    def _shaded(self, coat: Coat, rows: slice, columns: slice) -> Floats:
        height, width = rows.stop - rows.start, columns.stop - columns.start
        colour = np.broadcast_to(np.array(coat.colour, np.float32), (height, width, 3))
        if coat.marks is not None:
            marks = coat.marks[rows, columns, None]
            colour = colour * (1 - marks) + np.array(coat.second, np.float32) * marks
        y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
        x = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
        # Light falls from the upper left; the edges turn away from it.
        shade = 1.06 - 0.12 * y - 0.05 * x - 0.10 * (x * x + y * y)
        shaded: Floats = colour * (shade * self._fur[rows, columns])[..., None]
        return shaded


def noise(rng: np.random.Generator, cells: Point, size: tuple[int, int] = (SIDE, SIDE)) -> Floats:
    """Smooth noise from 0 to 1 with a number of cells across and down, float32 [height, width] for (width, height)."""
    grid = rng.random((max(2, round(cells[1])), max(2, round(cells[0]))), np.float32)
    image = Image.fromarray(grid).resize(size, Image.Resampling.BICUBIC)
    return np.asarray(image)


def _streaks(rng: np.random.Generator) -> Floats:
    return noise(rng, (150, 50)) + noise(rng, (60, 24)) - 1


def _ellipse(centre: Point, radii: Point) -> npt.NDArray[np.float64]:
    angles = np.linspace(0, 2 * np.pi, 28, endpoint=False)
    return np.stack([centre[0] + radii[0] * np.cos(angles), centre[1] + radii[1] * np.sin(angles)], axis=1)


def _rounded(points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Chaikin's corner cutting, three times."""
    for _ in range(3):
        following = np.roll(points, -1, axis=0)
        points = np.stack([0.75 * points + 0.25 * following, 0.25 * points + 0.75 * following], axis=1).reshape(-1, 2)
    return points


def _curve(points: npt.NDArray[np.float64], per_piece: int) -> npt.NDArray[np.float64]:
    """A line through all points, evenly sampled, its corners softened."""
    at = np.linspace(0, len(points) - 1, per_piece * (len(points) - 1) + 1)
    path = np.stack([np.interp(at, np.arange(len(points)), points[:, axis]) for axis in (0, 1)], axis=1)
    for _ in range(per_piece // 2):
        path[1:-1] = (path[:-2] + 2 * path[1:-1] + path[2:]) / 4
    return path


def _mask(points: npt.NDArray[np.float64]) -> tuple[Floats, slice, slice] | None:
    corners = points * SIDE
    low = np.floor(corners.min(axis=0)).astype(int).clip(0, SIDE)
    high = (np.ceil(corners.max(axis=0)).astype(int) + 1).clip(0, SIDE)
    if (high - low).min() < 1:
        return None
    width, height = (high - low).tolist()
    image = Image.new("L", (width, height))
    ImageDraw.Draw(image).polygon((corners - low).round().astype(int).reshape(-1).tolist(), fill=255)
    mask: Floats = np.asarray(image, np.float32) / np.float32(255)
    return mask, slice(int(low[1]), int(high[1])), slice(int(low[0]), int(high[0]))
