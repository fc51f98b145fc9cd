"""How far files on their way are: one line, redrawn on a terminal, now and then elsewhere."""

from time import monotonic

import click

from cli.tables import on_terminal

MIB = 1024 * 1024


class Transfer:
    """Called with bytes done and bytes in all; ``verb`` says which way they go."""

    def __init__(self, verb: str) -> None:
        self.verb = verb
        self.said_at = monotonic()

    def __call__(self, done: int, size: int) -> None:
        """Say it, unless it has just been said."""
        if monotonic() - self.said_at < (0.1 if on_terminal() else 5.0):
            return
        self.said_at = monotonic()
        text = f"{self.verb} {done / MIB:.0f} of {size / MIB:.0f} MiB"
        click.echo(f"\r{text}   " if on_terminal() else text, nl=not on_terminal(), err=True)

    def end(self) -> None:
        """Take the line away."""
        if on_terminal():
            click.echo("\r\033[K", nl=False, err=True)
