"""``pedigree doctor``: what this installation is, and what is wrong with it."""

import json
import os
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click

from cli.client import Client, ServiceError, find_service
from cli.data_folder import DataFolder
from cli.errors import CommandError
from cli.options import data_option, json_option
from cli.services import HOUSE
from cli.stack import check_settings
from cli.tables import show_json, show_pairs
from store.settings import Settings

GIB = 1024**3
LEAST_FREE_GIB = 5.0
EMBEDDED = "(started by `pedigree up` in the data folder)"
PROBE = """
import json
from ml.errors import LearningError
from ml.versions import check_versions, installed_versions
found = {"versions": installed_versions(), "fit": "ok", "device": "unknown"}
try:
    check_versions()
    import torch
    cuda = torch.cuda.is_available()
    found["device"] = torch.cuda.get_device_name(0) if cuda else f"cpu, {torch.get_num_threads()} threads"
except LearningError as error:
    found["fit"] = f"{error.detail}. {error.hint or ''}"
print(json.dumps(found))
"""


@click.command()
@data_option
@click.option("--url", help="Address of the service [PEDIGREE_URL, else the stack running on the data folder].")
@json_option
def doctor(data: Path | None, url: str | None, as_json: bool) -> None:
    """Show settings (without secrets), versions, device, disk and whether the service answers."""
    folder = DataFolder.at(data)
    learning = look_at_learning()
    report: dict[str, dict[str, Any]] = {
        "settings": look_at_settings(folder),
        "versions": {"pedigree": version("pedigree"), **learning["versions"]},
        "machine": {"device": learning["device"], "torch and torchvision": learning["fit"], **look_at_disk(folder)},
        "service": look_at_service(url, folder),
    }
    if as_json:
        show_json(report)
    else:
        for title, found in report.items():
            click.echo(f"\n{title}")
            show_pairs([(f"  {name}", value) for name, value in found.items()])
    wrong = complaints(report)
    if wrong:
        raise CommandError("; ".join(wrong))


def look_at_settings(folder: DataFolder) -> dict[str, str]:
    """Every setting as the stack on this folder would have it, passwords hidden.

    Raises:
        StackError: one cannot be used.
    """
    root = folder.root
    embedded = {"DATABASE_URL": "postgresql://embedded", "REDIS_URL": "redis://embedded"}
    mine = {"ARTIFACTS_URL": (root / "artifacts").as_uri(), "PEDIGREE_CACHE": str(root / "cache")}
    told = {name: value for name, value in os.environ.items() if value}
    environment = {**embedded, **mine, "PEDIGREE_WEIGHTS": str(folder.weights), **told}
    check_settings(environment)
    shown = Settings.model_validate(environment).shown()
    return {"PEDIGREE_DATA": str(root)} | {
        name: EMBEDDED if name in embedded and name not in told else value for name, value in shown.items()
    }


def look_at_learning() -> dict[str, Any]:
    """Versions, whether torch and torchvision fit, and the device; asked of a process of its own."""
    probe = subprocess.run([sys.executable, "-c", PROBE], cwd=HOUSE, capture_output=True, text=True, check=False)  # noqa: S603  # our own words
    if probe.returncode != 0:
        why = (probe.stderr.strip().splitlines() or ["no reason given"])[-1]
        return {"versions": {}, "fit": f"the learning stack cannot be imported: {why}", "device": "unknown"}
    found: dict[str, Any] = json.loads(probe.stdout)
    return found


def look_at_disk(folder: DataFolder) -> dict[str, str]:
    """Room where the data folder is, or would be."""
    place = folder.root
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free / GIB
    little = "" if free >= LEAST_FREE_GIB else f"; less than {LEAST_FREE_GIB:.0f} GiB is little"
    return {"free disk": f"{free:.1f} GiB at {place}{little}"}


def look_at_service(url: str | None, folder: DataFolder) -> dict[str, str]:
    """Whether the service answers and which of its parts are ready; no service at all is no complaint."""
    if url is None and not os.environ.get("PEDIGREE_URL") and folder.stack() is None:
        return {"address": "none runs on this data folder"}
    try:
        with find_service(url, folder) as client:
            return {"address": client.url, **_parts(client)}
    except CommandError as error:
        return {"address": str(error)}


def complaints(report: dict[str, dict[str, Any]]) -> list[str]:
    """What is wrong enough for an exit code."""
    wrong = []
    if report["machine"]["torch and torchvision"] != "ok":
        wrong.append(str(report["machine"]["torch and torchvision"]))
    address = str(report["service"]["address"])
    if not address.startswith(("http", "none")):
        wrong.append(address)
    return wrong


def _parts(client: Client) -> dict[str, str]:
    try:
        ready = client.get("/readyz")
    except ServiceError as error:
        return {"ready": str(error)}
    return {name: str(state) for name, state in ready["parts"].items()}
