"""The API replaced under load: ``[--restarts 5] [--clients 16] [--seconds 10]``.

    python -m benchmarks.restart_under_load

Clients ask one thing after the other of one service: half of them over a connection that they keep as long as they may,
half over a new one each time; every eighth request is a body of 2 MiB that comes slowly. Beside them one follows the
stream of all events. `pedigree restart` is run again and again. No request may fail, whatever a failure is: a broken
connection, a refused one, or an answer that is none of 200. Exits with 1 where one does.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any

import httpx

from benchmarks.stack import stack, told

PROBLEM = "application/problem+json"
SLOW_PIECES, SLOW_PAUSE, PIECE = 8, 0.05, bytes(256 * 1024)


@dataclass
class Load:
    """What the clients saw."""

    over: Event = field(default_factory=Event)
    seconds: list[float] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    streams: int = 0


def main() -> None:
    """Do it, print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--restarts", type=int, default=5)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=10.0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        found = measured(Path(scratch), asked.restarts, asked.clients, asked.seconds)
    print(json.dumps(found, indent=2))
    sys.exit(1 if found["failed"] else 0)


def measured(folder: Path, restarts: int, clients: int, seconds: float) -> dict[str, Any]:
    """Ask while the API is replaced so many times, and for so long after each."""
    load = Load()
    with stack(folder) as client, ThreadPoolExecutor(clients + 1) as pool:
        url = str(client.base_url)
        asking = [pool.submit(_ask, load, url, keeps=number % 2 == 0) for number in range(clients)]
        asking.append(pool.submit(_follow, load, url))
        processes = [told(folder)["pids"]["api"]]
        try:
            for _ in range(restarts):
                _restart(folder)
                processes.append(told(folder)["pids"]["api"])
                time.sleep(seconds)
        finally:
            load.over.set()
        for one in asking:
            one.result()
    ordered = sorted(load.seconds)
    return {
        "requests": len(ordered),
        "failed": dict(load.faults),
        "processes": len(set(processes)),
        "streams": load.streams,
        "p50_ms": round(1000 * ordered[len(ordered) // 2], 1),
        "p99_ms": round(1000 * ordered[len(ordered) * 99 // 100], 1),
        "slowest_ms": round(1000 * ordered[-1], 1),
    }


def _ask(load: Load, url: str, *, keeps: bool) -> None:
    """Ask until it is over."""
    number = 0
    with httpx.Client(base_url=url, timeout=120.0, trust_env=False) as kept:
        while not load.over.is_set():
            number += 1
            began = time.monotonic()
            try:
                if keeps:
                    status = _once(kept, number)
                else:
                    with httpx.Client(base_url=url, timeout=120.0, trust_env=False) as fresh:
                        status = _once(fresh, number)
            except httpx.HTTPError as error:
                load.faults[f"{type(error).__name__}: {error}"] += 1
            else:
                load.seconds.append(time.monotonic() - began)
                if status != httpx.codes.OK:
                    load.faults[str(status)] += 1


def _once(client: httpx.Client, number: int) -> int:
    """A list, or a body that comes slowly. Nothing is in production: to be told that is the answer, and no other."""
    if number % 8:
        return client.get("/datasets").status_code
    answer = client.post("/predict", content=_slowly(), headers={"Content-Type": "image/jpeg"})
    is_told = answer.headers["content-type"] == PROBLEM and answer.json()["code"] == "no_model"
    return httpx.codes.OK if is_told else answer.status_code


def _slowly() -> Iterator[bytes]:
    for _ in range(SLOW_PIECES):
        time.sleep(SLOW_PAUSE)
        yield PIECE


def _follow(load: Load, url: str) -> None:
    """Read the stream of events; when it ends, follow again, as a browser does."""
    with httpx.Client(base_url=url, timeout=httpx.Timeout(5.0, read=1.0), trust_env=False) as client:
        while not load.over.is_set():
            load.streams += 1
            try:
                with client.stream("GET", "/events") as answer:
                    for _ in answer.iter_lines():
                        if load.over.is_set():
                            return
            except (httpx.ReadTimeout, httpx.RemoteProtocolError):
                continue  # nothing has happened for a second, or the stream was cut for its reader to go on elsewhere
            except httpx.HTTPError as error:
                load.faults[f"stream: {type(error).__name__}: {error}"] += 1


def _restart(folder: Path) -> None:
    words = [sys.executable, "-m", "cli.main", "restart", "--data", str(folder)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)


if __name__ == "__main__":
    main()
