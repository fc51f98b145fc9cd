"""``pedigree weights``: pretrained weights for workers that cannot reach torchvision's host."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import click

from cli import completion
from cli.data_folder import DataFolder
from cli.errors import CommandError
from cli.lazy import Group
from cli.options import data_option, json_option, known_architecture
from cli.running import find_stack
from cli.saying import say
from cli.services import HOUSE
from cli.tables import show_json
from cli.transfer import Transfer
from ml.errors import WeightsMissing


class NoWeights(CommandError):
    """No source has the weights that were asked for."""


@dataclass(frozen=True)
class Weights:
    """A weights file: where it is, its digest, and in words where it came from."""

    path: str
    sha256: str
    source: str


@click.group(cls=Group)
def weights() -> None:
    """Get pretrained weights."""


@weights.command()
@click.argument("arch", callback=known_architecture, shell_complete=completion.architectures)
@click.option(
    "--into", type=click.Path(path_type=Path, file_okay=False), help="Folder [PEDIGREE_WEIGHTS, else DATA/weights]."
)
@data_option
@json_option
def fetch(arch: str, into: Path | None, data: Path | None, as_json: bool) -> None:
    """Put ARCH's pretrained weights where the workers of this data folder look."""
    found = ask_for_weights("fetch", arch, weights_folder(find_stack(data).folder), into)
    if as_json:
        show_json(vars(found))
        return
    say(f"{found.path}\nsha256 {found.sha256}\nfrom {found.source}")


def weights_folder(folder: DataFolder) -> Path:
    """Where the workers of a data folder look first."""
    return Path(os.environ.get("PEDIGREE_WEIGHTS") or folder.weights).expanduser().absolute()


def ask_for_weights(verb: Literal["find", "fetch"], arch: str, folder: Path, into: Path | None = None) -> Weights:
    """Find or fetch weights in a process of its own, showing how far a download has come.

    They go into the folder where trainings look, unless they are to go ``into`` another one.

    Raises:
        NoWeights: there are none to be had.
        CommandError: the process itself failed.
    """
    command = [sys.executable, "-m", "cli.weights_process", verb, arch, str((into or folder).absolute()), str(folder)]
    with subprocess.Popen(command, cwd=HOUSE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:  # noqa: S603  # our own module
        last: dict[str, object] = {}
        with Transfer("receiving") as show:
            for line in process.stdout or ():
                last = json.loads(line)
                if "done" in last:
                    show(int(str(last["done"])), int(str(last["total"])))
        said = process.stderr.read().strip() if process.stderr else ""
    if "path" in last:
        return Weights(str(last["path"]), str(last["sha256"]), str(last["source"]))
    if "code" in last:
        hint = last["hint"]
        if verb == "fetch" and last["code"] == WeightsMissing.code:  # the hint is about a training's options
            hint = f"Put {arch}.safetensors into {into or folder} yourself."
        raise NoWeights(f"{last['detail']}.", None if hint is None else str(hint))
    raise CommandError(f"The search for weights failed: {(said.splitlines() or ['it said nothing'])[-1]}")
