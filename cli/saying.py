"""What the command prints for people: whatever a name or a file holds, it does nothing to their terminal."""

import re
import sys
import unicodedata
from textwrap import wrap

import click

from cli.live_line import columns

_QUOTED, _HELD = re.compile("`[^`]*`"), "\ue000"
"""A command to be typed; what holds its place for a space is of no script."""


def say(text: str = "", *, err: bool = False) -> None:
    """Print lines; a control character is written as its escape."""
    click.echo(harmless(text), err=err)


def tell(text: str = "", *, err: bool = False) -> None:
    """Print sentences: on a terminal broken between words, with what stands in back quotes whole where it fits."""
    stream = sys.stderr if err else sys.stdout
    clean = harmless(text)
    click.echo(broken(clean, columns(stream)) if stream.isatty() else clean, err=err)


def broken(text: str, width: int) -> str:
    """Lines of at most ``width`` signs, but for words that are longer."""
    held = _QUOTED.sub(lambda found: found[0].replace(" ", _HELD) if len(found[0]) < width else found[0], text)
    parts = (wrap(line, width, break_long_words=False, break_on_hyphens=False) or [""] for line in held.split("\n"))
    return "\n".join(part for lines in parts for part in lines).replace(_HELD, " ")


def harmless(text: str) -> str:
    """A text of lines of which each is ``plain``."""
    return "\n".join(map(plain, text.split("\n")))


def plain(text: str) -> str:
    """A text on one line that does nothing to a terminal: what cannot be printed is written as its escape."""
    return "".join(sign if _can_be_printed(sign) else sign.encode("unicode_escape").decode() for sign in text)


def plain_json(text: str) -> str:
    """JSON that does nothing to a terminal either, and is the same JSON."""
    return "".join(sign if sign == "\n" or _can_be_printed(sign) else _escaped(sign) for sign in text)


def _can_be_printed(sign: str) -> bool:
    return sign.isprintable() or unicodedata.category(sign) == "Zs"


def _escaped(sign: str) -> str:
    """As JSON writes a character: those beyond 16 bits as two."""
    units = sign.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))
