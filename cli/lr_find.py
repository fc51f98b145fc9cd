"""``pedigree jobs lr-find`` and ``pedigree runs lr-find``."""

import click

from cli import completion
from cli.client import Client, Json
from cli.errors import CommandError
from cli.forecast import ask_for_forecast, show_forecast
from cli.options import asked_first, json_option, with_client
from cli.saying import say
from cli.settings import read_settings
from cli.tables import show_json, show_pairs, show_table
from cli.watch import queueing, watch


def check_start(dataset: str | None, from_run: int | None) -> None:
    """A search begins somewhere."""
    if dataset is None and from_run is None:
        raise CommandError("Name a dataset, or a run to start from with --from-run.")


@click.command("lr-find")
@click.argument("dataset", required=False, shell_complete=completion.datasets)
@click.option(
    "--from-run", type=int, shell_complete=completion.runs, help="Search on this run's weights, by its settings."
)
@click.option("--unfreeze", is_flag=True, help="Search with the body unfrozen.")
@click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="Any field of the configuration; JSON values."
)
@click.option("--name", help="A name for people.")
@click.option("--dry-run", is_flag=True, help="Check and say how long it would take, measured first if need be.")
@json_option
@asked_first(check_start)
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
    config = {**({"freeze": False} if unfreeze else {}), **read_settings(settings)}
    body: Json = {"kind": "lr_find", "dataset": dataset, "config": config, "from_run": from_run, "name": name}
    if dry_run:
        answer = ask_for_forecast(client, body)
        show_json(answer) if as_json else show_forecast(answer)
        return
    with queueing():
        job = client.post("/jobs", body)
    if as_json:
        show_json(job)
        return
    say(f"job {job['id']}, run {job['run']}")
    watch(client, job["id"])
    _show(client.get(f"/runs/{job['run']}/lr-find"), as_json=False)


@click.command("lr-find")
@click.argument("run", type=int, shell_complete=completion.runs)
@click.option(
    "--phase", type=click.IntRange(1), help="Of a training: before which phase, from 1  [default: the first]."
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
    spreads, words = found.get("spread_decades") or {}, found.get("agreements") or {}
    rows = [
        [_shown(name), None if rate is None else f"{rate:.2e}", words.get(name), spreads.get(name)]
        for name, rate in found["suggestions"].items()
    ]
    show_table(("suggestion", "rate", "agreement", "spread in decades"), rows)
    body = "frozen" if found["freeze"] else "unfrozen"
    show_pairs(
        [
            ("run", f"{found['run']}, before phase {found['phase'] + 1}, {body}"),
            ("sweeps", len(found.get("sweeps") or []) or None),
            *_no_answers(found.get("reasons") or {}),
            (f"agreement of {_shown(found.get('agreement_of', 'valley'))}", _agreement(found)),
            ("rises at", _rise(found)),
            ("rate", "none" if found["rate"] is None else f"{found['rate']:.2e}"),
            ("advice", found.get("advice")),
        ]
    )


def _shown(name: str) -> str:
    """A suggestion's name for people: this one is a tenth of the rate at the lowest loss, as the page says too."""
    return "minimum/10" if name == "minimum" else name


def _no_answers(reasons: dict[str, str]) -> list[tuple[str, str]]:
    """Each reason once, with the suggestions that share it."""
    names: dict[str, list[str]] = {}
    for name, reason in reasons.items():
        names.setdefault(reason, []).append(_shown(name))
    return [(f"no {', '.join(some)}", reason) for reason, some in names.items()]


def _agreement(found: Json) -> str:
    """The word, with its reason where that is not said yet."""
    word, reason = found["agreement"], found.get("agreement_reason")
    said = (found.get("reasons") or {}).values()
    return f"{word}: {reason}" if reason and reason not in said else str(word)


def _rise(found: Json) -> str | None:
    """From which rate on the loss rises, in how many sweeps and how far apart."""
    if found.get("rises_at") is None:
        return None
    spread = found.get("rises_at_spread_decades")
    apart = "" if spread is None else f", {spread:.2f} decades apart"
    return f"{found['rises_at']:.2e} in {found['rises_at_sweeps']} of {len(found['sweeps'])} sweeps{apart}"
