"""Pictures in rows with a line of text below each: the paper that the figures of this room are drawn on.

Imports no torch. All sizes are in pixels.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from PIL import Image, ImageDraw, ImageFont

from ml.look.typefaces import runs, shown

Colour = tuple[int, int, int]
MARGIN = 16
GAP = 12
CAPTION_SIZE = 15
TITLE_SIZE = 20
NOTE_SIZE = 14

_CUT = "…"
_PILLOWS = frozenset([*map(chr, range(32, 127)), *"…·±°"])
"""Letters of the font that comes with Pillow; a text with any other is written in DejaVu Sans."""
_WIDEST_HEADING = 900


@dataclass(frozen=True)
class Paper:
    """What is drawn on, and with: red, green and blue."""

    ground: Colour
    ink: Colour
    quiet: Colour
    mark: Colour


WHITE = Paper(ground=(255, 255, 255), ink=(24, 24, 27), quiet=(95, 95, 105), mark=(190, 24, 60))
BLACK = Paper(ground=(29, 32, 36), ink=(232, 230, 227), quiet=(160, 167, 175), mark=(255, 138, 128))
"""The page's dark colours: a white sheet would glare between them."""
Scheme = Literal["light", "dark"]
PAPERS: dict[Scheme, Paper] = {"light": WHITE, "dark": BLACK}


@dataclass(frozen=True)
class Tile:
    """Pictures one below the other, all of one width, and the text below them."""

    pictures: tuple[Image.Image, ...]
    caption: str


@dataclass(frozen=True)
class Heading:
    """What stands above: a title, quiet lines below it, and where the pictures are drawn, a line that says so."""

    title: str
    notes: tuple[str, ...] = ()
    drawn: bool = False
    paper: Paper = WHITE
    """Of the whole sheet."""


def draw_sheet(heading: Heading, tiles: Sequence[Tile], columns: int) -> Image.Image:
    """All tiles, row by row, as one RGB picture."""
    columns = min(columns, len(tiles))
    width = max(_width(tile) for tile in tiles)
    rows = [tiles[first : first + columns] for first in range(0, len(tiles), columns)]
    heights = [max(_height(tile) for tile in row) for row in rows]
    inner = max(columns * (width + GAP) - GAP, _heading_width(heading))
    top = MARGIN + _heading_height(heading)
    sheet = Image.new(
        "RGB", (inner + 2 * MARGIN, top + sum(heights) + GAP * (len(rows) - 1) + MARGIN), heading.paper.ground
    )
    draw_heading(sheet, heading)
    for row, height in zip(rows, heights, strict=True):
        for column, tile in enumerate(row):
            _draw_tile(sheet, tile, (MARGIN + column * (width + GAP), top), heading.paper.ink)
        top += height + GAP
    return sheet


def draw_heading(sheet: Image.Image, heading: Heading) -> None:
    """Write the heading at the sheet's top left."""
    pen, y = ImageDraw.Draw(sheet), MARGIN
    for text, size, ink in _heading_lines(heading):
        write(pen, (MARGIN, y), fit(text, size, sheet.width - 2 * MARGIN), size, ink)
        y += _line_height(size)


def fit(text: str, size: int, width: int) -> str:
    """A text on one line of at most ``width`` pixels, its end cut off where it is longer."""
    line = shown(text)
    if length(line, size) <= width:
        return line
    keep = len(line)
    while keep and length(line[:keep] + _CUT, size) > width:
        keep -= 1
    return line[:keep].rstrip() + _CUT


def write(pen: ImageDraw.ImageDraw, corner: tuple[float, int], line: str, size: int, ink: Colour) -> None:
    """Write what ``fit`` has made of a text, from its top left."""
    x, y = corner
    base = y + _pillows(size, threading.get_ident()).getmetrics()[0]
    for face, piece in _pieces(line, size):
        pen.text((x, base), piece, fill=ink, font=face, anchor="ls")
        x += face.getlength(piece)


def length(line: str, size: int) -> float:
    """Pixels that ``write`` needs for it."""
    return sum(face.getlength(piece) for face, piece in _pieces(line, size))


def _pieces(line: str, size: int) -> list[tuple[ImageFont.FreeTypeFont, str]]:
    """The line in pieces of one font each."""
    thread = threading.get_ident()
    if _PILLOWS.issuperset(line):
        return [(_pillows(size, thread), line)]
    return [(_opened(face.path, size, thread), piece) for face, piece in runs(line)]


@lru_cache(maxsize=64)
def _opened(path: str, size: int, _thread: int) -> ImageFont.FreeTypeFont:
    """A font, for one thread: FreeType's fonts are not made for several."""
    return ImageFont.truetype(path, size)


@lru_cache(maxsize=64)
def _pillows(size: int, _thread: int) -> ImageFont.FreeTypeFont:
    """The font that comes with Pillow: the same on every machine."""
    found = ImageFont.load_default(size)
    if not isinstance(found, ImageFont.FreeTypeFont):
        message = "Pillow was built without FreeType"
        raise TypeError(message)
    return found


def _draw_tile(sheet: Image.Image, tile: Tile, corner: tuple[int, int], ink: Colour) -> None:
    left, top = corner
    for picture in tile.pictures:
        sheet.paste(picture, (left, top))
        top += picture.height + 2
    caption = fit(tile.caption, CAPTION_SIZE, _width(tile))
    start = left + (_width(tile) - length(caption, CAPTION_SIZE)) / 2
    write(ImageDraw.Draw(sheet), (start, top + 3), caption, CAPTION_SIZE, ink)


def _width(tile: Tile) -> int:
    return max(picture.width for picture in tile.pictures)


def _height(tile: Tile) -> int:
    return sum(picture.height + 2 for picture in tile.pictures) + _line_height(CAPTION_SIZE)


def _heading_lines(heading: Heading) -> list[tuple[str, int, Colour]]:
    paper = heading.paper
    lines = [(heading.title, TITLE_SIZE, paper.ink), *((note, NOTE_SIZE, paper.quiet) for note in heading.notes)]
    if heading.drawn:
        lines.append(("These pictures are drawn by the project; they are not photographs.", NOTE_SIZE, paper.mark))
    return lines


def _heading_height(heading: Heading) -> int:
    return sum(_line_height(size) for _, size, _ in _heading_lines(heading)) + GAP


def _heading_width(heading: Heading) -> int:
    """Wide enough for what stands above, so that a sheet of one picture can still be read; long names are cut."""
    widest = max(length(fit(text, size, _WIDEST_HEADING), size) for text, size, _ in _heading_lines(heading))
    return int(widest) + 1


def _line_height(size: int) -> int:
    return round(size * 1.5)
