"""A backup in the middle of jobs, restored elsewhere: ``[--jobs 20]``.

    python -m benchmarks.backup_midway

A service has a model in production and so many jobs, trainings and a search. When a third of them has ended, an archive
is sent for import and `pedigree backup` is run beside the rest, while photos are predicted. The backup is restored into
a new folder and its service started. All jobs must succeed there, the same photo get the same answer, and every file
that the runs of the first service had at that moment have the same sha256. Exits with 1 where one fails.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from threading import Event
from typing import Any
from zipfile import ZipFile

import httpx
from PIL import Image

from benchmarks.stack import stack

WAIT_SECONDS = 1800.0
OVER = {"succeeded", "failed", "cancelled"}
COLOURS = {"Abyssinian": (220, 30, 30), "beagle": (30, 220, 30), "pug": (30, 30, 220)}
SMALL = {"arch": "mobilenet_v3_small", "pretrained": False, "presize": 128, "size": 128, "batch_size": 8}
TRAINING = {"recipe": "one_cycle", "lr_max": 1e-3, "freeze": False, **SMALL}
Json = dict[str, Any]


@dataclass(frozen=True)
class Before:
    """What the first service had when its backup was made."""

    photo: bytes
    answer: Json
    files: dict[str, str]


def main() -> None:
    """Do it, print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=20)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        found = measured(Path(scratch), asked.jobs)
    print(json.dumps(found, indent=2))
    sys.exit(0 if is_well(found) else 1)


def is_well(found: Json) -> bool:
    """Whether nothing was lost and nothing is other than it was."""
    return bool(found["answer_equal"]) and not found["files_apart"] and found["ended"] == {"succeeded": found["jobs"]}


def measured(scratch: Path, jobs: int) -> Json:
    """Back up in the middle of so many jobs, restore, and wait for the end of all."""
    first, second, file = scratch / "first", scratch / "second", scratch / "it.tar"
    with stack(first) as client:
        _prepare(client)
        begun = [_queue(client, number) for number in range(jobs)]
        _until_ended(client, begun, len(begun) // 3)
        photo = _photo((210, 35, 33))
        before = Before(photo, _predicted(client, photo), _files(client))
        begun.append(_import(client, "more", each=100))
        began = time.monotonic()
        made, answered, slowest = _backed_up(client, first, file)
        took = time.monotonic() - began
    began = time.monotonic()
    restored = _pedigree("restore", str(file), "--data", str(second), "--json")
    restoring = time.monotonic() - began
    with stack(second) as client:
        _until_ended(client, begun, len(begun))
        ended = [str(client.get(f"/jobs/{job}").raise_for_status().json()["state"]) for job in begun]
        answer = _predicted(client, before.photo)
        files = _files(client)
    return {
        "jobs": len(begun),
        "were_running": restored["jobs_were_running"],
        "were_queued": restored["jobs_were_queued"],
        "ended": {state: ended.count(state) for state in sorted(set(ended))},
        "answer_equal": answer == before.answer,
        "files_apart": sorted(key for key, digest in before.files.items() if files.get(key) != digest),
        "files_compared": len(before.files),
        "backup_mib": round(made["bytes"] / 2**20, 1),
        "backup_seconds": round(took, 1),
        "restore_seconds": round(restoring, 1),
        "predicted_meanwhile": answered,
        "slowest_prediction_ms": round(slowest * 1000),
    }


def _prepare(client: httpx.Client) -> None:
    """A dataset and a model in production."""
    _until_ended(client, [_import(client, "colours", each=8)], 1)
    body = {"kind": "train", "dataset": "colours", "config": {**TRAINING, "epochs": 2}}
    job = client.post("/jobs", json=body).raise_for_status().json()
    _until_ended(client, [job["id"]], 1)
    client.post("/models", json={"run": job["run"], "alias": "production"}).raise_for_status()


def _queue(client: httpx.Client, number: int) -> int:
    """The second is a search, all others are trainings."""
    if number == 1:
        searched = {"trials": 2, "config": {**TRAINING, "epochs": 1}, "space": {"lr_max": [1e-4, 1e-2]}}
        body: Json = {"kind": "search", "dataset": "colours", **searched}
    else:
        body = {"kind": "train", "dataset": "colours", "config": {**TRAINING, "epochs": 3, "seed": number}}
    return int(client.post("/jobs", json=body).raise_for_status().json()["id"])


def _import(client: httpx.Client, name: str, each: int) -> int:
    archive = BytesIO()
    with ZipFile(archive, "w") as packed:
        for breed, colour in COLOURS.items():
            for number in range(each):
                packed.writestr(f"{breed}_{number + 1}.jpg", _photo((colour[0], colour[1], colour[2] - number)))
    files = {"archive": ("photos.zip", archive.getvalue(), "application/zip")}
    return int(client.post("/datasets", data={"name": name}, files=files).raise_for_status().json()["id"])


def _photo(colour: tuple[int, int, int]) -> bytes:
    written = BytesIO()
    Image.new("RGB", (96, 80), colour).save(written, "JPEG")
    return written.getvalue()


def _until_ended(client: httpx.Client, jobs: list[int], count: int) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while sum(client.get(f"/jobs/{job}").raise_for_status().json()["state"] in OVER for job in jobs) < count:
        if time.monotonic() > deadline:
            sys.exit("the jobs did not end")
        time.sleep(0.3)


def _backed_up(client: httpx.Client, data: Path, file: Path) -> tuple[Json, int, float]:
    """Back up while photos are predicted: what it said, how many answers came meanwhile, and the slowest's seconds."""
    over = Event()
    times: list[float] = []

    def predict() -> None:
        while not over.is_set():
            began = time.monotonic()
            _predicted(client, _photo((200, 40, len(times) % 50)))
            times.append(time.monotonic() - began)

    with ThreadPoolExecutor(1) as pool:
        predicting = pool.submit(predict)
        try:
            made = _pedigree("backup", str(file), "--data", str(data), "--json")
        finally:
            over.set()
        predicting.result()
    return made, len(times), max(times)


def _predicted(client: httpx.Client, photo: bytes) -> Json:
    """The answer, without what is new in each."""
    sent = client.post("/predict", content=photo, headers={"Content-Type": "image/jpeg"}).raise_for_status().json()
    return {"model": sent["model"], "predictions": [_lasting(one) for one in sent["predictions"]]}


def _lasting(entry: Json) -> Json:
    return {name: value for name, value in entry.items() if name not in {"id", "milliseconds"}}


def _files(client: httpx.Client) -> dict[str, str]:
    """The sha256 of each file of each run, as it is sent."""
    found = {}
    for run in client.get("/runs", params={"limit": 100}).raise_for_status().json()["items"]:
        for file in client.get(f"/runs/{run['id']}").raise_for_status().json()["artifacts"]:
            sent = client.get(f"/runs/{run['id']}/artifacts/{file['name']}").raise_for_status().content
            found[f"{run['id']}/{file['name']}"] = sha256(sent).hexdigest()
    return found


def _pedigree(*words: str) -> Json:
    done = subprocess.run([sys.executable, "-m", "cli.main", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    told: Json = json.loads(done.stdout)
    return told


if __name__ == "__main__":
    main()
