"""``pedigree predict`` for a folder or a dataset: a job answers for each picture, and its files are saved here."""

from pathlib import Path

import click

from cli import completion
from cli.client import Client, Json
from cli.errors import CommandError
from cli.fetching import fetch_checked
from cli.options import json_option, with_client
from cli.saying import say
from cli.tables import counted, show_json
from cli.upload import Purpose, send_shown
from cli.watch import command, queueing, watch
from store.states import FINAL, standing

TO_PREDICT = Purpose("the service takes it in", "nothing was queued", "predict", "answers for them")


def predict_many(client: Client, source: str | Path, model: str, out: Path, *, as_json: bool) -> None:
    """Have every picture of a dataset (by name) or a folder answered for, and save the answers in ``out``.

    With ``as_json`` one event is printed a line, and the job last.

    Raises:
        Interrupted: the user broke it off; says what goes on.
        CommandError: the service refuses, the job does not succeed, or the answers cannot be saved.
    """
    if isinstance(source, Path):
        job = send_shown(client, source, {"model": model}, TO_PREDICT, to="/jobs/archives")
    else:
        with queueing():
            job = client.post("/jobs", {"kind": "predict", "dataset": source, "model": model})
    ended = watch(client, job["id"], as_json=as_json, then=saves_answers(job["id"]))
    _save(client, ended, out, as_json=as_json)
    if ended["answers"]["broken"]:
        raise click.exceptions.Exit(1)


@click.command()
@click.argument("job", type=int, shell_complete=completion.jobs)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where the answers are saved, as CSV and lines of JSON  [default: here].",
)
@json_option
@with_client
def answers(client: Client, job: int, out: Path | None, as_json: bool) -> None:
    """Save the answers of a job that predicted a folder or a dataset."""
    found = client.get(f"/jobs/{job}")
    if found["kind"] != "predict":
        raise CommandError(
            f"Job {job} is of kind {found['kind']}; only those of kind predict have answers.",
            f"{command('jobs', 'list', '--kind', 'predict')} shows them.",
        )
    if found["state"] not in FINAL:
        hint = f"{command('jobs', 'watch', job)} follows it to its end."
        raise CommandError(f"Job {job} has no answers yet: it {standing(found['state'])}.", hint)
    if found["answers"] is None:
        raise CommandError(f"Job {job} has no answers: it {standing(found['state'])}.")
    _save(client, found, out or Path(), as_json=as_json)
    if as_json:
        show_json(found)


def saves_answers(job: int) -> str:
    """What fetches a job's answers later, in words."""
    return f"{command('jobs', 'answers', job)} saves its answers"


def _save(client: Client, job: Json, out: Path, *, as_json: bool) -> None:
    told = job["answers"]
    saved = [_saved(client, job["id"], file, out) for file in told["files"]]
    if as_json:
        return
    broken = f"; {counted(told['broken'], 'could', 'could')} not be used, see their rows" if told["broken"] else ""
    say(f"{counted(told['photos'], 'photo', 'photos')} by version {told['version']}{broken}")
    for path in saved:
        say(str(path))


def _saved(client: Client, job: int, file: Json, out: Path) -> Path:
    into = out / f"job-{job}-{file['name']}"
    try:
        out.mkdir(parents=True, exist_ok=True)
        fetch_checked(client, f"/jobs/{job}/answers/{file['name']}", into)
    except OSError as error:
        raise CommandError(f"{into} cannot be written: {error.strerror}.") from None
    return into
