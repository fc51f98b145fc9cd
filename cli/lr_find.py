"""``pedigree jobs lr-find`` and ``pedigree runs lr-find``."""

import click

from cli.client import Client, Json
from cli.errors import CommandError
from cli.forecast import ask_for_forecast, show_forecast
from cli.options import json_option, with_client
from cli.settings import read_settings
from cli.tables import show_json, show_pairs, show_table
from cli.watch import watch


@click.command("lr-find")
@click.argument("dataset", required=False)
@click.option("--from-run", type=int, help="Search on this run's weights, by its settings.")
@click.option("--unfreeze", is_flag=True, help="Search with the body unfrozen.")
@click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="Any field of the configuration; JSON values."
)
@click.option("--name", help="A name for people.")
@click.option("--dry-run", is_flag=True, help="Check and say how long it would take; start nothing.")
@json_option
@with_client
def search(
    client: Client,
    *,
    dataset: str | None,
    from_run: int | None,
    unfreeze: bool,
    settings: tuple[str, ...],
    name: str | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Search for a learning rate on a dataset, watch it, and show what it suggests.

    With --json the job is queued and printed, not watched.
    """
    if dataset is None and from_run is None:
        raise CommandError("Name a dataset, or a run to start from with --from-run.")
    config = {**({"freeze": False} if unfreeze else {}), **read_settings(settings)}
    body: Json = {"kind": "lr_find", "dataset": dataset, "config": config, "from_run": from_run, "name": name}
    if dry_run:
        answer = ask_for_forecast(client, body)
        show_json(answer) if as_json else show_forecast(answer)
        return
    job = client.post("/jobs", body)
    if as_json:
        show_json(job)
        return
    click.echo(f"job {job['id']}, run {job['run']}")
    watch(client, job["id"])
    _show(client.get(f"/runs/{job['run']}/lr-find"), as_json=False)


@click.command("lr-find")
@click.argument("run", type=int)
@click.option(
    "--phase", type=click.IntRange(0), help="Of a training: before which phase, from 0  [default: the first]."
)
@json_option
@with_client
def read(client: Client, run: int, phase: int | None, as_json: bool) -> None:
    """Show what a search for a learning rate suggests."""
    _show(client.get(f"/runs/{run}/lr-find", phase=None if phase is None else phase - 1), as_json=as_json)


def _show(found: Json, *, as_json: bool) -> None:
    if as_json:
        show_json(found)
        return
    reasons, spreads = found.get("reasons") or {}, found.get("spread_decades") or {}
    rows = [
        [name, None if rate is None else f"{rate:.2e}", spreads.get(name), reasons.get(name, "")]
        for name, rate in found["suggestions"].items()
    ]
    show_table(("suggestion", "rate", "spread_decades", "reason"), rows)
    word, reason = found["agreement"], found.get("agreement_reason")
    show_pairs(
        [
            (
                "run",
                f"{found['run']}, before phase {found['phase'] + 1}, {'frozen' if found['freeze'] else 'unfrozen'}",
            ),
            ("sweeps", len(found.get("sweeps") or []) or None),
            ("agreement", f"{word}: {reason}" if reason else word),
            ("rate", "none" if found["rate"] is None else f"{found['rate']:.2e}"),
        ]
    )
