"""``pedigree runs``."""

import click

from cli.client import Client, Json
from cli.options import json_option, with_client
from cli.tables import show_json, show_pairs, show_table
from cli.watch import EPOCH_COLUMNS, epoch_cells

MOST_SHOWN = 15


@click.group()
def runs() -> None:
    """Look at runs: how they went and what they confuse."""


@runs.command("list")
@click.option("--dataset")
@click.option("--arch")
@click.option("--state")
@click.option("--best", is_flag=True, help="Lowest error rate first, instead of newest first.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True)
@json_option
@with_client
def list_runs(
    client: Client, dataset: str | None, arch: str | None, state: str | None, best: bool, limit: int, as_json: bool
) -> None:
    """List runs."""
    sort = "error_rate" if best else None
    found = client.items("/runs", limit=limit, dataset=dataset, arch=arch, state=state, sort=sort)
    if as_json:
        show_json(found)
        return
    rows = [
        [run["id"], run["name"] or "", run["arch"], _dataset(run), run["state"], run["error_rate"]] for run in found
    ]
    show_table(("run", "name", "arch", "dataset", "state", "error rate"), rows)


@runs.command()
@click.argument("run", type=int)
@json_option
@with_client
def show(client: Client, run: int, as_json: bool) -> None:
    """Show a run: configuration, where it ran, its final figures."""
    found = client.get(f"/runs/{run}")
    if as_json:
        show_json(found)
        return
    weights = found["weights"] or {}
    names = ("id", "name", "state", "job", "arch", "parent", "device", "precision", "precision_reason", "seed")
    pairs: list[tuple[str, object]] = [(name.replace("_", " "), found[name]) for name in names]
    pairs += [
        ("dataset", f"{_dataset(found)} at {found['dataset']['revision'][:12]}"),
        ("weights", weights.get("file")),
    ]
    pairs += [(name.replace("_", " "), found[name]) for name in ("train_loss", "valid_loss", "error_rate")]
    pairs += [(f"artifact {one['name']}", f"{one['bytes']} bytes") for one in found["artifacts"]]
    show_pairs(pairs)


@runs.command()
@click.argument("run", type=int)
@json_option
@with_client
def metrics(client: Client, run: int, as_json: bool) -> None:
    """Show the table of epochs."""
    found = client.get(f"/runs/{run}/metrics")
    if as_json:
        show_json(found)
        return
    show_epochs(found["epochs"])


@runs.command()
@click.argument("run", type=int)
@click.option("--min-val", type=click.IntRange(1), default=2, show_default=True, help="Least count of a pair.")
@json_option
@with_client
def confusion(client: Client, run: int, min_val: int, as_json: bool) -> None:
    """Show which breeds are taken for which."""
    found = client.get(f"/runs/{run}/confusion", min_val=min_val)
    if as_json:
        show_json(found)
        return
    drawn = " drawn" if found["drawn"] else ""
    click.echo(f"{found['n']}{drawn} validation pictures, error rate {found['error_rate']:.4f}")
    show_confused(found["most_confused"])


def show_epochs(epochs: list[Json]) -> None:
    """Print the table of epochs."""
    show_table(EPOCH_COLUMNS, [epoch_cells(epoch) for epoch in epochs])


def show_confused(pairs: list[Json], most: int = MOST_SHOWN) -> None:
    """Print the pairs most often confused."""
    rows = [[pair["actual"], pair["predicted"], pair["count"]] for pair in pairs[:most]]
    show_table(("actual", "taken for", "times"), rows)


def _dataset(run: Json) -> str:
    return f"{run['dataset']['name']}{' (drawn)' if run['dataset']['drawn'] else ''}"
