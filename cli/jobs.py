"""``pedigree train`` and ``pedigree jobs``."""

import click

from cli import completion
from cli.client import Client, Json
from cli.errors import CommandError
from cli.forecast import ask_for_forecast, in_all, show_forecast
from cli.lazy import Group
from cli.lr_find import search
from cli.many import answers, saves_answers
from cli.options import (
    KIND,
    STATE,
    asked_first,
    json_lines_option,
    json_option,
    known_architecture,
    number_or_word,
    with_client,
)
from cli.problems import with_options
from cli.progress_line import position, time_left
from cli.saying import plain, say
from cli.settings import read_settings
from cli.study import trials
from cli.tables import show_json, show_pairs, show_table
from cli.times import local_time, times_of
from cli.waiting import where_it_waits
from cli.watch import queueing, watch

NO_JOBS = "There are no jobs yet; `pedigree train --dataset NAME` queues one."
NONE_LIKE_THAT = "No job is like that; `pedigree jobs list` without options lists all."


def check_start(dataset: str | None, from_run: int | None) -> None:
    """A training begins somewhere."""
    if dataset is None and from_run is None:
        raise CommandError("Name a dataset with --dataset, or a run to start from with --from-run.")


@click.command()
@click.option(
    "--dataset", shell_complete=completion.datasets, help="Name of a dataset  [default, with --from-run: that run's]."
)
@click.option(
    "--arch",
    callback=known_architecture,
    shell_complete=completion.architectures,
    help="Architecture  [default: resnet34; with --from-run that run's].",
)
@click.option("--epochs", type=int, help="Epochs of the recipe.")
@click.option(
    "--devices", callback=number_or_word, metavar="N|all", help="GPUs of one host that train together  [default: 1]."
)
@click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="Any field of the configuration; JSON values."
)
@click.option(
    "--from-run", type=int, shell_complete=completion.runs, help="Start from this run's weights, by its settings."
)
@click.option("--name", help="A name for people.")
@click.option("--follow", is_flag=True, help="Watch it to its end.")
@click.option("--dry-run", is_flag=True, help="Check and say how long it would take, measured first if need be.")
@json_lines_option
@asked_first(check_start)
@with_client
def train(
    client: Client,
    *,
    dataset: str | None,
    arch: str | None,
    epochs: int | None,
    devices: int | str | None,
    settings: tuple[str, ...],
    from_run: int | None,
    name: str | None,
    follow: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Train a classifier on a dataset, fresh or from where another run stands."""
    config = {"arch": arch, "epochs": epochs, "devices": devices}
    body: Json = {
        "kind": "train",
        "dataset": dataset,
        "config": {key: value for key, value in config.items() if value is not None} | read_settings(settings),
        "from_run": from_run,
        "name": name,
    }
    if dry_run:
        answer = ask_for_forecast(client, body)
        show_json(answer) if as_json else show_forecast(answer)
        return
    with queueing():
        job = client.post("/jobs", body)
    if follow:
        if not as_json:
            say(f"job {job['id']}, run {job['run']}")
        watch(client, job["id"], as_json=as_json)
    elif as_json:
        show_json(job)
    else:
        say(f"job {job['id']}, run {job['run']}: {job['state']}")


@click.group(cls=Group)
def jobs() -> None:
    """Look at jobs, watch, cancel and resume them; queue trainings and searches for a rate."""


jobs.add_command(train)
jobs.add_command(search)
jobs.add_command(trials)
jobs.add_command(answers)


@jobs.command("list")
@click.option("--state", type=STATE, help="Only those in this state.")
@click.option("--kind", type=KIND, help="Only those of this kind.")
@click.option("--run", type=click.IntRange(1), shell_complete=completion.runs, help="Only those of this run.")
@click.option("--owner", help="Only those that the key of this name posted; local: without a key.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True)
@json_option
@with_client
def list_jobs(
    client: Client,
    *,
    state: str | None,
    kind: str | None,
    run: int | None,
    owner: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """List the newest jobs."""
    found = client.items("/jobs", limit=limit, state=state, kind=kind, run=run, owner=owner)
    if as_json:
        show_json(found)
        return
    rows = [
        [
            job["id"],
            job["kind"],
            job["run"],
            plain(job["owner"]),
            job["state"],
            _position(job) or where_it_waits(job),
            local_time(job["created_at"]),
        ]
        for job in found
    ]
    empty = NONE_LIKE_THAT if state or kind or run or owner else NO_JOBS
    show_table(("job", "kind", "run", "owner", "state", "progress", "created"), rows, empty=empty)


@jobs.command()
@click.argument("job", type=int, shell_complete=completion.jobs)
@json_option
@with_client
def show(client: Client, job: int, as_json: bool) -> None:
    """Show a job."""
    _show(client.get(f"/jobs/{job}"), as_json=as_json)


@jobs.command("watch")
@click.argument("job", type=int, shell_complete=completion.jobs)
@json_lines_option
@with_client
def watch_job(client: Client, job: int, as_json: bool) -> None:
    """Watch a job to its end; exit code 1 unless it succeeds.

    Ctrl-C ends the watching, not the job.
    """
    ended = watch(client, job, as_json=as_json)
    if ended["kind"] == "predict" and not as_json:
        say(saves_answers(job))


@jobs.command()
@click.argument("job", type=int, shell_complete=completion.jobs)
@json_option
@with_client
def cancel(client: Client, job: int, as_json: bool) -> None:
    """Cancel a queued job, or ask a running one to stop."""
    _show(client.post(f"/jobs/{job}/cancel"), as_json=as_json)


@jobs.command()
@click.argument("job", type=int, shell_complete=completion.jobs)
@json_option
@with_client
def resume(client: Client, job: int, as_json: bool) -> None:
    """Queue a failed or cancelled job again: a training from its checkpoint, a search with its trials."""
    with queueing():
        queued = client.post(f"/jobs/{job}/resume")
    _show(queued, as_json=as_json)


def _show(job: Json, *, as_json: bool) -> None:
    if as_json:
        show_json(job)
        return
    pairs: list[tuple[str, object]] = [
        (name, job.get(name)) for name in ("id", "kind", "run", "state", "owner", "attempt")
    ]
    pairs += [(name, time) for name, time in times_of(job) if time is not None]
    error = job.get("error")
    if error:
        pairs += [
            ("error", f"{error['code']}: {error['detail']}"),
            ("hint", error.get("hint") and with_options(error)),
        ]
    forecast = job.get("forecast")
    if forecast:
        pairs += [("forecast", in_all(forecast)), (forecast["from"], forecast["basis"])]
    show_pairs([*pairs, ("waits", where_it_waits(job) or None), ("progress", _position(job) or None)])


def _position(job: Json) -> str:
    progress = job.get("progress") or {}
    if job["state"] not in {"running", "cancelling"} or not progress:
        return ""
    where, left = position(progress), time_left(progress)
    return f"{progress.get('stage') or ''}{f' {where}' if where else ''}{f', {left}' if left else ''}"
