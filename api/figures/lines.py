"""The texts of a figure in lines that fit, and the room that they take: neither library breaks lines by itself."""

import math
import textwrap
import threading
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

from PIL import ImageFont

from api.figures.chart import Chart, Rule
from ml.look.typefaces import dejavu

TITLE_SIZE, SUBTITLE_SIZE, TEXT_SIZE, LABEL_SIZE = 17, 13, 12, 11
LINE = 1.35
"""Height of a line, in units of its letters' size."""
BOLD = 1.14
"""How much wider a bold text is at most."""


def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """Pixels that one line needs in DejaVu Sans; the fonts of most browsers are narrower."""
    # DejaVu has no letters as wide as they are high: its W is as wide as those.
    known = "".join("W" if unicodedata.east_asian_width(letter) in "WF" else letter for letter in text)
    return _font(threading.get_ident()).getlength(known) * size / TEXT_SIZE * (BOLD if bold else 1.0)


def wrapped(text: str, size: float, room: float, *, bold: bool = False) -> list[str]:
    """The text in lines of at most ``room`` pixels, broken between words, and within those that are longer."""
    # No line begins with a sign that belongs to the word before it.
    text = text.replace(" %", "\u00a0%").replace(" ·", "\u00a0·")
    letters = max(1, len(text))
    lines = [text] if text else []
    while letters > 1 and any(text_width(line, size, bold=bold) > room for line in lines):
        widest = max(text_width(line, size, bold=bold) for line in lines)
        letters = max(1, min(letters - 1, math.ceil(max(map(len, lines)) * room / widest)))
        lines = textwrap.wrap(text, letters, break_on_hyphens=False)
    return lines


def height_of(lines: Sequence[str], size: float) -> float:
    """Pixels that so many lines need."""
    return LINE * size * len(lines)


def rule_labels(chart: Chart, room: float) -> list[tuple[Rule, str]]:
    """Of each rule's labels the first that fits before the next rule, on axes of ``room`` pixels."""
    places = [room * chart.x.share(rule.x) for rule in chart.rules]
    if len(places) <= 1:
        return [(rule, rule.labels[0]) for rule in chart.rules]
    labels = []
    for rule, start, end in zip(chart.rules, places, [*places[1:], room], strict=True):
        fitting = [text for text in rule.labels if text_width(text, TEXT_SIZE) <= end - start]
        labels += [(rule, text) for text in fitting[:1]]
    return labels


@lru_cache(maxsize=64)
def _font(_thread: int) -> ImageFont.FreeTypeFont:
    """For one thread: FreeType's fonts are not made for several."""
    return ImageFont.truetype(dejavu().path, TEXT_SIZE)
