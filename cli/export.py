"""``pedigree models export``: a registered version as one archive, for use without the service."""

from hashlib import sha256
from http import HTTPStatus
from pathlib import Path
from time import sleep
from uuid import uuid4

import click

from cli import completion
from cli.client import Client, json_of, path_part
from cli.download import CHUNK
from cli.errors import CommandError
from cli.options import with_client
from cli.patience import patiently
from cli.saying import say
from cli.transfer import Transfer

FORMATS = ("onnx", "openvino", "torchscript", "safetensors")
ASK_SECONDS = 1.0
WITHOUT_WAITING = {"Prefer": "respond-async"}
STAGES = {
    "waiting": "waiting for another export",
    "fetch": "fetching the model",
    "load": "loading the model",
    "convert": "converting the model",
    "check": "comparing its answers with the model's",
    "pack": "packing the archive",
}


@click.command()
@click.argument("version", shell_complete=completion.models)
@click.option("--format", "form", type=click.Choice(FORMATS), required=True, help="What reads it.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The zip to write  [default: model-VERSION-FORMAT.zip].",
)
@with_client
def export(client: Client, version: str, form: str, out: Path | None) -> None:
    """Save a version, or the one an alias points at, for use without the service.

    The zip has the model, a manifest with hashes, and a script that names the breed in photos.
    """
    path = f"/models/{path_part(version)}/export"
    _wait_until_made(client, path, form)
    into = out if out is not None else Path(f"model-{version}-{form}.zip")
    try:
        digest, size = _save(client, f"{path}?format={form}", into.resolve())
    except OSError as error:
        raise CommandError(f"{into} cannot be written: {error.strerror}.") from None
    say(f"{into}: {size} bytes, sha256 {digest[:12]}… as the service says")


def _wait_until_made(client: Client, path: str, form: str) -> None:
    stage = "waiting"
    with patiently(lambda: STAGES.get(stage, stage)):
        while True:
            with client.stream(f"{path}?format={form}", WITHOUT_WAITING) as answer:
                if answer.status_code != HTTPStatus.ACCEPTED:
                    return
                answer.read()
                stage = str(json_of(answer)["stage"])
            sleep(ASK_SECONDS)


def _save(client: Client, url: str, into: Path) -> tuple[str, int]:
    """Fetch to a hidden name, compare with the hash that was said, and only then take the place of what is there.

    Raises:
        CommandError: it is not what the service said.
        OSError: it cannot be written.
    """
    scratch = into.with_name(f".{into.name}.{uuid4().hex}")
    digest, done = sha256(), 0
    try:
        with Transfer("receiving") as show, scratch.open("xb") as file, client.stream(url, {}) as answer:
            said = answer.headers.get("ETag", "").strip('"')
            for part in answer.iter_bytes(CHUNK):
                digest.update(part)
                file.write(part)
                done += len(part)
                show(done, int(answer.headers.get("Content-Length", 0)))
        if digest.hexdigest() != said:
            what = f"What came has sha256 {digest.hexdigest()}, the service says {said or 'nothing'}."
            raise CommandError(what, "Try again; where that does not help, the service's copy is damaged.")
        scratch.replace(into)
    finally:
        scratch.unlink(missing_ok=True)
    return digest.hexdigest(), done
