"""``pedigree datasets batch``, ``presizing`` and ``summary``: looking at a dataset before anything is trained."""

from pathlib import Path

import click

from cli import completion
from cli.client import Client, Json, path_part
from cli.options import json_option, with_client
from cli.saving import PngPath, save
from cli.saying import say
from cli.tables import show_json, show_table

_out = click.argument("out", metavar="OUT.png", type=PngPath())
_seed = click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Equal seeds, equal images.")


@click.command()
@click.argument("name", shell_complete=completion.datasets)
@_out
@click.option("--split", type=click.Choice(["train", "valid"]), default="train", show_default=True)
@click.option("--augment", type=click.Choice(["true", "false", "both"]), default="both", show_default=True)
@click.option("--n", type=click.IntRange(1, 64), default=9, show_default=True, help="Images.")
@_seed
@click.option("--valid-pct", type=float, default=0.2, show_default=True)
@click.option("--split-seed", type=click.IntRange(0), default=42, show_default=True)
@with_client
def batch(client: Client, /, name: str, out: Path, **asked: str | float) -> None:
    """Draw a labelled batch into OUT.png, as it is and augmented as in training; a file of that name is replaced."""
    save(client.call("GET", f"/datasets/{path_part(name)}/batch.png", params=asked).content, out)


@click.command()
@click.argument("name", shell_complete=completion.datasets)
@_out
@click.option("--item", type=int, default=0, show_default=True, help="Position in the dataset.")
@_seed
@with_client
def presizing(client: Client, name: str, out: Path, item: int, seed: int) -> None:
    """Draw into OUT.png what presizing saves: one interpolation beside step-by-step resampling.

    A file of that name is replaced.
    """
    asked = {"item": item, "seed": seed}
    save(client.call("GET", f"/datasets/{path_part(name)}/presizing.png", params=asked).content, out)


@click.command()
@click.argument("name", shell_complete=completion.datasets)
@click.option("--item", type=int, default=0, show_default=True, help="Position in the dataset.")
@click.option("--presize", type=int, default=460, show_default=True, help="Pixels.")
@click.option("--size", type=int, default=224, show_default=True, help="Pixels.")
@click.option("--no-resize", is_flag=True, help="What happens where no resize is asked for.")
@_seed
@json_option
@with_client
def summary(
    client: Client, name: str, item: int, presize: int, size: int, no_resize: bool, seed: int, as_json: bool
) -> None:
    """Show one item through every step: type, shape and range of values."""
    resize = "false" if no_resize else "true"
    found = client.get(
        f"/datasets/{path_part(name)}/summary", item=item, presize=presize, size=size, resize=resize, seed=seed
    )
    if as_json:
        show_json(found)
        return
    rows = [
        [step["name"], step["type"], _shape(step), step["dtype"] or "", _range(step), step["does"]]
        for step in found["steps"]
    ]
    show_table(("step", "type", "shape", "dtype", "values", "what it does"), rows)
    _show_collated(found["collated"])


def _show_collated(collated: Json) -> None:
    if collated["fits"]:
        say(f"\nItems {collated['items'][0]} and {collated['items'][1]} make a batch.")
        return
    say(f"\nNo batch can be made: {collated['reason']}.")
    for item, path, shape in zip(collated["items"], collated["paths"], collated["shapes"], strict=True):
        say(f"  item {item}  {' x '.join(map(str, shape))}  {path}")
    say(collated["fix"])


def _shape(step: Json) -> str:
    return " x ".join(map(str, step["shape"]))


def _range(step: Json) -> str:
    return "" if step["low"] is None else f"{step['low']:.4g} to {step['high']:.4g}"
