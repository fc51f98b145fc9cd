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

from cli.backup import stack_environment
from cli.backup_process import run_backup
from cli.client import Client, find_service, foreign, json_of
from cli.data_folder import DataFolder
from cli.errors import CommandError
from cli.identity_provider import look_at_provider
from cli.options import URL_HELP, data_option, json_option
from cli.own_database import is_told
from cli.problems import sentences
from cli.running import find_stack
from cli.saying import say
from cli.services import HOUSE
from cli.stack import check_settings
from cli.tables import show_json, show_pairs
from cli.worker_versions import worker_versions
from store.settings import Settings

GIB = 1024**3
LEAST_FREE_GIB = 5.0
STOPPING_GIB = 0.25
WEIGHT_FILES = {".safetensors", ".pth"}
MOST_NAMED = 8
EMBEDDED = "(started by `pedigree up` in the data folder)"
SERVERS = {"DATABASE_URL": "postgresql://embedded", "REDIS_URL": "redis://embedded"}
PROBE = """
import json
from ml.errors import LearningError
from ml.versions import check_versions, installed_versions
found = {"versions": installed_versions(), "fault": None, "device": "unknown"}
try:
    check_versions()
    import torch
    cuda = torch.cuda.is_available()
    name = torch.cuda.get_device_name(0) if cuda else f"cpu, {torch.get_num_threads()} threads"
    built = "" if torch.version.cuda else "; this torch is built without CUDA, another build of it sees a GPU"
    unseen = built or "; torch sees no GPU: where there is one, `nvidia-smi` says whether its driver runs"
    found["device"] = name if cuda else name + unseen
except LearningError as error:
    found["fault"] = f"{error.detail}. {error.hint or ''}"
print(json.dumps(found))
"""


@click.command()
@data_option
@click.option("--url", help=URL_HELP)
@json_option
def doctor(data: Path | None, url: str | None, as_json: bool) -> None:
    """Show settings (without secrets), versions, device, disk and the service; exit code 1 where one is not well."""
    folder = find_stack(data).folder
    learning = look_at_learning()
    report: dict[str, dict[str, Any]] = {
        "settings": look_at_settings(folder),
        "versions": {"pedigree": version("pedigree"), **learning["versions"]},
        "machine": {
            "device": learning["device"],
            "torch and torchvision": learning["fault"] or "ok",
            **look_at_disk(folder),
        },
        "weights": look_at_weights(folder),
        "database and store": look_at_stores(folder, data, url),
        "service": look_at_service(url, data),
    }
    provider = look_at_provider(stack_settings(folder))
    if provider:
        report["sign-in"] = provider
    if as_json:
        show_json(report)
    else:
        for title, found in report.items():
            say(f"\n{title}")
            show_pairs([(f"  {name}", value) for name, value in found.items()])
    sections = (report["machine"], report["database and store"], report["service"], provider)
    wrong = [fault for fault in (learning["fault"], *(one.get("fault") for one in sections)) if fault]
    if wrong:
        raise CommandError(" ".join(wrong))


def look_at_settings(folder: DataFolder) -> dict[str, str]:
    """Every setting as the stack on this folder would have it, passwords hidden.

    Raises:
        StackError: one cannot be used.
    """
    told = {name for name, value in os.environ.items() if value}
    return {"PEDIGREE_DATA": str(folder.root)} | {
        name: EMBEDDED if name in SERVERS and name not in told else value
        for name, value in stack_settings(folder).shown().items()
    }


def stack_settings(folder: DataFolder) -> Settings:
    """The settings that the stack on this folder would have.

    Raises:
        StackError: one cannot be used.
    """
    root = folder.root
    mine = {"ARTIFACTS_URL": (root / "artifacts").as_uri(), "PEDIGREE_CACHE": str(root / "cache")}
    told = {name: value for name, value in os.environ.items() if value}
    environment = {**SERVERS, **mine, "PEDIGREE_WEIGHTS": str(folder.weights), **told}
    check_settings(environment)
    return Settings.model_validate(environment)


def look_at_learning() -> dict[str, Any]:
    """Versions, whether torch and torchvision fit, and the device; asked of a process of its own."""
    probe = subprocess.run([sys.executable, "-c", PROBE], cwd=HOUSE, capture_output=True, text=True, check=False)  # noqa: S603  # our own words
    if probe.returncode != 0:
        why = (probe.stderr.strip().splitlines() or ["no reason given"])[-1]
        return {"versions": {}, "fault": f"the learning stack cannot be imported: {why}", "device": "unknown"}
    found: dict[str, Any] = json.loads(probe.stdout)
    return found


def look_at_disk(folder: DataFolder) -> dict[str, str]:
    """Room where the data folder is, or would be."""
    place = folder.root
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free / GIB
    little = "" if free >= LEAST_FREE_GIB else f"; less than {LEAST_FREE_GIB:.0f} GiB is little"
    said = {"free disk": f"{free:.1f} GiB at {place}{little}"}
    if free < STOPPING_GIB:
        said["fault"] = f"{free:.2f} GiB are free at {place}, and trainings need more. Make room there."
    return said


def is_named(url: str | None, data: Path | None) -> bool:
    """Whether the service is named by its address, so that its parts may be another machine's."""
    return bool(url or (data is None and os.environ.get("PEDIGREE_URL")))


def look_at_stores(folder: DataFolder, data: Path | None, url: str | None) -> dict[str, str]:
    """Schema, clock, workers and lost jobs, whether the store takes a file, and the room for a backup.

    They are asked themselves, where they are this machine's to ask: no service that was named by its address is.
    """
    if is_named(url, data) or not (is_told(data) or folder.running()):
        return {"state": "not looked at; they are where the service runs on this data folder, or DATABASE_URL is set"}
    try:
        with stack_environment(data) as environment:
            told = run_backup(["examine"], environment)
    except CommandError as error:
        return {"fault": str(error)}
    found: dict[str, str] = told["found"]
    if told["needed_bytes"] is not None:
        free = shutil.disk_usage(folder.root if folder.root.exists() else Path.cwd()).free
        found["a backup"] = f"takes about {told['needed_bytes'] / GIB:.1f} GiB; {free / GIB:.1f} GiB are free here"
    return found | ({"fault": " ".join(told["faults"])} if told["faults"] else {})


def look_at_weights(folder: DataFolder) -> dict[str, str]:
    """Which pretrained weights the stack on this folder finds without fetching them."""
    place = Path(os.environ.get("PEDIGREE_WEIGHTS") or folder.weights)
    try:
        names = sorted(path.name for path in place.iterdir() if path.suffix in WEIGHT_FILES)
    except OSError:
        names = []
    found = ", ".join(names[:MOST_NAMED]) + (f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else "")
    return {"folder": str(place), "files": found or "none yet; `pedigree weights fetch mobilenet_v2` gets some"}


def look_at_service(url: str | None, data: Path | None) -> dict[str, str]:
    """Where the service answers, what each of its parts says, and as ``fault`` what is wrong, if anything is."""
    try:
        with find_service(url, data) as client:
            found = {"address": client.url, **readiness(client)}
            # The first fault is to be mended first: a service that is not ready says nothing of its workers.
            return found if "fault" in found else found | look_at_workers(client)
    except CommandError as error:
        return {"fault": str(error)}


def look_at_workers(client: Client) -> dict[str, str]:
    """Which code the API and its workers run; nothing where the service does not say."""
    answer = client.answer("GET", "/workers")
    return worker_versions(json_of(answer)) if answer.is_success else {}


def readiness(client: Client) -> dict[str, str]:
    """The parts of GET /readyz, which answers 503 with the same field where one is not ready.

    That no model is in production is no fault: it comes of the first training.

    Raises:
        CommandError: it is not Pedigree that answers, or it asks for a key.
    """
    answer = client.answer("GET", "/readyz")
    said = json_of(answer)
    if isinstance(said, dict) and said.get("code") in {"key_needed", "scope_missing"}:
        raise CommandError(*sentences(said))
    if not isinstance(said, dict) or not isinstance(said.get("parts"), dict):
        raise foreign(answer)
    parts = {name: str(state) for name, state in said["parts"].items()}
    if answer.is_success or said.get("code") == "no_model":
        return parts
    detail, hint = sentences({"detail": "one of its parts does not say why"} | said)
    return parts | {"fault": f"The service is not ready: {detail}{f' {hint}' if hint else ''}"}
