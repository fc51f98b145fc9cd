"""A group that imports a command when it is run: for the drivers of the stack's servers no other command waits."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, NamedTuple

import click

from cli.manual import with_manual
from ml.late import Late

WHOLE = 1000
"""Signs of a help in short: more than any has."""


class Place(NamedTuple):
    """Where a command is, under its own name, and its help in short, which a list of commands shows."""

    module: str
    short_help: str


class _Suggesting(click.Group):
    """A group that knows what a mistyped command may have meant."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is named.

        Raises:
            click.UsageError: there is none; those whose names are near are told.
        """
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            near = get_close_matches(args[0], self.list_commands(ctx), n=2)
            if not near:
                raise
            raise click.UsageError(f"{error.message} Did you mean {' or '.join(near)}?", ctx) from None


class Group(_Suggesting):
    """A group whose list of commands says of each all of its first sentence."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        found = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl([(name, one.get_short_help_str(WHOLE)) for name, one in found if one is not None])


class LazyGroup(_Suggesting):
    """As in click's own documentation, but for the list of commands, which imports none."""

    def __init__(self, *args: Any, places: Mapping[str, Place], **kwargs: Any) -> None:  # noqa: ANN401 - click's own
        super().__init__(*args, **kwargs)
        self.places = places

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*self.places, *super().list_commands(ctx)})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command; its module is imported."""
        if cmd_name not in self.places:
            return super().get_command(ctx, cmd_name)
        command: Late[click.Command] = Late(self.places[cmd_name].module, cmd_name)
        return with_manual(command.get(), cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, place.short_help) for name, place in sorted(self.places.items())])
