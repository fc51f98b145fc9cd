"""``pedigree runs list``."""

import click

from cli import completion
from cli.client import Client, Json
from cli.options import STATE, json_option, known_architecture, with_client
from cli.run_report import dataset_of
from cli.tables import show_json, show_table
from cli.times import local_time

NO_RUNS = "There are no runs yet; `pedigree train --dataset NAME` makes one."
NONE_LIKE_THAT = "No run is like that; `pedigree runs list` without options lists all."
KIND = click.Choice(["train", "lr_find"])
SORT = click.Choice(["created", "error_rate", "arch", "duration"])
COLUMNS = ("run", "name", "recipe", "arch", "dataset", "state", "error rate", "created")


@click.command("list")
@click.option("--dataset", shell_complete=completion.datasets, help="Only runs on this dataset.")
@click.option(
    "--arch", callback=known_architecture, shell_complete=completion.architectures, help="Only this architecture."
)
@click.option("--state", type=STATE, help="Only runs in this state.")
@click.option("--kind", type=KIND, help="Only trainings, or only searches for a rate.")
@click.option(
    "--error-below",
    type=click.FloatRange(0, 1, min_open=True),
    metavar="RATE",
    help="Only runs with a lower error rate, as 0.2.",
)
@click.option("--tag", "tags", multiple=True, help="Only runs with this tag; given again, with all of them.")
@click.option("--study", metavar="JOB", type=click.IntRange(1), help="Only the trials of this search over settings.")
@click.option("--search", metavar="WORDS", help="Words that all stand in name, note, tags, architecture or dataset.")
@click.option("--sort", type=SORT, help="Newest, best, alphabetical or quickest first.  [default: created]")
@click.option("--reverse", is_flag=True, help="The other way round.")
@click.option("--best", is_flag=True, help="The same as --sort error_rate.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True)
@json_option
@with_client
def list_runs(
    client: Client,
    *,
    dataset: str | None,
    arch: str | None,
    state: str | None,
    kind: str | None,
    error_below: float | None,
    tags: tuple[str, ...],
    study: int | None,
    search: str | None,
    sort: str | None,
    reverse: bool,
    best: bool,
    limit: int,
    as_json: bool,
) -> None:
    """List runs: how each was trained, when, and its error rate with its margin."""
    sort = sort or ("error_rate" if best else None)
    # Only the order by date begins at its end.
    order = None if not reverse else "asc" if sort in {None, "created"} else "desc"
    filters = {"dataset": dataset, "arch": arch, "state": state, "kind": kind, "error_below": error_below}
    filters |= {"study": study, "q": search}
    found = client.items("/runs", limit=limit, **filters, tag=tags, sort=sort, order=order)
    if as_json:
        show_json(found)
        return
    is_narrow = any([*filters.values(), tags])
    # A column that nobody has filled would only take room.
    has_tags = any(run["tags"] for run in found)
    columns = (*COLUMNS, "tags") if has_tags else COLUMNS
    rows = [[*_row(run), *([", ".join(run["tags"])] if has_tags else [])] for run in found]
    show_table(columns, rows, empty=NONE_LIKE_THAT if is_narrow else NO_RUNS)


def _row(run: Json) -> list[object]:
    return [
        run["id"],
        run["name"] or "",
        run["recipe"] or run["kind"],
        run["arch"],
        dataset_of(run),
        run["state"],
        error_of(run),
        local_time(run["created_at"]),
    ]


def error_of(run: Json) -> object:
    """The error rate, with its margin where it is known; None where there is none."""
    rate, margin = run["error_rate"], run["error_rate_margin"]
    return rate if rate is None or margin is None else f"{rate:.4g} ± {margin:.2g}"
