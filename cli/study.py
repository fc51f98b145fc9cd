"""``pedigree search`` and ``pedigree jobs trials``: settings are tried, one after the other."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from cli import completion
from cli.client import Client, Json
from cli.errors import CommandError
from cli.forecast import show_forecast
from cli.options import json_lines_option, json_option, known_architecture, with_client
from cli.saying import say
from cli.settings import read_settings, value_of
from cli.tables import show_json, show_pairs, show_table
from cli.watch import command, queueing, watch

RANGE = re.compile(r"(?P<low>[^,]+?)\.\.(?P<high>[^,:]+)(?::(?P<how>.+))?")
VARY = "Write it as size=128,160 or base_lr=1e-4..1e-2:log."
PRUNER = click.Choice(["median", "hyperband", "none"])
OBJECTIVE = click.Choice(["error_rate", "valid_loss", "macro_error"])
LARGEST_FILE = 1 << 20


@click.command("search")
@click.argument("dataset", shell_complete=completion.datasets)
@click.option(
    "--vary",
    "varied",
    multiple=True,
    metavar="KEY=VALUES",
    help="A field and what it is tried with: size=128,160, or a range as base_lr=1e-4..1e-2:log; may be given again.",
)
@click.option(
    "--space",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help='The same in a JSON file: {"size": [128, 160], "base_lr": {"low": 1e-4, "high": 1e-2, "log": true}}.',
)
@click.option("--trials", type=int, help="How many settings are tried at most  [default: 20].")
@click.option("--minutes", type=float, help="Minutes until it ends  [default: 60].")
@click.option("--pruner", type=PRUNER, help="How trials that promise little are ended early  [default: median].")
@click.option("--objective", type=OBJECTIVE, help="What the best trial has least of  [default: error_rate].")
@click.option("--train-minutes", type=float, help="Minutes that a trial may train; one that takes longer is ended.")
@click.option("--answer-ms", type=float, help="Milliseconds that the best trial's model may take to answer one photo.")
@click.option("--at-once", type=int, help="Trials that are under way at once, where there are workers  [default: 1].")
@click.option("--seed", type=int, help="Decides which settings are tried  [default: 42].")
@click.option("--no-register", is_flag=True, help="Do not make the best trial's run a version.")
@click.option(
    "--arch", callback=known_architecture, shell_complete=completion.architectures, help="Architecture of every trial."
)
@click.option("--epochs", type=int, help="Epochs of every trial.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Any field of every trial; JSON values.")
@click.option("--name", help="A name for people.")
@click.option("--follow", is_flag=True, help="Watch it to its end, and show the trials.")
@click.option("--dry-run", is_flag=True, help="Check, and say how long one trial would take by what is on record.")
@json_lines_option
@with_client
def search(
    client: Client,
    /,
    *,
    dataset: str,
    varied: tuple[str, ...],
    space: Path | None,
    train_minutes: float | None,
    answer_ms: float | None,
    no_register: bool,
    arch: str | None,
    epochs: int | None,
    settings: tuple[str, ...],
    name: str | None,
    follow: bool,
    dry_run: bool,
    as_json: bool,
    **asked: object,
) -> None:
    """Search over settings: a training with each, one after the other, and the best becomes a version.

    A trial that promises little is ended early. The version has no alias: look at it before it answers.
    """
    base = {"arch": arch, "epochs": epochs}
    limits = {"train_minutes": train_minutes, "answer_ms": answer_ms}
    body: Json = {
        "kind": "search",
        "dataset": dataset,
        "space": _space(space, varied),
        "config": _given(base) | read_settings(settings),
        "name": name,
        **_given(asked),
        **({"limits": _given(limits)} if _given(limits) else {}),
        **({"register_best": False} if no_register else {}),
    }
    if dry_run:
        answer = client.post("/jobs", body, dry_run="true")
        show_json(answer) if as_json else show_forecast(answer)
        return
    with queueing():
        job = client.post("/jobs", body)
    if not follow:
        show_json(job) if as_json else say(f"job {job['id']}: {job['state']}; {command('jobs', 'trials', job['id'])}")
        return
    if not as_json:
        say(f"job {job['id']}")
    ended = watch(client, job["id"], as_json=as_json)
    if not as_json:
        _show(client.get(f"/jobs/{job['id']}/trials"), ended)


@click.command("trials")
@click.argument("job", type=int, shell_complete=completion.jobs)
@json_option
@with_client
def trials(client: Client, job: int, as_json: bool) -> None:
    """Show what a search has tried, and the best so far."""
    found = client.get(f"/jobs/{job}/trials")
    if as_json:
        show_json(found)
        return
    _show(found, client.get(f"/jobs/{job}"))


def read_varied(varied: Sequence[str]) -> Json:
    """``size=128,160`` and ``base_lr=1e-4..1e-2:log`` as the service takes them.

    Raises:
        CommandError: one is written otherwise.
    """
    space: Json = {}
    for one in varied:
        key, equals, text = one.partition("=")
        if not equals or not key or not text:
            raise CommandError(f"--vary {one}: it is not KEY=VALUES. {VARY}")
        space[key] = _range(one, text) or [value_of(part) for part in text.split(",")]
    return space


def _range(one: str, text: str) -> Json | None:
    found = RANGE.fullmatch(text)
    if found is None:
        return None
    low, high, how = found["low"], found["high"], found["how"]
    domain: Json = {"low": _number(one, low), "high": _number(one, high)}
    if how == "log":
        return {**domain, "log": True}
    return domain if how is None else {**domain, "step": _number(one, how)}


def _number(one: str, text: str) -> Any:  # noqa: ANN401  # JSON
    value = value_of(text)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise CommandError(f"--vary {one}: {text!r} is no number. {VARY}")
    return value


def _space(path: Path | None, varied: Sequence[str]) -> Json:
    space: Json = {}
    if path is not None:
        space = _read(path)
    space |= read_varied(varied)
    if not space:
        raise CommandError(f"There is nothing to search. Name a field with --vary. {VARY}")
    return space


def _read(path: Path) -> Json:
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise CommandError(f"{path} is larger than 1 MiB: a space is a few lines of JSON.")
        space = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise CommandError(f"{path} is no JSON: {error}.") from None
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}.") from None
    if not isinstance(space, dict):
        raise CommandError(f'{path} holds no object. Write it as {{"size": [128, 160]}}.')
    return space


def _given(values: Json) -> Json:
    return {name: value for name, value in values.items() if value is not None}


def _show(found: Json, job: Json) -> None:
    names = list((job.get("study") or {}).get("asked", {}).get("space", {}))
    rows = [
        [
            trial["trial"],
            trial["run"],
            *(_word(trial["settings"].get(name)) for name in names),
            _outcome(trial),
            trial["epochs"],
            None if trial["value"] is None else round(trial["value"], 4),
        ]
        for trial in found["items"]
    ]
    show_table(("trial", "run", *names, "outcome", "epochs", found["objective"]), rows, empty="It has no trial yet.")
    show_pairs(_summary(job))


def _outcome(trial: Json) -> str:
    if trial["best"]:
        return "best"
    return str(trial["outcome"] or trial["state"] or "")


def _word(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _summary(job: Json) -> list[tuple[str, object]]:
    study = job["study"]
    best = study["best"]
    pairs: list[tuple[str, object]] = [("state", job["state"])]
    if best is not None:
        pairs.append(("best", f"{best['value']:.4g} in run {best['run']}, trial {best['trial']}"))
    if study["version"] is not None:
        pairs.append(("version", f"{study['version']}, without an alias"))
    return pairs
