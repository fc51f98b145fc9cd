"""``pedigree runs tag``, ``note`` and ``rename``: what people write on a run."""

import click

from cli import completion
from cli.client import Client, Json, json_of
from cli.errors import CommandError
from cli.options import json_option, with_client
from cli.saying import plain, say
from cli.tables import show_json
from pedigree.tags import as_kept

run_argument = click.argument("run", type=int, shell_complete=completion.runs)


@click.command("tag")
@run_argument
@click.argument("tags", nargs=-1)
@click.option("--remove", "removed", multiple=True, metavar="TAG", help="Take this tag away; may be given again.")
@json_option
@with_client
def tag_run(client: Client, run: int, tags: tuple[str, ...], removed: tuple[str, ...], as_json: bool) -> None:
    """Give a run tags, or take some away; without any, show those that it has.

    A tag is kept in small letters, with dashes for gaps: `pedigree runs list --tag good` finds it.
    """
    found = client.get(f"/runs/{run}")
    if tags or removed:
        gone = {as_kept(tag) for tag in removed}
        if missing := sorted(gone - set(found["tags"])):
            has = ", ".join(found["tags"]) or "none"
            raise CommandError(f"Run {run} has no tag {plain(missing[0])!r}.", f"Its tags are: {has}.")
        kept = [tag for tag in found["tags"] if tag not in gone]
        found = _change(client, run, {"tags": [*kept, *tags]})
    _show(found, f"run {run} has {'the tags ' + ', '.join(found['tags']) if found['tags'] else 'no tags'}", as_json)


@click.command("note")
@run_argument
@click.argument("text", required=False)
@click.option("--remove", is_flag=True, help="Take the note away.")
@json_option
@with_client
def note_run(client: Client, run: int, text: str | None, remove: bool, as_json: bool) -> None:
    """Write a note on a run, in place of an earlier one; without a text, show it."""
    if remove and text is not None:
        raise CommandError("A note is written or removed, not both.", "Leave --remove or the text out.")
    is_change = remove or text is not None
    found = _change(client, run, {"note": text}) if is_change else client.get(f"/runs/{run}")
    _show(found, found["note"] if found["note"] is not None else f"run {run} has no note", as_json)


@click.command("rename")
@run_argument
@click.argument("name", required=False)
@click.option("--remove", is_flag=True, help="Take the name away.")
@json_option
@with_client
def rename_run(client: Client, run: int, name: str | None, remove: bool, as_json: bool) -> None:
    """Give a run a name, in place of an earlier one."""
    if remove is (name is not None):
        raise CommandError("A run is given a name or loses it.", "Give a name, or --remove.")
    found = _change(client, run, {"name": name})
    _show(found, f"run {run} is called {found['name']}" if found["name"] else f"run {run} has no name", as_json)


def _change(client: Client, run: int, parts: Json) -> Json:
    changed: Json = json_of(client.call("PATCH", f"/runs/{run}", json=parts))
    return changed


def _show(found: Json, said: str, as_json: bool) -> None:
    if as_json:
        show_json(found)
    else:
        say(said)
