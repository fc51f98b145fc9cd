"""Predictions for many minutes while everything else happens too.

    python -m benchmarks.predict_soak --photos FOLDER

A service of its own with two versions is asked by clients that wait for each answer. Meanwhile production is pointed at
the other version every few seconds, pictures made to harm are sent one after the other, and one training after another
runs. Printed are what failed, and each minute's rate, times and memory of the API, as a table for the docs. It exits
with 1 where a request failed, or where the memory was not flat: in the median of its last third of minutes higher than
in that of its first by more than 10 % and 20 MiB.
"""

import argparse
import itertools
import json
import statistics
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx

from benchmarks.served_model import FINAL, TRAIN, ended, put_in_production
from benchmarks.soak.flat import Course
from benchmarks.stack import stack, told
from benchmarks.under_attack import memory_of
from tests.ml.hostile_pictures import scan_bomb, tile_bomb

PAUSE_SECONDS = 1.0
"""Between two pictures made to harm."""
LOOK_SECONDS = 1.0
HEAD = (
    "minute",
    "requests",
    "a second",
    "p50 ms",
    "p99 ms",
    "failed",
    "API MiB",
    "with children",
    "swaps",
    "trainings",
)


@dataclass
class Beside:
    """What went on beside the load."""

    swaps: int = 0
    trainings: int = 0
    hostile: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)


def main() -> None:
    """Start, load minute by minute, print the table."""
    asked = _arguments()
    beside = Beside()
    with ExitStack() as started:
        folder = Path(started.enter_context(tempfile.TemporaryDirectory()))
        client = started.enter_context(stack(folder))
        versions = [put_in_production(client), _second_version(client)]
        url, api = str(client.base_url), int(told(folder)["pids"]["api"])
        work = (
            lambda: _swap(url, versions, asked.swap, beside),
            lambda: _send_hostile(url, beside),
            lambda: _train(url, beside),
        )
        threads = [threading.Thread(target=_noted, args=(one, beside)) for one in work]
        for thread in threads:
            thread.start()
        try:
            rows = [_minute(number, url, api, asked, beside) for number in range(1, asked.minutes + 1)]
        finally:
            beside.stop.set()
            for thread in threads:
                thread.join()
    print(table(rows))
    print(json.dumps({"hostile": dict(beside.hostile), "failures_beside": beside.failures}))
    if beside.failures or any(row[HEAD.index("failed")] for row in rows):
        sys.exit("something failed")
    if not is_flat([row[HEAD.index("API MiB")] for row in rows]):
        sys.exit("the API's memory grew")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True, help="a folder of JPEG files, of which 200 are sent")
    parser.add_argument("--minutes", type=int, default=10)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--swap", type=float, default=5.0, help="seconds between two swaps of production")
    return parser.parse_args()


def _second_version(client: httpx.Client) -> int:
    run = ended(client, client.post("/jobs", json={"kind": "train", "dataset": "sample", "config": TRAIN}))["run"]
    return int(client.post("/models", json={"run": run}, timeout=600).raise_for_status().json()["version"])


def _minute(number: int, url: str, api: int, asked: argparse.Namespace, beside: Beside) -> list[Any]:
    """One minute of load; its row."""
    command = ["-m", "benchmarks.load", f"{url}/predict", "file", str(asked.photos), str(asked.clients), "59"]
    done = subprocess.run([sys.executable, *command], check=True, capture_output=True, text=True)
    found = json.loads(done.stdout)
    memory = memory_of(api)
    row = [number, found["requests"], found["requests_per_second"], found["p50_ms"], found["p99_ms"], found["failed"]]
    return [*row, memory["peak_of_api"], memory["api_and_children"], beside.swaps, beside.trainings]


def _noted(work: Callable[[], None], beside: Beside) -> None:
    """Whatever ends the work beside is a failure of the whole."""
    try:
        work()
    except (httpx.HTTPError, SystemExit, ValueError) as error:
        beside.failures.append(f"{type(error).__name__}: {error}")


def _swap(url: str, versions: Sequence[int], seconds: float, beside: Beside) -> None:
    with httpx.Client(base_url=url, timeout=120, trust_env=False) as client:
        for version in itertools.cycle(reversed(versions)):
            if beside.stop.wait(seconds):
                return
            client.put("/models/aliases/production", json={"version": version}).raise_for_status()
            beside.swaps += 1


def _send_hostile(url: str, beside: Beside) -> None:
    pictures = [scan_bomb(3000, 500), tile_bomb(100, 12_000), b"no picture", scan_bomb(3000, 500)[:5000]]
    with httpx.Client(base_url=url, timeout=120, trust_env=False) as client:
        for picture in itertools.cycle(pictures):
            if beside.stop.wait(PAUSE_SECONDS):
                return
            answer = client.post("/predict", files={"file": ("a.jpg", picture)})
            beside.hostile[f"{answer.status_code} {answer.json().get('code')}"] += 1
            if answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR or answer.is_success:
                beside.failures.append(f"a picture made to harm was answered {answer.status_code}")


def _train(url: str, beside: Beside) -> None:
    with httpx.Client(base_url=url, timeout=120, trust_env=False) as client:
        while not beside.stop.is_set():
            queued = client.post("/jobs", json={"kind": "train", "dataset": "sample", "config": TRAIN})
            job = queued.raise_for_status().json()["id"]
            while (state := client.get(f"/jobs/{job}").raise_for_status().json()["state"]) not in FINAL:
                if beside.stop.wait(LOOK_SECONDS):
                    client.post(f"/jobs/{job}/cancel").raise_for_status()
                    return
            if state != "succeeded":
                beside.failures.append(f"training {job} ended {state}")
            beside.trainings += 1


def is_flat(mib: Sequence[float]) -> bool:
    """Whether a process held little more in the last third of its minutes than in the first, of two at least."""
    third = max(1, len(mib) // 3)
    early, late = statistics.median(mib[:third]), statistics.median(mib[-third:])
    return Course("API", "mib", lives=1, seconds=60.0 * len(mib), before=early, after=late).is_flat


def table(rows: Sequence[Sequence[Any]]) -> str:
    """For the docs."""
    lines = [HEAD, ["---"] * len(HEAD), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


if __name__ == "__main__":
    main()
