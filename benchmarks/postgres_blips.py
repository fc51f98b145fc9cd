"""Whether a Postgres that is restarted again and again costs jobs an attempt.

``python -m benchmarks.postgres_blips`` starts a stack on a folder of its own, queues short jobs (an import, trainings,
searches for a rate and interpretations) and ends Postgres every 5 to 40 s, at moments and in ways that a seed decides:
a fast end, one at once, or by force. It prints each job with its attempts, and exits with 1 where a job did not succeed
or took more than one attempt.
"""

import argparse
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx

from benchmarks.stack import stack, told

QUICK = {"arch": "mobilenet_v3_small", "pretrained": False, "presize": 40, "size": 32, "batch_size": 16}
TRAIN = {**QUICK, "recipe": "one_cycle", "epochs": 1, "freeze": False}
FINAL = ("succeeded", "failed", "cancelled")
WAYS = (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL)
PAUSE_SECONDS = (5.0, 40.0)


def main() -> None:
    """Start, queue, restart, count."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, stack(Path(folder)) as client:
        over = threading.Event()
        chance = random.Random(asked.seed)  # noqa: S311 - no secret
        ended: list[str] = []
        blips = threading.Thread(target=_end_postgres, args=(Path(folder), chance, over, ended))
        blips.start()
        began = time.monotonic()
        try:
            jobs = [_told_end(client, job) for job in _queue(client, asked.jobs)]
        finally:
            over.set()
            blips.join()
    good = [job for job in jobs if (job["state"], job["attempt"]) == ("succeeded", 1)]
    seconds = time.monotonic() - began
    print(f"{len(good)} of {len(jobs)} jobs succeeded in their first attempt, in {seconds:.0f} s")
    print(f"Postgres was ended {len(ended)} times, seed {asked.seed}: {', '.join(ended)}")
    sys.exit(None if len(good) == len(jobs) else 1)


def _end_postgres(folder: Path, chance: random.Random, over: threading.Event, ended: list[str]) -> None:
    """End the server again and again; `up` starts it again."""
    while not over.wait(chance.uniform(*PAUSE_SECONDS)):
        way = chance.choice(WAYS)
        with suppress(ProcessLookupError):
            os.kill(told(folder)["pids"]["postgres"], way)
            ended.append(way.name)


def _queue(client: httpx.Client, number: int) -> Iterator[int]:
    """Queue so many jobs, the later of which need what the first two make; their ids."""
    first = _ask(lambda: client.post("/datasets/builtin", json={"builtin": "sample", "name": "sample"}))["id"]
    yield first
    _wait(client, first)
    made = _post(client, "first", {"kind": "train", "dataset": "sample", "config": TRAIN})
    yield made["id"]
    run = _wait(client, made["id"])["run"]
    of_others: list[dict[str, Any]] = [
        {"kind": "train", "dataset": "sample", "from_run": run, "config": TRAIN},
        {"kind": "interpret", "run": run},
        {"kind": "train", "dataset": "sample", "config": TRAIN},
    ]
    for count in range(number - 2):
        yield _post(client, f"job-{count}", of_others[count % len(of_others)])["id"]


def _post(client: httpx.Client, key: str, body: dict[str, Any]) -> dict[str, Any]:
    return _ask(lambda: client.post("/jobs", json=body, headers={"Idempotency-Key": key}))


def _told_end(client: httpx.Client, job_id: int) -> dict[str, Any]:
    job = _wait(client, job_id)
    said = f"job {job['id']:3d} {job['kind']:10s} {job['state']:10s} attempt {job['attempt']} {job['error'] or ''}"
    print(said, flush=True)
    return job


def _wait(client: httpx.Client, job_id: int) -> dict[str, Any]:
    while (job := _ask(lambda: client.get(f"/jobs/{job_id}")))["state"] not in FINAL:
        time.sleep(0.5)
    return job


def _ask(request: Callable[[], httpx.Response]) -> dict[str, Any]:
    """The answer, once the database is there to give it."""
    while True:
        with suppress(httpx.TransportError):
            answer = request()
            if answer.status_code < httpx.codes.INTERNAL_SERVER_ERROR:
                if answer.is_error:
                    sys.exit(f"{answer.request.url}: {answer.text}")
                found: dict[str, Any] = answer.json()
                return found
        time.sleep(0.5)


if __name__ == "__main__":
    main()
