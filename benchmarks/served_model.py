"""A model in production on a service that a benchmark started, and what this machine runs it by."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx

FINAL = ("succeeded", "failed", "cancelled")
TRAIN = {"arch": "resnet18", "pretrained": False, "recipe": "one_cycle", "epochs": 1, "freeze": False}
PROBE = {"arch": "resnet18", "recipe": "probe"}
CHOICE_SECONDS = 600.0
MODEL_FILES = ("model.safetensors", "model.json")


def put_in_production(client: httpx.Client, photos: Path | None = None) -> int:
    """Train, register, wait until the way to run it is chosen; the version.

    Args:
        client: of the service.
        photos: a folder, on which a head is fitted to weights that are in reach; None: an epoch on the drawn sample.
    """
    if photos is None:
        ended(client, client.post("/datasets/builtin", json={"builtin": "sample", "name": "sample"}))
        what = {"dataset": "sample", "config": TRAIN}
    else:
        _add(client, photos)
        what = {"dataset": "photos", "config": PROBE}
    run = ended(client, client.post("/jobs", json={"kind": "train", **what}))["run"]
    asked = {"run": run, "alias": "production"}
    version = int(client.post("/models", json=asked, timeout=CHOICE_SECONDS).raise_for_status().json()["version"])
    deadline = time.monotonic() + CHOICE_SECONDS
    while not model(client, version)["choices"] and time.monotonic() < deadline:
        time.sleep(1)
    if not model(client, version)["choices"]:
        sys.exit(f"no way to run version {version} was chosen within {CHOICE_SECONDS:g} s")
    return version


def _add(client: httpx.Client, photos: Path) -> None:
    command = [sys.executable, "-c", "from cli.main import main; main()", "datasets", "add", "photos", str(photos)]
    environment = {**os.environ, "PEDIGREE_URL": str(client.base_url)}
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)


def ended(client: httpx.Client, queued: httpx.Response) -> dict[str, Any]:
    """The job, when it has succeeded."""
    job: dict[str, Any] = queued.raise_for_status().json()
    while job["state"] not in FINAL:
        time.sleep(0.5)
        job = client.get(f"/jobs/{job['id']}").raise_for_status().json()
    if job["state"] != "succeeded":
        sys.exit(f"job {job['id']} ended {job['state']}: {job['error']}")
    return job


def model(client: httpx.Client, version: int) -> dict[str, Any]:
    """A version, with what was measured to choose its way."""
    found: dict[str, Any] = client.get(f"/models/{version}").raise_for_status().json()
    return found


def fetch(client: httpx.Client, version: int, folder: Path) -> dict[str, Any] | None:
    """Put the version's files into the folder; the way that it is run by, None where that is the exact one."""
    about = model(client, version)
    for name in MODEL_FILES:
        answer = client.get(f"/runs/{about['run']}/artifacts/{name}").raise_for_status()
        (folder / name).write_bytes(answer.content)
    way: dict[str, Any] | None = about["machines"][0]["way"] if about["machines"] else None
    (folder / "way.json").write_text(json.dumps(way))
    return way
