"""A search over settings on the drawn sample, all of whose processes are killed in the middle: ``[--trials 20]``.

    python -m benchmarks.search_kill

A stack of its own, small networks and photos from scratch, so that a trial takes seconds. When half of the trials have
begun and one is at work, every process of the stack gets SIGKILL at once, Postgres and Redis too. Then it is started
again on the same folder and nothing else is done. Prints what came of the trials, how often a training was taken up,
what is lost and what is there twice, and the seconds until the search moved on again. Exits with 1 where it did not end
well.
"""

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx

from benchmarks.stack import stack

LONGEST_SECONDS = 3600.0
LOOK_SECONDS = 0.2
CONFIG = {
    "recipe": "one_cycle",
    "arch": "mobilenet_v3_small",
    "pretrained": False,
    "freeze": False,
    "epochs": 4,
    "presize": 72,
    "size": 64,
    "batch_size": 32,
}
SPACE = {
    "lr_max": {"low": 1e-4, "high": 3e-2, "log": True},
    "batch_size": [16, 32, 64],
    "augment.max_rotate": {"low": 0, "high": 20},
}
Json = dict[str, Any]


def main() -> None:
    """Search, kill, start again, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--pruner", choices=["median", "hyperband", "none"], default="median")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "data"
        folder.mkdir()
        with stack(folder) as client:
            job = _begin(client, asked)
            before = _wait(client, job, lambda trials: len(trials) > asked.trials // 2 and _is_at_work(trials[-1]))
            killed = _kill_all(folder)
        (folder / "stack.json").unlink(missing_ok=True)
        begun = time.monotonic()
        with stack(folder) as client:
            _wait(client, job, lambda trials: len(trials) > len(before))
            moved_on = time.monotonic() - begun
            found = _ended(client, job)
            told = _told(client, found, before)
    print(json.dumps({"killed_processes": killed, "seconds_until_it_moved_on": round(moved_on, 1), **told}, indent=2))
    is_well = told["state"] == "succeeded" and not told["lost"] and not told["twice"]
    sys.exit(0 if is_well else 1)


def _begin(client: httpx.Client, asked: argparse.Namespace) -> int:
    taken = client.post("/datasets/builtin", json={"name": "sample", "builtin": "sample"}).raise_for_status().json()
    _job_ended(client, taken["id"])
    body = {"kind": "search", "dataset": "sample", "config": CONFIG, "space": SPACE}
    body |= {"trials": asked.trials, "minutes": asked.minutes, "pruner": asked.pruner}
    return int(client.post("/jobs", json=body).raise_for_status().json()["id"])


def _wait(client: httpx.Client, job: int, holds: Any) -> list[Json]:  # noqa: ANN401 - a function of the trials
    """The trials, once they are as asked."""
    for _ in _looks():
        trials: list[Json] = client.get(f"/jobs/{job}/trials").raise_for_status().json()["items"]
        if holds(trials):
            return trials
    sys.exit("the search does not go on")


def _is_at_work(trial: Json) -> bool:
    return bool(trial["state"] == "running" and trial["epochs"] > 0)


def _ended(client: httpx.Client, job: int) -> Json:
    return _job_ended(client, job)


def _job_ended(client: httpx.Client, job: int) -> Json:
    for _ in _looks():
        found: Json = client.get(f"/jobs/{job}").raise_for_status().json()
        if found["state"] in {"succeeded", "failed", "cancelled"}:
            return found
    sys.exit(f"job {job} does not end")


def _looks() -> Iterator[None]:
    deadline = time.monotonic() + LONGEST_SECONDS
    while time.monotonic() < deadline:
        yield
        time.sleep(LOOK_SECONDS)


def _told(client: httpx.Client, job: Json, before: list[Json]) -> Json:
    """What came of it, held against what was there before the kill."""
    trials: list[Json] = client.get(f"/jobs/{job['id']}/trials").raise_for_status().json()["items"]
    runs = [trial["run"] for trial in trials]
    jobs = [
        client.get("/jobs", params={"run": run, "kind": "train"}).raise_for_status().json()["items"] for run in runs
    ]
    settled = [trial for trial in before if trial["outcome"] is not None]
    values = [trial["value"] for trial in trials if trial["outcome"] == "done"]
    return {
        "state": job["state"],
        "trials": len(trials),
        "outcomes": dict(Counter(trial["outcome"] for trial in trials)),
        "trials_before_the_kill": len(before),
        "lost": [trial["trial"] for trial in settled if trial not in trials],
        "twice": [run for run, own in zip(runs, jobs, strict=True) if runs.count(run) > 1 or len(own) != 1],
        "taken_up_again": sum(own[0]["attempt"] > 1 for own in jobs),
        "first_error_rate": trials[0]["value"],
        "best": job["study"]["best"],
        "median_of_whole_trials": sorted(values)[len(values) // 2] if values else None,
        "epochs_trained": sum(trial["epochs"] for trial in trials),
        "epochs_without_pruning": CONFIG["epochs"] * len(trials),  # type: ignore[operator]
        "spent_seconds": round(job["study"]["spent_seconds"], 1),
    }


def _kill_all(folder: Path) -> int:
    """SIGKILL for all that was started on the folder; how many processes that were."""
    victims = [pid for pid in _processes() if _is_of(pid, folder)]
    for pid in victims:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return len(victims)


def _processes() -> Iterator[int]:
    yield from (
        int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit() and int(entry.name) != os.getpid()
    )


def _is_of(pid: int, folder: Path) -> bool:
    """By its words or its environment: a stack's processes name its folder."""
    told = str(folder).encode()
    with suppress(OSError):
        return any(told in Path(f"/proc/{pid}/{what}").read_bytes() for what in ("cmdline", "environ"))
    return False


if __name__ == "__main__":
    main()
