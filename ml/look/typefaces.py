"""Which font has a letter, and what is written of letters that no font has.

DejaVu Sans comes with Matplotlib: Latin, Greek, Cyrillic, Arabic and more. For the others the machine's own fonts are
looked through, once, when the first such letter comes.
"""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from ml.late import Late

if TYPE_CHECKING:
    from matplotlib.font_manager import FontManager
    from matplotlib.ft2font import FT2Font

_BLANKS = frozenset({"Zs", "Zl", "Zp", "Cc"})
_WITHOUT_SHAPE = frozenset({"Cf"})
"""Joiners, marks of direction and the like: what they do to their neighbours is not drawn here."""
_VARIANTS = range(0xFE00, 0xFE10)
_PLACEHOLDERS = ("lastresort", "last resort", "adobe blank", "adobenotdef", "emoji")
"""Families that have every letter as a box or as nothing, or as small coloured pictures."""


@dataclass(frozen=True)
class Typeface:
    """A font of this machine."""

    path: str
    family: str


def shown(text: str) -> str:
    """The text as it can be drawn on one line: each letter that no font has as ``U+4E2D``, controls as blanks."""
    pieces: list[str] = []
    for letter in map(_plain, unicodedata.normalize("NFC", text)):
        is_escaped = letter.strip() != "" and face_of(letter) is None
        if is_escaped and pieces and pieces[-1].startswith("U+"):
            pieces.append(" ")
        pieces.append(f"U+{ord(letter):04X}" if is_escaped else letter)
    return "".join(pieces)


def runs(text: str) -> Iterator[tuple[Typeface, str]]:
    """A text of which ``shown`` has made what can be drawn, in pieces of one font each."""
    for face, letters in groupby(text, lambda letter: face_of(letter) or dejavu()):
        yield face, "".join(letters)


def face_of(letter: str) -> Typeface | None:
    """A font that has the letter, DejaVu Sans before all others; None where none has it."""
    if ord(letter) in _letters_of_dejavu():
        return dejavu()
    return _of_this_machine().get(ord(letter))


# Matplotlib takes half a second, and reads at its import where it may keep its list of fonts.
_FONTS: "Late[FontManager]" = Late("matplotlib.font_manager", "fontManager")
_FONT: "Late[type[FT2Font]]" = Late("matplotlib.ft2font", "FT2Font")


@lru_cache(maxsize=1)
def dejavu() -> Typeface:
    """The font that comes with Matplotlib, and so is the same everywhere."""
    return Typeface(str(_fonts_of_matplotlib() / "DejaVuSans.ttf"), "DejaVu Sans")


def _plain(letter: str) -> str:
    kind = unicodedata.category(letter)
    if kind in _BLANKS:
        return " "
    return "" if kind in _WITHOUT_SHAPE or ord(letter) in _VARIANTS else letter


def _fonts_of_matplotlib() -> Path:
    found = find_spec("matplotlib")
    if found is None or found.origin is None:
        message = "matplotlib is not installed"
        raise ModuleNotFoundError(message)
    return Path(found.origin).parent / "mpl-data" / "fonts" / "ttf"


@lru_cache(maxsize=1)
def _letters_of_dejavu() -> frozenset[int]:
    """Those that it has in bold, too: titles are bold."""
    plain, bold = (_letters(str(_fonts_of_matplotlib() / name)) for name in ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf"))
    return plain & bold


@lru_cache(maxsize=1)
def _of_this_machine() -> dict[int, Typeface]:
    """From each letter that a font of the machine has to the first such font: upright ones of usual weight first."""
    entries = [one for one in _FONTS.get().ttflist if not any(word in one.name.lower() for word in _PLACEHOLDERS)]
    order = sorted(entries, key=lambda one: (one.style != "normal", _heaviness(one.weight), one.name, one.fname))
    found: dict[int, Typeface] = {}
    for one in order:
        face = Typeface(one.fname, one.name)
        for code in _letters(one.fname):
            found.setdefault(code, face)
    return found


def _heaviness(weight: int | str) -> int:
    """How far from the usual weight."""
    return abs(int(weight) - 400) if str(weight).isdigit() else 0


def _letters(path: str) -> frozenset[int]:
    """The letters of a font that can be drawn at every size; none where it cannot be opened."""
    try:
        font = _FONT.get()(path)
    except (OSError, RuntimeError):
        return frozenset()
    return frozenset(font.get_charmap()) if font.scalable else frozenset()
