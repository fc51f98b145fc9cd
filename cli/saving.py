"""Pictures that a command leaves on this machine: PNG under a name that says so, whole or not at all."""

from pathlib import Path

import click

from cli.errors import CommandError
from cli.saying import say
from cli.whole import write_whole

SUFFIX = ".png"


class PngPath(click.Path):
    """A file to write a PNG to; a name that promises another format is refused before anything is asked for."""

    def __init__(self) -> None:
        super().__init__(path_type=Path, dir_okay=False)

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """The path.

        Raises:
            click.BadParameter: its suffix is another than .png, or it is a folder.
        """
        path = Path(str(value))
        if path.suffix.lower() != SUFFIX:
            self.fail(f"{value} does not end in {SUFFIX}, and a PNG is written; write {path.stem}{SUFFIX}.", param, ctx)
        super().convert(str(value), param, ctx)
        return path


def save(content: bytes, out: Path, *, err: bool = False) -> None:
    """Write a file in place of one that is there, which stays until the new one is whole; says how large it is.

    With ``err`` that is said on standard error, where the output is a script's.

    Raises:
        CommandError: it cannot be written.
    """
    try:
        # A link stays one: what it leads to is replaced.
        write_whole(out.resolve(), content)
    except OSError as error:
        raise CommandError(f"{out} cannot be written: {error.strerror}.") from error
    say(f"{out}: {len(content) // 1024} KiB", err=err)
