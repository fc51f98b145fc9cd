"""``pedigree up``."""

import shlex
from pathlib import Path

import click

from cli.data_folder import DataFolder
from cli.errors import StopSignal
from cli.options import data_option
from cli.ports import DEFAULT_HOST
from cli.readiness import is_open, unready_parts
from cli.saying import tell
from cli.stack import running_stack


@click.command()
@data_option
@click.option(
    "--host",
    default=DEFAULT_HOST,
    show_default=True,
    help="Address to listen on. One that other machines reach needs a key first: `pedigree keys create`.",
)
@click.option("--port", type=click.IntRange(0, 65535), help="Port [8000, or the next free one].")
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Processes that train; one for imports comes besides.",
)
def up(data: Path | None, host: str, port: int | None, workers: int) -> None:
    """Start the whole service on this machine; Ctrl-C stops it."""
    folder = DataFolder.at(data)
    try:
        with running_stack(folder, tell, port=port, workers=workers, host=host) as stack:
            tell(f"\nPedigree answers at {stack.url}\nIts data is in {folder.root}; Ctrl-C stops it.")
            if is_open(stack.url):
                tell("No key is asked for on this machine; `pedigree keys create NAME --scope admin` changes that.")
            for name, state in unready_parts(stack.url).items():
                tell(f"! {name}: {state}")
            stack.keep_up()
            tell("stopping…")
    except StopSignal:
        tell("stopped before it was up")
        return
    tell(f"stopped; `pedigree up --data {shlex.quote(str(folder.root))}` finds everything as it was")
