"""Options that several commands share, and the client they lead to."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

import click

from cli.client import Client, find_service
from cli.data_folder import DataFolder

P = ParamSpec("P")
R = TypeVar("R")

data_option = click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    help="Data folder [PEDIGREE_DATA, else ./.pedigree where it exists, else ~/.local/share/pedigree].",
)
json_option = click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print the service's whole answer as JSON, for scripts; it has more than the table.",
)


def with_client(command: Callable[Concatenate[Client, P], R]) -> Callable[..., R]:
    """Give a command ``--url`` and ``--data``, and as its first argument a client of the service they lead to."""

    @data_option
    @click.option("--url", help="Address of the service [PEDIGREE_URL, else the stack running on the data folder].")
    @wraps(command)
    def wrapped(url: str | None, data: Path | None, *args: P.args, **kwargs: P.kwargs) -> R:
        with find_service(url, DataFolder.at(data)) as client:
            return command(client, *args, **kwargs)

    return wrapped
