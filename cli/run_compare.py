"""``pedigree runs compare``."""

import json

import click

from cli import completion
from cli.client import Client, Json
from cli.options import json_option, with_client
from cli.run_list import error_of
from cli.run_report import dataset_of
from cli.saying import say
from cli.tables import heading, short_time, show_json, show_table


@click.command("compare")
@click.argument("run_numbers", metavar="RUN RUN...", nargs=-1, required=True, type=int, shell_complete=completion.runs)
@click.option("--all", "every", is_flag=True, help="Show the settings that are the same, too.")
@json_option
@with_client
def compare_runs(client: Client, run_numbers: tuple[int, ...], every: bool, as_json: bool) -> None:
    """Show runs beside each other: which is better beyond chance, and which settings differ.

    Two runs that were validated on the same photos are held against each other photo by photo, by McNemar's exact test.
    """
    found = client.get("/runs/compare", runs=",".join(map(str, run_numbers)))
    if as_json:
        show_json(found)
        return
    show_table(("run", "name", "arch", "dataset", "state", "error rate", "took"), [_row(run) for run in found["runs"]])
    heading("which is better")
    for pair in found["pairs"]:
        _show_pair(pair)
    if found["caution"]:
        say(found["caution"])
    _show_settings(found, every=every)


def _row(run: Json) -> list[object]:
    took = None if run["seconds"] is None else short_time(run["seconds"])
    return [run["id"], run["name"] or "", run["arch"], dataset_of(run), run["state"], error_of(run), took]


def _show_pair(pair: Json) -> None:
    first, second = pair["runs"]
    outcomes = pair["outcomes"]
    if outcomes is None:
        why = [f"{one['field']} {one['first']} and {one['second']}" for one in pair["differences"]]
        say(f"Runs {first} and {second}: {pair['note']}{' (' + ', '.join(why) + ')' if why else ''}.")
        return
    say(outcomes["sentence"])
    counts = f"{outcomes['both_right']} of {outcomes['n']} photos both got right, {outcomes['both_wrong']} neither"
    say(f"  {counts}{'; ' + pair['note'] if pair['note'] else ''}")


def _show_settings(found: Json, *, every: bool) -> None:
    rows = [row for row in found["settings"] if every or row["differs"]]
    heading("settings" if every else "settings that differ")
    names = ["field", *(f"run {run['id']}" for run in found["runs"]), *(["differs"] if every else [])]
    cells = [
        [row["field"], *map(_text, row["values"]), *(["yes" if row["differs"] else ""] if every else [])]
        for row in rows
    ]
    show_table(names, cells, empty="None: all their settings are the same.")


def _text(value: object) -> str | None:
    return value if isinstance(value, str) or value is None else json.dumps(value)
