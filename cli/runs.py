"""``pedigree runs``."""

import click

from cli import completion
from cli.client import Client, Json, json_of
from cli.deletion import delete_run
from cli.download import download
from cli.epochs import EPOCH_COLUMNS, epoch_cells
from cli.lazy import Group
from cli.lr_find import read
from cli.options import json_lines_option, json_option, with_client
from cli.run_compare import compare_runs
from cli.run_list import list_runs
from cli.run_report import show_run
from cli.run_words import note_run, rename_run, tag_run
from cli.saying import say
from cli.tables import show_json, show_table
from cli.watch import queueing, watch

MOST_SHOWN = 15
EPOCHS_ONLY = 1_000_000
"""So that of the steps hardly one is sent."""
DRAWN = "The pictures are drawn, not photographed."

dataset_option = click.option(
    "--dataset",
    shell_complete=completion.datasets,
    help="A dataset that the run was interpreted on, instead of its own.",
)


@click.group(cls=Group)
def runs() -> None:
    """Look at runs: how they went and what they confuse."""


runs.add_command(read)
runs.add_command(download)
runs.add_command(delete_run)
runs.add_command(list_runs)
runs.add_command(compare_runs)
runs.add_command(tag_run)
runs.add_command(note_run)
runs.add_command(rename_run)


@runs.command()
@click.argument("run", type=int, shell_complete=completion.runs)
@json_option
@with_client
def show(client: Client, run: int, as_json: bool) -> None:
    """Show a run: dates, where it ran, its whole configuration, its figures and what is to be said of them."""
    found = client.get(f"/runs/{run}")
    if as_json:
        show_json(found)
        return
    show_run(found)


@runs.command()
@click.argument("run", type=int, shell_complete=completion.runs)
@click.option(
    "--every",
    type=click.IntRange(1, EPOCHS_ONLY),
    help="With --json every n-th step, 1 for all. Of many, some are sent unless told otherwise.",
)
@json_option
@with_client
def metrics(client: Client, run: int, every: int | None, as_json: bool) -> None:
    """Show the table of epochs; with --json the steps, too."""
    found = client.get(f"/runs/{run}/metrics", every=every if as_json else EPOCHS_ONLY)
    if as_json:
        show_json(found)
        return
    show_epochs(found["epochs"])
    if found["drawn"]:
        say(DRAWN)


@runs.command()
@click.argument("run", type=int, shell_complete=completion.runs)
@click.option("--min-val", type=click.IntRange(1), default=2, show_default=True, help="Least count of a pair.")
@dataset_option
@json_option
@with_client
def confusion(client: Client, run: int, min_val: int, dataset: str | None, as_json: bool) -> None:
    """Show which breeds are taken for which."""
    found = client.get(f"/runs/{run}/confusion", min_val=min_val, dataset=dataset)
    if as_json:
        show_json(found)
        return
    say(what_was_read(found))
    show_confused(found["most_confused"], least=min_val)


@runs.command("top-losses")
@click.argument("run", type=int, shell_complete=completion.runs)
@click.option("--k", type=click.IntRange(1, 1000), default=9, show_default=True, help="How many pictures.")
@dataset_option
@json_option
@with_client
def top_losses(client: Client, run: int, k: int, dataset: str | None, as_json: bool) -> None:
    """Show the pictures that the model was most wrong about, worst first."""
    asked: dict[str, str | int] = {"k": k, **({"dataset": dataset} if dataset is not None else {})}
    answer = client.call("GET", f"/runs/{run}/top-losses", params=asked)
    found = json_of(answer)
    if as_json:
        show_json(found)
        return
    names = ("path", "actual", "predicted", "loss", "probability_predicted", "probability_actual", "item")
    columns = ("file", "actual", "taken for", "loss", "sure of that", "of the truth", "item")
    show_table(columns, [[one[name] for name in names] for one in found])
    if answer.headers.get("Pedigree-Drawn") == "true":
        say(DRAWN)


@runs.command()
@click.argument("run", type=int, shell_complete=completion.runs)
@click.option("--tta", is_flag=True, help="Average the scores over four changed copies of each picture and itself.")
@click.option(
    "--dataset",
    shell_complete=completion.datasets,
    help="Predict all photos of this dataset, instead of the run's own validation photos.",
)
@click.option("--follow", is_flag=True, help="Watch it to its end.")
@json_lines_option
@with_client
def interpret(client: Client, run: int, tta: bool, dataset: str | None, follow: bool, as_json: bool) -> None:
    """Predict a finished run's pictures again, or those of another dataset, and store what comes of it."""
    body: Json = {"kind": "interpret", "run": run, "config": {"tta": tta, "dataset": dataset}}
    with queueing():
        job = client.post("/jobs", body)
    if follow:
        watch(client, job["id"], as_json=as_json)
    elif as_json:
        show_json(job)
    else:
        say(f"job {job['id']}, run {run}: {job['state']}")


def what_was_read(found: Json) -> str:
    """One line: how many photos of which dataset, how they were scored, and the error rate."""
    kind = f"{'validation ' if found['side'] == 'validation' else ''}{'drawn pictures' if found['drawn'] else 'photos'}"
    line = f"{found['n']} {kind} of {found['dataset']['name']}{', averaged over copies' if found['tta'] else ''}"
    known = f"; the model was trained on {found['trained_on']} of them" if found["trained_on"] else ""
    return f"{line}, error rate {found['error_rate']:.4f}{known}"


def show_epochs(epochs: list[Json]) -> None:
    """Print the table of epochs."""
    show_table(EPOCH_COLUMNS, [epoch_cells(epoch) for epoch in epochs], empty="No epoch has ended yet.")


def show_confused(pairs: list[Json], *, least: int, most: int = MOST_SHOWN) -> None:
    """Print the pairs confused ``least`` times or more, the most frequent first."""
    if not pairs:
        say("No breed was taken for another" + ("." if least == 1 else f" {least} times or more."))
        return
    rows = [[pair["actual"], pair["predicted"], pair["count"]] for pair in pairs[:most]]
    show_table(("actual", "taken for", "times"), rows)
