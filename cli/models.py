"""``pedigree models`` and ``pedigree predict``."""

from contextlib import ExitStack
from pathlib import Path

import click

from cli.client import Client, Json, json_of, path_part
from cli.errors import CommandError
from cli.options import json_option, with_client
from cli.tables import show_json, show_table

PRODUCTION = "production"
FILES_AT_ONCE = 32
DRAWN = "This model learned from drawn pictures; do not trust it with photographs."


@click.group()
def models() -> None:
    """Register runs to be served, and say which one is in production."""


@models.command("list")
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True)
@json_option
@with_client
def list_models(client: Client, limit: int, as_json: bool) -> None:
    """List the registered versions."""
    found = client.items("/models", limit=limit)
    if as_json:
        show_json(found)
        return
    rows = [
        [one["version"], one["run"], one["arch"], _dataset(one), one["error_rate"], ", ".join(one["aliases"])]
        for one in found
    ]
    show_table(("version", "run", "arch", "dataset", "error rate", "aliases"), rows)


@models.command()
@click.argument("run", type=int)
@click.option("--alias", help="Point this alias at it, for example production.")
@json_option
@with_client
def register(client: Client, run: int, alias: str | None, as_json: bool) -> None:
    """Make a finished run a version that can be served."""
    version = client.post("/models", {"run": run, "alias": alias})
    if as_json:
        show_json(version)
        return
    names = f", known as {', '.join(version['aliases'])}" if version["aliases"] else ""
    click.echo(f"run {run} is version {version['version']}{names}")
    if version["drawn"]:
        click.echo(DRAWN)


@models.command("alias")
@click.argument("name")
@click.argument("version", type=int, required=False)
@click.option("--drop", is_flag=True, help="Forget the alias; the version stays.")
@with_client
def point(client: Client, name: str, version: int | None, drop: bool) -> None:
    """Point alias NAME at VERSION."""
    if drop == (version is not None):
        raise CommandError("Give a version to point the alias at, or --drop.")
    if drop:
        client.call("DELETE", f"/models/aliases/{path_part(name)}")
        click.echo(f"{name} is no alias any more")
    else:
        client.call("PUT", f"/models/aliases/{path_part(name)}", json={"version": version})
        click.echo(f"{name} is version {version}")


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--model", default=PRODUCTION, show_default=True, help="An alias or a version.")
@click.option("--tta", is_flag=True, help="Average each answer over four changed copies of the picture; takes longer.")
@json_option
@with_client
def predict(client: Client, files: tuple[Path, ...], model: str, tta: bool, as_json: bool) -> None:
    """Name the breed in each picture."""
    parts = [files[at : at + FILES_AT_ONCE] for at in range(0, len(files), FILES_AT_ONCE)]
    answers = [ask(client, part, model, tta=tta) for part in parts]
    entries = [entry for answer in answers for entry in answer["predictions"]]
    if as_json:
        show_json({"model": answers[0]["model"], "tta": tta, "predictions": entries})
    else:
        show_predictions(answers[0]["model"], entries)
    broken = [entry["filename"] for entry in entries if "error" in entry]
    if broken:
        raise CommandError(f"{len(broken)} of {len(files)} files could not be looked at.")


def ask(client: Client, files: tuple[Path, ...], model: str, *, tta: bool = False) -> Json:
    """Send pictures and return the service's answer."""
    with ExitStack() as opened:
        # A name that is no text in UTF-8 goes with a question mark for what is none.
        names = [path.name.encode("utf-8", "replace").decode() for path in files]
        parts = [
            ("file", (name, opened.enter_context(path.open("rb")))) for name, path in zip(names, files, strict=True)
        ]
        query = {"model": model, **({"tta": "true"} if tta else {})}
        answer: Json = json_of(client.call("POST", "/predict", files=parts, params=query))
    return answer


def show_predictions(served: Json, entries: list[Json]) -> None:
    """Print what was guessed, with the second guess beside."""
    rows: list[list[object]] = []
    for entry in entries:
        if "error" in entry:
            rows.append([entry["filename"], f"! {entry['error']['detail']}", "", "", ""])
            continue
        second = entry["top"][1] if len(entry["top"]) > 1 else None
        runner_up = f"{second['breed']} {second['probability']:.1%}" if second else ""
        rows.append(
            [entry["filename"], entry["breed"], entry["species"] or "", f"{entry['probability']:.1%}", runner_up]
        )
    show_table(("file", "breed", "species", "sure", "else"), rows)
    click.echo(f"by version {served['version']} ({served['arch']}, run {served['run']})")
    if served.get("note"):
        click.echo(served["note"])
    if served["drawn"]:
        click.echo(DRAWN)


def _dataset(version: Json) -> str:
    return f"{version['dataset']}{' (drawn)' if version['drawn'] else ''}"
