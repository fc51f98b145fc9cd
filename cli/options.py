"""Options that several commands share, and the client they lead to."""

import sys
from collections.abc import Callable
from functools import wraps
from inspect import signature
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

import click

from cli.client import Client, find_service
from cli.running import StackChoice
from cli.saying import say
from ml.architectures import check_arch
from ml.errors import UnknownArch
from store.states import State


def known_architecture(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """The option's value; where nothing of that name can be trained, the nearest names are told."""
    try:
        if value is not None:
            check_arch(value)
    except UnknownArch as error:
        raise click.BadParameter(f"{value!r} is not an architecture. {error.hint}", ctx, param) from None
    return value


def number_or_word(_ctx: click.Context, _param: click.Parameter, value: str | None) -> int | str | None:
    """The option's value; the service knows which words it takes."""
    return int(value) if value is not None and value.isdecimal() else value


STATE = click.Choice([state.value for state in State])
KIND = click.Choice(["train", "lr_find", "interpret", "forecast", "predict", "import", "search"])

P = ParamSpec("P")
R = TypeVar("R")

data_option = click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    help="Data folder [PEDIGREE_DATA, else ./.pedigree where it exists, else ~/.local/share/pedigree].",
)
URL_HELP = "Address of the service [the stack on --data, else PEDIGREE_URL, else the stack that runs]."
json_option = click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print the service's whole answer as JSON, for scripts; it has more than the table.",
)

json_lines_option = click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print the service's whole answer as JSON; while a job is followed one event a line, and the job last.",
)


def asked_first(check: Callable[..., None]) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Above ``with_client``: have ``check`` look at the options by their names before a service is looked for."""

    def decorated(command: Callable[P, R]) -> Callable[P, R]:
        names = signature(check).parameters

        @wraps(command)
        def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
            check(**{name: kwargs[name] for name in names})
            return command(*args, **kwargs)

        return wrapped

    return decorated


def with_client(command: Callable[Concatenate[Client, P], R]) -> Callable[..., R]:
    """Give a command ``--url`` and ``--data``, and as its first argument a client of the service they lead to."""

    @data_option
    @click.option("--url", help=URL_HELP)
    @wraps(command)
    def wrapped(url: str | None, data: Path | None, *args: P.args, **kwargs: P.kwargs) -> R:
        with find_service(url, data) as client:
            if client.found is not None and not kwargs.get("as_json"):
                say_which(client.url, client.found)
            return command(client, *args, **kwargs)

    return wrapped


def say_which(url: str, found: StackChoice) -> None:
    """Tell a person which service it is, where no folder told it; a reader of our output is not disturbed."""
    if found.among and sys.stderr.isatty():
        chosen = "" if found.among == 1 else f", started last of the {found.among} that run"
        say(f"service: {url} (data in {found.folder.root}{chosen})", err=True)
