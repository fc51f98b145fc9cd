"""``pedigree datasets``."""

from pathlib import Path
from time import monotonic

import click

from cli.client import Client, Json
from cli.errors import CommandError
from cli.options import json_option, with_client
from cli.tables import on_terminal, show_json, show_pairs, show_table
from cli.upload import send_archive
from cli.watch import watch

BUILTIN = ("sample", "oxford-iiit-pet")
MIB = 1024 * 1024


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
    rows = [[one["name"], one["items"], one["breeds"], _kind(one), one["revision"][:12]] for one in found]
    show_table(("name", "pictures", "breeds", "kind", "revision"), rows)


@datasets.command()
@click.argument("name")
@json_option
@with_client
def show(client: Client, name: str, as_json: bool) -> None:
    """Show a dataset: counts, sizes, and what was left out and why."""
    found = client.get(f"/datasets/{name}")
    if as_json:
        show_json(found)
        return
    rule = found["label_rule"]
    label = "the folder's name" if rule.get("kind") == "folder" else f"regex {rule.get('regex')}"
    show_pairs(
        [
            ("name", found["name"]),
            ("pictures", f"{found['items']}, {_kind(found)}"),
            ("breeds", len(found["vocab"])),
            ("label", label),
            ("revision", found["revision"]),
        ]
    )
    _show_exclusions(found["summary"].get("exclusions") or {})
    per_breed = found["summary"].get("per_breed") or {}
    show_table(("breed", "pictures"), list(per_breed.items()))


@datasets.command()
@click.argument("name")
@click.argument("source", required=False, type=click.Path(path_type=Path, exists=True))
@click.option("--regex", help="On the file name, with one group: the label  [default: (.+)_\\d+.jpg$]")
@click.option("--by-folder", is_flag=True, help="The label is the name of the picture's folder.")
@click.option("--no-wait", is_flag=True, help="Return as soon as the service has the pictures.")
@json_option
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
    if not no_wait and not as_json:
        watch(client, job["id"])
        added = client.get(f"/datasets/{name}")
        click.echo(f"{name}: {added['items']} pictures of {len(added['vocab'])} breeds, {_kind(added)}")
    elif as_json:
        show_json(job)
    else:
        click.echo(f"job {job['id']} brings it in; `pedigree jobs watch {job['id']}` shows it")


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
    """Send a folder or an archive, showing how far it has come; returns the import job."""
    fields = {"name": name} | ({"regex": regex} if regex else {}) | ({"by_folder": "true"} if by_folder else {})
    show = _Sending()
    job = send_archive(client, source, fields, show)
    show.end()
    return job


class _Sending:
    """How far an upload has come: one line, redrawn on a terminal, now and then elsewhere."""

    def __init__(self) -> None:
        self.said_at = monotonic()

    def __call__(self, sent: int, size: int) -> None:
        if monotonic() - self.said_at < (0.1 if on_terminal() else 5.0):
            return
        self.said_at = monotonic()
        text = f"sending {sent / MIB:.0f} of {size / MIB:.0f} MiB"
        click.echo(f"\r{text}   " if on_terminal() else text, nl=not on_terminal(), err=True)

    def end(self) -> None:
        if on_terminal():
            click.echo("\r\033[K", nl=False, err=True)


def _kind(dataset: Json) -> str:
    return "drawn, no photographs" if dataset["drawn"] else "photographs"


def _show_exclusions(exclusions: Json) -> None:
    rows = [
        [code, found.get("count"), _example(found)] for code, found in exclusions.items() if isinstance(found, dict)
    ]
    if rows:
        show_table(("left out", "files", "for example"), rows)


def _example(found: Json) -> str:
    examples = found.get("examples") or [""]
    first = examples[0]
    return str(first.get("path", first) if isinstance(first, dict) else first)
