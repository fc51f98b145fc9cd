"""``pedigree predict`` for a folder or a dataset: a job answers for each picture, and its files are saved here."""

from pathlib import Path

from cli.client import Client, Json
from cli.errors import CommandError
from cli.fetching import fetch_checked
from cli.saying import say
from cli.tables import counted
from cli.upload import Purpose, send_shown
from cli.watch import queueing, watch

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
    ended = watch(client, job["id"], as_json=as_json)
    saved = [_saved(client, job["id"], file, out) for file in ended["answers"]["files"]]
    if as_json:
        return
    told = ended["answers"]
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
