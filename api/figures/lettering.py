"""How wide a text is and where it breaks, for both renderers: on the server Plotly cannot measure."""

from collections.abc import Sequence

from api.figures.chart import FACTS

LETTERS = {
    0.3: "'IJijl",
    0.35: " \u00a0,./:;|·",
    0.4: "()-[]ft",
    0.45: "!r",
    0.55: '?_csz“”"*',
    0.6: "FLkvxy",
    0.7: "ABCKRVXZ",
    0.8: "&DGHNOQU",
    0.9: "#+<=>wM",
    1.0: "%@Wm…—",
}
"""By their width in DejaVu Sans, rounded up, in units of its size; the fonts of most browsers are narrower."""
WIDTHS = {letter: width for width, letters in LETTERS.items() for letter in letters}
PLAIN, WIDE = 0.65, 1.05
ALPHABETS_TO = "\u2000"
"""From here on a letter may be as wide as it is high."""
BOLD = 1.14


def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """Pixels that a text of one line needs, rather too many than too few."""
    ems = sum(WIDTHS.get(letter, PLAIN if letter < ALPHABETS_TO else WIDE) for letter in text)
    return ems * size * (BOLD if bold else 1.0)


def wrapped(text: str, size: float, room: float, *, bold: bool = False) -> list[str]:
    """The text in lines of at most ``room`` pixels, broken between words, and within those that are longer."""
    lines = [""]
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}" if lines[-1] else word
        if text_width(longer, size, bold=bold) <= room:
            lines[-1] = longer
        else:
            pieces = _pieces(word, size, room, bold=bold)
            lines[-1:] = [*filter(None, lines[-1:]), *pieces]
    return [line for line in lines if line]


def wrapped_facts(facts: Sequence[str], size: float, room: float, *, bold: bool = False) -> list[str]:
    """Facts side by side in lines of at most ``room`` pixels, broken between facts where that is possible."""
    lines: list[str] = []
    for fact in facts:
        longer = FACTS.join([*lines[-1:], fact])
        if text_width(longer, size, bold=bold) <= room:
            lines[-1:] = [longer]
        else:
            lines += wrapped(fact, size, room, bold=bold)
    return lines


def _pieces(word: str, size: float, room: float, *, bold: bool) -> list[str]:
    pieces = [""]
    for letter in word:
        if pieces[-1] and text_width(pieces[-1] + letter, size, bold=bold) > room:
            pieces.append("")
        pieces[-1] += letter
    return pieces
