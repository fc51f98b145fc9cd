"""``pedigree runs download``: a run's model as files, each under its name only when it is whole and the right one."""

import os
from hashlib import file_digest, sha256
from pathlib import Path
from uuid import uuid4

import click

from cli import completion
from cli.client import Client, Json, path_part
from cli.errors import CommandError
from cli.options import json_option, with_client
from cli.saying import say
from cli.tables import show_json
from cli.transfer import Transfer
from store.keys import TO_SERVE

CHUNK = 1024 * 1024


@click.command()
@click.argument("run", type=int, shell_complete=completion.runs)
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@json_option
@with_client
def download(client: Client, run: int, folder: Path | None, as_json: bool) -> None:
    """Save a run's model, its weights and their description, in FOLDER  [default: run-RUN].

    A file that is there already is left as it is; where it has other content than the run's, nothing is saved.
    """
    files = _model_of(client, run)
    into = folder if folder is not None else Path(f"run-{run}")
    try:
        there = [file for file in files if _is_there(into / file["name"], file, run)]
        for file in files:
            if file not in there:
                into.mkdir(parents=True, exist_ok=True)
                _save(client, run, file, into / file["name"])
            if as_json:
                continue
            said = "was there already" if file in there else f"{file['bytes']} bytes"
            say(f"{into / file['name']}: {said}, sha256 {file['sha256'][:12]}… as on record")
    except OSError as error:
        raise CommandError(f"{error.filename or into} cannot be read or written: {error.strerror}.") from None
    if as_json:
        show_json([{**file, "path": str(into / file["name"]), "was_there": file in there} for file in files])


def _model_of(client: Client, run: int) -> list[Json]:
    """The model's files as the run lists them.

    Raises:
        CommandError: it lists none.
    """
    found = client.get(f"/runs/{run}")
    files = [file for file in found["artifacts"] if file["name"] in TO_SERVE]
    if not files:
        what = f"Run {run} has no model: it is of kind {found['kind']} and {found['state']}."
        raise CommandError(what, "Name a run of kind train that has succeeded; `pedigree runs list` lists them.")
    return files


def _is_there(path: Path, file: Json, run: int) -> bool:
    """Whether the file need not be fetched.

    Raises:
        CommandError: another one has its place.
        OSError: what is there cannot be read.
    """
    if not path.exists():
        return False
    with path.open("rb") as there:
        digest = file_digest(there, "sha256").hexdigest()
    if digest != file["sha256"]:
        what = f"{path} is there with other content than that of run {run}, and is kept."
        raise CommandError(what, "Name another folder, or move it away.")
    return True


def _save(client: Client, run: int, file: Json, path: Path) -> None:
    """Fetch one file to a hidden name, compare it with the record, and only then give it its own.

    Raises:
        CommandError: it is not what the record says, or meanwhile another one took its place.
        OSError: it cannot be written.
    """
    scratch = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        digest = _fetch(client, f"/runs/{run}/artifacts/{path_part(file['name'])}", scratch, file["bytes"])
        if digest != file["sha256"]:
            what = f"What came as {file['name']} has sha256 {digest}, the record says {file['sha256']}."
            raise CommandError(what, "Try again; where that does not help, the service's copy is damaged.")
        if not _is_there(path, file, run):
            scratch.rename(path)
    finally:
        scratch.unlink(missing_ok=True)


def _fetch(client: Client, url: str, scratch: Path, size: int) -> str:
    """Write what comes to a new file, showing how far it is; its sha256, hex."""
    digest, done = sha256(), 0
    with Transfer("receiving") as show, scratch.open("xb") as out, client.stream(url) as answer:
        for part in answer.iter_bytes(CHUNK):
            digest.update(part)
            out.write(part)
            done += len(part)
            show(done, size)
        out.flush()
        # Else a power failure could leave the name on the disk and the content not.
        os.fsync(out.fileno())
    return digest.hexdigest()
