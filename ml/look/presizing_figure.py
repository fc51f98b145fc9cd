"""The figure of what presizing saves: both ways side by side, and below them the same detail magnified."""

import textwrap

import torch
from PIL import Image, ImageDraw

from ml.look.contact_sheet import (
    CAPTION_SIZE,
    GAP,
    MARGIN,
    WHITE,
    Heading,
    Paper,
    Tile,
    draw_sheet,
    fit,
    write,
)
from ml.look.labelled_batch import to_image
from ml.look.presizing import Comparison, busiest

SHOWN = 448
"""Side of every picture of the figure, in pixels: an input of 224 at twice its size."""
DETAIL = 56
LETTERS = 46
"""Of a line of the text beside the pictures."""
_LINE = 3


def draw_presizing(found: Comparison, *, title: str, drawn: bool, paper: Paper = WHITE) -> Image.Image:
    """The comparison as one RGB picture; the seen part is outlined in the source, the detail in both ways.

    Args:
        found: one picture, changed in both ways.
        title: what stands above.
        drawn: whether the picture is a drawing, which the figure then says.
        paper: what it is drawn on.
    """
    corner = busiest(found.once, DETAIL)
    tiles = [
        Tile((_outlined(found),), f"presized to {len(found.source)} pixels; outlined: what is shown"),
        Tile((_framed(found.once, corner),), "one interpolation for all changes"),
        Tile((_framed(found.stepwise, corner),), "step by step, an interpolation each"),
        Tile((_explained(found, paper),), ""),
        Tile((_magnified(found.once, corner),), _contrast_said(found.contrast_once, found.kept_once)),
        Tile((_magnified(found.stepwise, corner),), _contrast_said(found.contrast_stepwise, found.kept_stepwise)),
    ]
    heading = Heading(title, notes=(f"The same draws in both ways: {found.said}.",), drawn=drawn, paper=paper)
    return draw_sheet(heading, tiles, columns=3)


def _contrast_said(levels: float, kept: float) -> str:
    return f"magnified (whole picture: neighbours differ by {levels:.1f} levels, {_percent(kept)})"


def _percent(share: float) -> str:
    return f"{100 * share:.0f}\u00a0%"


def _outlined(found: Comparison) -> Image.Image:
    picture = to_image(found.source).resize((SHOWN, SHOWN), Image.Resampling.LANCZOS)
    corners = [(point.x * (SHOWN - 1), point.y * (SHOWN - 1)) for point in found.outline]
    pen = ImageDraw.Draw(picture)
    pen.polygon(corners, outline=WHITE.ground, width=_LINE + 2)
    pen.polygon(corners, outline=WHITE.mark, width=_LINE)
    return picture


def _framed(pixels: torch.Tensor, corner: tuple[int, int]) -> Image.Image:
    picture = to_image(pixels).resize((SHOWN, SHOWN), Image.Resampling.NEAREST)
    scale = SHOWN / len(pixels)
    top, left = (edge * scale for edge in corner)
    side = DETAIL * scale
    pen = ImageDraw.Draw(picture)
    pen.rectangle((left - 1, top - 1, left + side + 1, top + side + 1), outline=WHITE.ground, width=_LINE + 2)
    pen.rectangle((left, top, left + side, top + side), outline=WHITE.mark, width=_LINE)
    return picture


def _magnified(pixels: torch.Tensor, corner: tuple[int, int]) -> Image.Image:
    top, left = corner
    part = to_image(pixels[top : top + DETAIL, left : left + DETAIL])
    return part.resize((SHOWN, SHOWN), Image.Resampling.NEAREST)


def _left(found: Comparison) -> list[str]:
    """What both ways have of an antialiased resample's contrast; what the single one has above it is no detail."""
    said = (
        "Contrast of neighbouring pixels, beside an antialiased resample (100\u00a0%): "
        f"step by step {_percent(found.kept_stepwise)}, one interpolation {_percent(found.kept_once)}"
    )
    said += "; above 100\u00a0% it is aliasing." if found.kept_once > 1 else "."
    return textwrap.wrap(said, LETTERS)


def _explained(found: Comparison, paper: Paper) -> Image.Image:
    """A tile of text beside the magnified detail."""
    size = len(found.once)
    lines = [
        ("One interpolation", paper.ink),
        (f"From {len(found.source)} to {size} pixels by one map that holds", paper.quiet),
        ("all changes: every pixel is computed once,", paper.quiet),
        ("from the large square.", paper.quiet),
        ("", paper.ink),
        ("Step by step", paper.ink),
        (f"{', '.join(found.steps)}: {len(found.steps)} interpolations", paper.quiet),
        (f"at {size} pixels, each from the one before.", paper.quiet),
        ("", paper.ink),
        *((line, paper.ink) for line in _left(found)),
        ("What a step turns out of the frame is lost to the", paper.ink),
        ("next, which sees the mirrored border there.", paper.ink),
    ]
    tile = Image.new("RGB", (SHOWN, SHOWN), paper.ground)
    pen, y = ImageDraw.Draw(tile), MARGIN
    for text, ink in lines:
        write(pen, (0, y), fit(text, CAPTION_SIZE + 3, SHOWN - GAP), CAPTION_SIZE + 3, ink)
        y += 28
    return tile
