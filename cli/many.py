"""``pedigree predict`` for a folder or a dataset: a job answers for each picture, and its files are saved here."""

from pathlib import Path

from cli.client import Client, Json
from cli.errors import CommandError
from cli.fetching import fetch_checked
from cli.saying import say
from cli.tables import counted, show_json
from cli.transfer import Transfer
from cli.upload import send_archive
from cli.watch import watch


def predict_many(client: Client, source: str | Path, model: str, out: Path, *, as_json: bool) -> None:
    """Have every picture of a dataset (by name) or a folder answered for, and save the answers in ``out``.

    Raises:
        CommandError: the service refuses, the job does not succeed, or the answers cannot be saved.
    """
    if isinstance(source, Path):
        with Transfer("sending", "the service takes it in") as show:
            job = send_archive(client, source, {"model": model}, show, to="/jobs/archives")
    else:
        job = client.post("/jobs", {"kind": "predict", "dataset": source, "model": model})
    watch(client, job["id"], as_json=as_json)
    ended = client.get(f"/jobs/{job['id']}")
    saved = [_saved(client, job["id"], file, out) for file in ended["answers"]["files"]]
    if as_json:
        show_json(ended)
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
