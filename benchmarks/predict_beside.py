"""``POST /predict`` by this checkout and by another, in one run: latency and requests a second, by turns.

    python -m benchmarks.predict_beside --python OTHER/.venv/bin/python --checkout OTHER [--photos FOLDER]

Each checkout starts its own service, trains a small number of steps on the drawn sample and puts the run in production.
Then the same photos are sent to one and the other in turn (A B, B A, …), by so many clients that each wait for an
answer before they send the next. Ratios are of the same turn: this checkout over the other.
"""

import argparse
import io
import itertools
import json
import os
import platform
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from PIL import Image

from benchmarks.served_model import ended
from benchmarks.stack import stack

TRAIN = {"arch": "resnet18", "pretrained": False, "recipe": "one_cycle", "epochs": 1, "freeze": False}
WARM_SECONDS = 1.0
HERE, OTHER = "this", "other"


def main() -> None:
    """Start both, measure by turns, print."""
    asked = _arguments()
    photos = _photos(asked.photos)
    with ExitStack() as stacks:
        urls = {
            HERE: _serving(stacks, sys.executable, Path.cwd()),
            OTHER: _serving(stacks, asked.python, asked.checkout),
        }
        turns: dict[int, list[dict[str, dict[str, float]]]] = {count: [] for count in asked.clients}
        for turn, count in itertools.product(range(asked.turns), asked.clients):
            order = (HERE, OTHER) if turn % 2 == 0 else (OTHER, HERE)
            turns[count].append({who: _load(urls[who], photos, count, asked.seconds) for who in order})
    machine = f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    print(json.dumps({"machine": machine, "photos": len(photos), "seconds_a_turn": asked.seconds}))
    for count, measured in turns.items():
        print(json.dumps({"clients": count, **{name: _beside(measured, name) for name in measured[0][HERE]}}))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", required=True, help="of the other checkout")
    parser.add_argument("--checkout", type=Path, required=True)
    parser.add_argument("--photos", type=Path, help="JPEG files to send; without it, 50 drawn ones of 500 by 375")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--turns", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each turn, after one to warm up")
    return parser.parse_args()


def _photos(folder: Path | None) -> list[bytes]:
    if folder:
        return [path.read_bytes() for path in sorted(folder.glob("*.jpg"))[:200]]
    random = np.random.default_rng(1)
    sent = []
    for _ in range(50):
        file = io.BytesIO()
        noise = random.integers(0, 256, (12, 16, 3), np.uint8)
        Image.fromarray(noise).resize((500, 375), Image.Resampling.BICUBIC).save(file, "JPEG", quality=90)
        sent.append(file.getvalue())
    return sent


def _serving(stacks: ExitStack, python: str, checkout: Path) -> str:
    """A started service with a run in production; its address."""
    folder = Path(stacks.enter_context(tempfile.TemporaryDirectory()))
    client = stacks.enter_context(stack(folder, python, checkout))
    ended(client, _add_sample(client))
    run = ended(client, client.post("/jobs", json={"kind": "train", "dataset": "sample", "config": TRAIN}))["run"]
    version = client.post("/models", json={"run": run}).raise_for_status().json()["version"]
    client.put("/models/aliases/production", json={"version": version}).raise_for_status()
    return str(client.base_url)


def _add_sample(client: httpx.Client) -> httpx.Response:
    asked = {"builtin": "sample", "name": "sample"}
    answer = client.post("/datasets/builtin", json=asked)
    # The other checkout may be one with a single route for every dataset.
    return client.post("/datasets", json=asked) if answer.status_code == HTTPStatus.METHOD_NOT_ALLOWED else answer


def _load(url: str, photos: Sequence[bytes], clients: int, seconds: float) -> dict[str, float]:
    """So many clients for so long; every answer must be 200."""
    begin = time.monotonic() + WARM_SECONDS
    times: list[float] = []
    each = [
        threading.Thread(target=_ask, args=(url, photos[number::clients] or photos, begin, begin + seconds, times))
        for number in range(clients)
    ]
    for one in each:
        one.start()
    for one in each:
        one.join()
    ordered = sorted(times)
    return {
        "requests_per_second": len(ordered) / seconds,
        "p50_ms": 1000 * statistics.median(ordered),
        "p99_ms": 1000 * ordered[int(0.99 * (len(ordered) - 1))],
    }


def _ask(url: str, photos: Sequence[bytes], begin: float, until: float, times: list[float]) -> None:
    with httpx.Client(base_url=url, timeout=60.0, trust_env=False) as client:
        for photo in itertools.cycle(photos):
            sent = time.monotonic()
            if sent > until:
                return
            client.post("/predict", files={"file": ("a.jpg", photo, "image/jpeg")}).raise_for_status()
            if sent > begin:
                times.append(time.monotonic() - sent)


def _beside(turns: Sequence[dict[str, dict[str, float]]], name: str) -> dict[str, Any]:
    ratios = [turn[HERE][name] / turn[OTHER][name] for turn in turns]
    medians = {who: round(statistics.median(turn[who][name] for turn in turns), 1) for who in (HERE, OTHER)}
    return {**medians, "ratio": [round(figure, 3) for figure in (statistics.median(ratios), min(ratios), max(ratios))]}


if __name__ == "__main__":
    main()
