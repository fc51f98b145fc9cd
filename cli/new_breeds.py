"""``pedigree models add-breeds``: breeds come to a version's from a few photos of each."""

from collections.abc import Iterator

import click

from cli import completion
from cli.client import Client, Json
from cli.options import json_lines_option, with_client
from cli.saying import plain, say
from cli.tables import show_json, show_table
from cli.watch import command, queueing, watch


@click.command("add-breeds")
@click.argument("version", type=int, shell_complete=completion.versions)
@click.argument("dataset", shell_complete=completion.datasets)
@click.option("--name", help="A name for the new run, for people.")
@click.option("--follow", is_flag=True, help="Watch it to its end, and show what came of it.")
@json_lines_option
@with_client
def add_breeds(client: Client, *, version: int, dataset: str, name: str | None, follow: bool, as_json: bool) -> None:
    """Add the breeds of DATASET to those of VERSION, from a few photos of each: seconds, not a training.

    What VERSION knows stays as it is. The result is a version of its own that no alias points at.
    """
    with queueing():
        job = client.post(f"/models/{version}/breeds", {"dataset": dataset, "name": name})
    if not follow:
        shows = command("runs", "show", job["run"])
        show_json(job) if as_json else say(f"job {job['id']}: {job['state']}; {shows} tells what comes of it")
        return
    if not as_json:
        say(f"run {job['run']}, job {job['id']}")
    watch(client, job["id"], as_json=as_json)
    if not as_json:
        added = client.get(f"/runs/{job['run']}")["added"]
        for word, said in added_words(added):
            say(f"{word}: {said}")
        rows = [[plain(one["breed"]), one["photos"], one["wrong"]] for one in added["breeds"]]
        show_table(("new breed", "photos", "wrong when left out"), rows)
        say(f"{command('models', 'alias', 'production', added['version'])} has it answer")


def added_words(added: Json | None) -> Iterator[tuple[str, str]]:
    """What came of it, as pairs of a word and what is said."""
    if added is None:
        return
    yield "new version", str(added["version"])
    yield "new breeds", plain(added["sentence"])
    if added["refused"] is not None:
        yield "trust", f"{added['refused']:.1%} of the new photos are taken for unknown when they are left out"
