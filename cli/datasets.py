"""``pedigree datasets``."""

from pathlib import Path

import click

from cli import completion
from cli.client import Client, Json, path_part
from cli.dataset_looks import batch, presizing, summary
from cli.dataset_report import kind_of, show_dataset
from cli.errors import CommandError, Interrupted
from cli.options import json_lines_option, json_option, with_client
from cli.saying import say
from cli.tables import show_json, show_table
from cli.times import local_time
from cli.transfer import Transfer
from cli.upload import links_left_out, send_archive
from cli.watch import command, watch

BUILTIN = ("sample", "oxford-iiit-pet")
NO_DATASETS = "There are no datasets yet; `pedigree datasets add NAME FOLDER` adds pictures, `… add sample` draws some."


@click.group()
def datasets() -> None:
    """Bring pictures in and look at them."""


@datasets.command("list")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@json_option
@with_client
def list_datasets(client: Client, limit: int, as_json: bool) -> None:
    """List the datasets."""
    found = client.items("/datasets", limit=limit)
    if as_json:
        show_json(found)
        return
    rows = [
        [
            one["name"],
            one["items"],
            one["breeds"],
            kind_of(one),
            one["revision"][:12],
            local_time(one["created_at"]),
        ]
        for one in found
    ]
    show_table(("name", "pictures", "breeds", "kind", "revision", "added"), rows, empty=NO_DATASETS)


@datasets.command()
@click.argument("name", shell_complete=completion.datasets)
@click.option(
    "--valid-pct", type=float, help="Share of the validation side, for duplicates across the split  [default: 0.2]"
)
@click.option("--split-seed", type=click.IntRange(0), help="Seed of that split  [default: 42]")
@json_option
@with_client
def show(client: Client, name: str, valid_pct: float | None, split_seed: int | None, as_json: bool) -> None:
    """Show a dataset: counts, sizes, what was left out and why, and pictures that are there twice."""
    found = client.get(f"/datasets/{path_part(name)}", valid_pct=valid_pct, split_seed=split_seed)
    if as_json:
        show_json(found)
        return
    show_dataset(found)


for look in (batch, presizing, summary):
    datasets.add_command(look)


@datasets.command()
@click.argument("name")
@click.argument("source", required=False, type=click.Path(path_type=Path, exists=True))
@click.option("--regex", help="On the file name, with one group: the label  [default: (.+)_\\d+.jpg$]")
@click.option("--by-folder", is_flag=True, help="The label is the name of the picture's folder.")
@click.option("--no-wait", is_flag=True, help="Return as soon as the service has the pictures.")
@json_lines_option
@with_client
def add(
    client: Client, name: str, source: Path | None, regex: str | None, by_folder: bool, no_wait: bool, as_json: bool
) -> None:
    """Add pictures from SOURCE, a folder or an archive (zip, tar).

    Without SOURCE, NAME is `sample` (drawn by the service itself) or `oxford-iiit-pet` (downloaded by the service).
    """
    if regex and by_folder:
        raise CommandError("--regex and --by-folder exclude each other.")
    job = add_builtin(client, name) if source is None else add_source(client, name, source, regex, by_folder=by_folder)
    if no_wait:
        show_json(job) if as_json else say(
            f"job {job['id']} brings it in; {command('jobs', 'watch', job['id'])} shows it"
        )
        return
    watch(client, job["id"], as_json=as_json)
    if not as_json:
        added = client.get(f"/datasets/{path_part(name)}")
        say(f"{name}: {added['items']} pictures of {len(added['vocab'])} breeds, {kind_of(added)}")


def add_builtin(client: Client, name: str) -> Json:
    """Ask for a dataset that the service knows; returns the import job.

    Raises:
        CommandError: it knows none of that name.
    """
    if name not in BUILTIN:
        raise CommandError(f"{name!r} needs a folder or an archive; only {' and '.join(BUILTIN)} come without one.")
    job: Json = client.post("/datasets", {"name": name, "builtin": name})
    return job


def add_source(client: Client, name: str, source: Path, regex: str | None = None, *, by_folder: bool = False) -> Json:
    """Send a folder or an archive, showing how far it has come; returns the import job.

    Raises:
        Interrupted: the user broke it off.
        CommandError: the source cannot be read or the service refuses.
    """
    fields = {"name": name} | ({"regex": regex} if regex else {}) | ({"by_folder": "true"} if by_folder else {})
    with Transfer("sending", then="the service looks at it") as show:
        try:
            job = send_archive(client, source, fields, show)
        except KeyboardInterrupt:
            raise Interrupted(_broken_off(show)) from None
    if source.is_dir() and (links := links_left_out(source)):
        what = f"left out, since they lead to folders or to nothing: {len(links)} of the links, {links[0]} for one"
        say(f"{what}; a copy made with `cp -rL` has the files instead", err=True)
    return job


def _broken_off(sending: Transfer) -> str:
    """What the service has of an upload that the user broke off."""
    if sending.is_done:
        jobs = command("jobs", "list", "--kind", "import")
        return f"Broken off before the service had answered; {jobs} shows whether it brings the pictures in."
    return "Broken off while sending; nothing was added. The same command starts again from the beginning."
