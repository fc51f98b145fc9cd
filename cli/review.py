"""``pedigree review``: labels that may be wrong, and what to do about them."""

import csv
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

import click

from cli import completion
from cli.client import Client, Json, path_part
from cli.dataset_report import revision_of
from cli.errors import CommandError
from cli.lazy import Group
from cli.options import json_lines_option, json_option, with_client
from cli.saying import say
from cli.tables import counted, show_json, show_table
from cli.watch import command, queueing, watch
from store.spreadsheets import cell, text_of_cell

SOURCES = ("doubtful", "top_losses", "unsure", "unknown", "feedback")
ACTIONS = ("relabel", "drop", "keep")
COLUMNS = ("item", "action", "new_label", "path", "label", "suggested", "probability", "score", "revision")
MOST = 10_000
NOTHING = "No photo is in this list that nobody has decided about."


class NamedOrListed(Group):
    """A group whose first word is one of its commands, or a dataset's name, which lists that dataset's queue."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the command in front of a name."""
        is_name = bool(args) and args[0] not in self.commands and args[0] not in ctx.help_option_names
        return super().parse_args(ctx, ["list", *args] if is_name else args)


@click.group(cls=NamedOrListed)
def review() -> None:
    """Look at labels that may be wrong, and correct them.

    `pedigree review NAME` lists them (the same as `pedigree review list NAME`).

    `pedigree review NAME --csv > changes.csv` writes the list for an editor or a spreadsheet: put relabel, drop or
    keep into the column action, and the breed into new_label where it is relabel (left empty it is the suggested one).
    `pedigree review apply NAME changes.csv` then makes the next revision.
    """


@review.command("list")
@click.argument("name", shell_complete=completion.datasets)
@click.option("--source", type=click.Choice(SOURCES), default="doubtful", show_default=True, help="Which photos.")
@click.option("--run", type=click.IntRange(1), help="Whose predictions.  [default: NAME's best training]")
@click.option("--limit", type=click.IntRange(1, MOST), default=50, show_default=True)
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV with a column for what to do, as `apply` takes it.")
@json_option
@with_client
def list_review(
    client: Client, name: str, source: str, run: int | None, limit: int, as_csv: bool, as_json: bool
) -> None:
    """List NAME's photos whose label is worth a look, the ones most worth it first."""
    found = _queue(client, name, source, run, limit)
    if as_json:
        show_json(found)
        return
    if as_csv:
        _write_csv(found)
        return
    if found["run"] is not None:
        _say_what(found)
    rows = [
        [one["item"], one["path"] or "", one["label"] or "", *_suggested(one["suggested"]), one["score"]]
        for one in found["items"]
    ]
    show_table(("item", "path", "label", "may be", "probability", "score"), rows, empty=NOTHING)


@review.command("apply")
@click.argument("name", shell_complete=completion.datasets)
@click.argument("changes", type=click.Path(path_type=Path, exists=True, dir_okay=False, allow_dash=True))
@click.option("--base", help="The revision that was looked at.  [default: the one that the file names]")
@click.option("--reviewer", help="Who decided it; kept with each change.")
@click.option("--new-labels", is_flag=True, help="Take breeds too that the dataset does not have.")
@click.option("--no-wait", is_flag=True, help="Return as soon as the job is queued.")
@json_lines_option
@with_client
def apply_review(
    client: Client,
    name: str,
    changes: Path,
    base: str | None,
    reviewer: str | None,
    new_labels: bool,
    no_wait: bool,
    as_json: bool,
) -> None:
    """Make NAME's next revision of the decisions in CHANGES, a CSV file as `pedigree review NAME --csv` writes it."""
    rows = _read_csv(changes)
    body = {
        "base_revision": base or _base_of(rows),
        "changes": [_change(number, row) for number, row in rows],
        "reviewer": reviewer,
        "new_labels": new_labels,
    }
    with queueing():
        job: Json = client.post(f"/datasets/{path_part(name)}/revisions", body)
    if no_wait:
        shown = command("jobs", "watch", job["id"])
        show_json(job) if as_json else say(f"job {job['id']} makes the revision; {shown} shows it")
        return
    watch(client, job["id"], as_json=as_json)
    if not as_json:
        now = client.get(f"/datasets/{path_part(name)}/review", source="feedback", limit=1)
        decisions = counted(len(rows), "decision", "decisions")
        say(f"{decisions} applied; {name} is at revision {revision_of(now)}")


@review.command("next")
@click.argument("job", type=click.IntRange(1), shell_complete=completion.jobs)
@click.option(
    "--by",
    type=click.Choice(["uncertain", "different"]),
    default="uncertain",
    show_default=True,
    help="Where the model can least decide, or as unlike each other as can be.",
)
@click.option("--limit", type=click.IntRange(1, 200), default=20, show_default=True)
@json_option
@with_client
def next_to_label(client: Client, job: int, by: str, limit: int, as_json: bool) -> None:
    """List the photos of predict JOB, such as of an unlabelled folder, that are worth labelling first."""
    found = client.get(f"/jobs/{job}/label-next", by=by, limit=limit)
    if as_json:
        show_json(found)
        return
    rows = [[one["path"], *_suggested(one["guesses"][0]), one["margin"]] for one in found["items"]]
    show_table(("path", "first guess", "probability", "margin"), rows, empty="The job has no answers.")
    say(f"{len(rows)} of {found['of']} photos, by {found['measured_on']}")


def _queue(client: Client, name: str, source: str, run: int | None, limit: int) -> Json:
    """The head of the queue as one answer, over as many pages as it takes."""
    path = f"/datasets/{path_part(name)}/review"
    whole: Json = client.get(path, source=source, run=run, limit=min(200, limit))
    while whole["next_cursor"] is not None and len(whole["items"]) < limit:
        left = min(200, limit - len(whole["items"]))
        page = client.get(path, source=source, run=run, limit=left, cursor=whole["next_cursor"])
        whole["items"] += page["items"]
        whole["next_cursor"] = page["next_cursor"]
    return whole


def _say_what(found: Json) -> None:
    seen = "validation photos" if found["side"] == "validation" else "photos, some of which it may have learned from"
    wrong = "" if found["wrong"] is None else f"; about {found['wrong']:.0f} labels look wrong"
    say(f"by run {found['run']} on {found['examined']} {seen}{wrong}; {found['waiting']} in the list")


def _suggested(guess: Json | None) -> list[object]:
    return ["", None] if guess is None else [guess["breed"], guess["probability"]]


def _write_csv(found: Json) -> None:
    # click.echo per line would flush each; the text is no more than ten thousand rows.
    table = csv.writer(sys.stdout, lineterminator="\n")
    table.writerow(COLUMNS)
    for one in found["items"]:
        cells = ["", "", one["path"] or "", one["label"] or "", *_suggested(one["suggested"]), one["score"]]
        table.writerow([one["item"], *map(cell, cells), found["revision"]])


def _read_csv(path: Path) -> list[tuple[int, dict[str, str]]]:
    """The rows that have an action, each with its line."""
    try:
        if str(path) == "-":
            rows = _rows_of(sys.stdin)
        else:
            with path.open(encoding="utf-8-sig", newline="") as file:
                rows = _rows_of(file)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CommandError(f"{path} cannot be read as CSV: {error}.") from None
    if not rows:
        raise CommandError(f"{path} has no row with an action.", f"Put {', '.join(ACTIONS)} into the column action.")
    if len(rows) > MOST:
        raise CommandError(f"{path} has {len(rows)} decisions, at most {MOST} are taken at once.")
    return rows


def _rows_of(file: TextIO) -> list[tuple[int, dict[str, str]]]:
    table = csv.DictReader(file)
    missing = {"item", "action"} - set(table.fieldnames or ())
    if missing:
        hint = f"Its first line names the columns, such as {', '.join(COLUMNS[:3])}."
        raise CommandError(f"The file has no column {' and no column '.join(sorted(missing))}.", hint)
    rows = [
        (table.line_num, {name: text_of_cell(value or "") for name, value in row.items() if isinstance(name, str)})
        for row in table
    ]
    return [(number, row) for number, row in rows if row["action"]]


def _base_of(rows: Sequence[tuple[int, dict[str, str]]]) -> str:
    named = {row.get("revision", "") for _, row in rows} - {""}
    if len(named) != 1:
        what = "names no revision" if not named else f"names {len(named)} revisions"
        raise CommandError(f"The file {what}.", "Say with --base which one was looked at.")
    return named.pop()


def _change(number: int, row: dict[str, str]) -> Json:
    action = row["action"].lower()
    if action not in ACTIONS:
        raise CommandError(f"Line {number}: {row['action']!r} is no action.", f"Give {', '.join(ACTIONS)}, or nothing.")
    label = row.get("new_label") or row.get("suggested") or None
    if action == "relabel" and label is None:
        raise CommandError(f"Line {number} has no breed to relabel it to.", "Put one into the column new_label.")
    item = row["item"]
    named: int | str = int(item) if item.isdecimal() and item.isascii() and len(item) < 10 else item  # noqa: PLR2004 - digits of a position
    return {"item": named, "action": action, "label": label if action == "relabel" else None}
