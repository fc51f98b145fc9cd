"""Paths as people paste them: with quotes, as ``file://``, with spaces around, with ``~``, escaped as for a shell."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

import click

QUOTES = ("'", '"', "“”", "‘’")


class PastedPath(click.Path):
    """A file or folder that is there, however its name was pasted; a name that is there as it stands is taken."""

    def __init__(self, *, dir_okay: bool = True) -> None:
        super().__init__(path_type=Path, exists=True, dir_okay=dir_okay)

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """The path.

        Raises:
            click.BadParameter: nothing of that name is there.
        """
        text = str(value)
        meant = next((one for one in meanings(text) if Path(one).exists()), text)
        super().convert(meant, param, ctx)
        return Path(meant)


def meanings(text: str) -> list[str]:
    """What a pasted name may mean, the name as it stands first."""
    bare = _unquoted(text.strip())
    if bare.lower().startswith("file://"):
        bare = unquote(urlsplit(bare).path)
    opened = _at_home(bare)
    return list(dict.fromkeys([text, bare, opened, opened.replace("\\ ", " ")]))


def _unquoted(text: str) -> str:
    for quotes in QUOTES:
        if len(text) > 1 and text[0] == quotes[0] and text[-1] == quotes[-1]:
            return text[1:-1].strip()
    return text


def _at_home(text: str) -> str:
    try:
        return str(Path(text).expanduser())
    except RuntimeError:  # of nobody whom the system knows
        return text
