"""``pedigree datasets``."""

from collections.abc import Mapping
from pathlib import Path

import click

from cli import completion
from cli.client import Client, Json, path_part
from cli.dataset_looks import batch, presizing, summary
from cli.dataset_report import kind_of, revision_of, show_dataset
from cli.deletion import delete_dataset
from cli.errors import CommandError
from cli.lazy import Group
from cli.options import json_lines_option, json_option, with_client
from cli.pasted import PastedPath
from cli.predictions import learn_from_feedback
from cli.saying import say
from cli.tables import show_json, show_table
from cli.times import local_time
from cli.upload import Purpose, send_shown
from cli.watch import command, queueing, watch
from pedigree.packing import links_left_out

Asked = str | bool | Path | None
"""What an option of ``add`` holds."""
BUILTIN = ("sample", "oxford-iiit-pet")
TO_ADD = Purpose("the service looks at it", "nothing was added", "import", "brings the photos in")
NO_DATASETS = "There are no datasets yet; `pedigree datasets add NAME FOLDER` adds photos, `… add sample` draws some."


@click.group(cls=Group)
def datasets() -> None:
    """Bring photos in and look at them."""


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
            revision_of(one),
            local_time(one["created_at"]),
        ]
        for one in found
    ]
    show_table(("name", "items", "breeds", "kind", "revision", "added"), rows, empty=NO_DATASETS)


@datasets.command()
@click.argument("name", shell_complete=completion.datasets)
@click.option(
    "--valid-pct", type=float, help="Share of the validation side, for duplicates across the split  [default: 0.2]"
)
@click.option("--split-seed", type=click.IntRange(0), help="Seed of that split  [default: 42]")
@json_option
@with_client
def show(client: Client, name: str, valid_pct: float | None, split_seed: int | None, as_json: bool) -> None:
    """Show a dataset: counts, sizes, what was left out and why, and images that are there twice."""
    found = client.get(f"/datasets/{path_part(name)}", valid_pct=valid_pct, split_seed=split_seed)
    if as_json:
        show_json(found)
        return
    show_dataset(found)


for one in (batch, presizing, summary, learn_from_feedback, delete_dataset):
    datasets.add_command(one)


@datasets.command()
@click.argument("name", shell_complete=completion.new_datasets)
@click.argument("source", required=False, type=PastedPath())
@click.option(
    "--label-from",
    metavar="WHERE",
    help="Where the label is: name or path (read by --regex), folder, folder:N (the N-th of the path; -2: above "
    "the image's own), csv (labels.csv among the images) or csv:PATH.  [default: name]",
)
@click.option(
    "--regex",
    help="On the file's name, or on its path with --label-from path; its group is the label; RE2's syntax.  "
    "[default: ^(.+)_\\d+\\.[A-Za-z0-9]+$]",
)
@click.option("--by-folder", is_flag=True, help="The same as --label-from folder.")
@click.option(
    "--labels",
    type=PastedPath(dir_okay=False),
    help="A list of labels: filename,label or filename,label,split in each line.",
)
@click.option("--merge-labels", is_flag=True, help="Make labels one that differ only in case, spaces, - or _.")
@click.option("--encoding", help="Of names in an archive that do not say theirs, and of --labels, such as cp932.")
@click.option("--no-wait", is_flag=True, help="Return as soon as the service has the photos.")
@json_lines_option
@with_client
def add(client: Client, /, name: str, source: Path | None, no_wait: bool, as_json: bool, **asked: Asked) -> None:
    """Add photos from SOURCE, a folder or an archive (zip, tar).

    Without SOURCE, NAME is `sample` (drawn by the service itself) or `oxford-iiit-pet` (downloaded by the service).
    """
    labels = asked.pop("labels")
    _check_choice(asked, labels)
    if source is None:
        job = add_builtin(client, name)
    else:
        job = add_source(client, name, source, labels if isinstance(labels, Path) else None, **_fields(asked))
    if no_wait:
        show_json(job) if as_json else say(
            f"job {job['id']} brings it in; {command('jobs', 'watch', job['id'])} shows it"
        )
        return
    watch(client, job["id"], as_json=as_json)
    if not as_json:
        added = client.get(f"/datasets/{path_part(name)}")
        say(f"{name}: {added['items']} items of {len(added['vocab'])} breeds, {kind_of(added)}")


def _check_choice(asked: Mapping[str, Asked], labels: Asked) -> None:
    """Tell by the options' own names what excludes each other, before anything is sent."""
    regex, label_from = asked["regex"], asked["label_from"]
    if asked["by_folder"] and (regex or label_from not in {None, "folder"} or labels):
        other = "--regex" if regex else "--label-from" if label_from else "--labels"
        raise CommandError(f"{other} and --by-folder exclude each other.")
    if labels and (regex or label_from not in {None, "csv"}):
        raise CommandError(f"--labels and {'--regex' if regex else '--label-from'} exclude each other.")


def _fields(asked: Mapping[str, Asked]) -> dict[str, str]:
    """The fields of the form, without those that were not given."""
    return {name: "true" if value is True else str(value) for name, value in asked.items() if value}


def add_builtin(client: Client, name: str) -> Json:
    """Ask for a dataset that the service knows; returns the import job.

    Raises:
        CommandError: it knows none of that name.
    """
    if name not in BUILTIN:
        raise CommandError(f"{name!r} needs a folder or an archive; only {' and '.join(BUILTIN)} come without one.")
    with queueing():
        job: Json = client.post("/datasets/builtin", {"name": name, "builtin": name})
    return job


def add_source(client: Client, name: str, source: Path, labels: Path | None = None, **fields: str) -> Json:
    """Send a folder or an archive, showing how far it has come; returns the import job.

    Args:
        client: the service.
        name: the dataset's.
        source: the folder or archive.
        labels: a file with a list of labels.
        fields: the form's other fields.

    Raises:
        Interrupted: the user broke it off.
        CommandError: the source cannot be read or the service refuses.
    """
    job = send_shown(client, source, {"name": name, **fields}, TO_ADD, labels=labels)
    if source.is_dir() and (links := links_left_out(source)):
        what = f"left out, since they lead to folders or to nothing: {len(links)} of the links, {links[0]} for one"
        say(f"{what}; a copy made with `cp -rL` has the files instead", err=True)
    return job
