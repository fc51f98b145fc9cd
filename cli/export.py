"""``pedigree models export``: a registered version as one archive, for use without the service."""

from http import HTTPStatus
from pathlib import Path
from time import sleep

import click

from cli import completion
from cli.client import Client, json_of, path_part
from cli.errors import CommandError
from cli.fetching import fetch_checked
from cli.options import json_option, with_client
from cli.patience import patiently
from cli.saying import say
from cli.tables import show_json

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
@json_option
@with_client
def export(client: Client, version: str, form: str, out: Path | None, as_json: bool) -> None:
    """Save a version, or the one an alias points at, for use without the service.

    The zip has the model, a manifest with hashes, and a script that names the breed in photos.
    """
    path = f"/models/{path_part(version)}/export"
    _wait_until_made(client, path, form)
    into = out if out is not None else Path(f"model-{version}-{form}.zip")
    try:
        digest, size = fetch_checked(client, f"{path}?format={form}", into.resolve())
    except OSError as error:
        raise CommandError(f"{into} cannot be written: {error.strerror}.") from None
    if as_json:
        show_json({"path": str(into), "bytes": size, "sha256": digest})
        return
    say(f"{into}: {size} bytes, sha256 {digest[:12]}… as the service says")


def _wait_until_made(client: Client, path: str, form: str) -> None:
    stage = "waiting"
    with patiently(lambda: STAGES.get(stage, stage)):
        while True:
            with client.stream(f"{path}?format={form}", headers=WITHOUT_WAITING) as answer:
                if answer.status_code != HTTPStatus.ACCEPTED:
                    return
                answer.read()
                stage = str(json_of(answer)["stage"])
            sleep(ASK_SECONDS)
