"""What others wait while costly pictures are sent: ``python -m benchmarks.under_attack --data DATA [PICTURE ...]``.

A running stack with a model in production is asked for honest predictions and its health, first alone, then beside
clients (four, where ``--attackers`` says nothing else) that send nothing but the pictures named (by default a JPEG of
repeated scans, a TIFF with a huge tile, and a JPEG of two million markers).
"""

import argparse
import io
import json
import multiprocessing
import os
import platform
import resource
import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from PIL import Image

from tests.ml.hostile_pictures import marker_bomb, scan_bomb, tile_bomb

ATTACKERS = 4
SECONDS = 60.0
BETWEEN = 0.1
"""Seconds that an honest client leaves between two requests."""


def main() -> None:
    """Print the times of both halves, what the attackers were answered, and the API's memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="data folder of the running stack")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of each half")
    parser.add_argument("--pause", type=float, default=0.0, help="seconds between two requests of an attacker")
    parser.add_argument("--attackers", type=int, default=ATTACKERS)
    parser.add_argument("pictures", nargs="*", type=Path)
    args = parser.parse_args()
    stack = json.loads((args.data / "stack.json").read_text())
    hostile = [path.read_bytes() for path in args.pictures] or [
        scan_bomb(7000, 500),
        tile_bomb(100, 26_688),
        marker_bomb(),
    ]
    api = stack["pids"]["api"]
    before = memory_of(api)
    usual = asked(stack["url"], args.seconds)
    stop = multiprocessing.Event()
    with ProcessPoolExecutor(args.attackers, initializer=_share, initargs=(stop,)) as pool:
        attacks = [pool.submit(attack, stack["url"], hostile, args.pause) for _ in range(args.attackers)]
        attacked = asked(stack["url"], args.seconds)
        peak = memory_of(api)
        stop.set()
        answered = [one.result() for one in attacks]
    answers = sum((counted for counted, _ in answered), Counter[str]())
    machine = f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    told = {
        "machine": machine,
        "seconds_of_each_half": args.seconds,
        "usual": usual,
        "attacked": attacked,
        "attackers": args.attackers,
        "cores_of_attackers": round(_cpu_seconds_of_ended() / args.seconds, 2),
        "answers": dict(answers),
        "slowest_answer_seconds": round(max(slowest for _, slowest in answered), 2),
        "api_mib": {"before": before, "after": peak},
    }
    print(json.dumps(told, indent=2))


def asked(url: str, seconds: float) -> dict[str, Any]:
    """The times of honest predictions and of health, asked at the same time; milliseconds."""
    photo = io.BytesIO()
    noise = np.random.default_rng(1).integers(0, 256, (12, 16, 3), np.uint8)
    Image.fromarray(noise).resize((500, 375), Image.Resampling.BICUBIC).save(photo, "JPEG", quality=90)
    until = time.monotonic() + seconds
    health: list[float] = []

    def ask_health() -> None:
        with httpx.Client(base_url=url, timeout=60, trust_env=False) as client:
            each(until, health, lambda: client.get("/healthz"))

    beside = threading.Thread(target=ask_health)
    beside.start()
    predictions: list[float] = []
    with httpx.Client(base_url=url, timeout=60, trust_env=False) as client:
        each(until, predictions, lambda: client.post("/predict", files={"file": ("a.jpg", photo.getvalue())}))
    beside.join()
    return {"predict": spread(predictions), "healthz": spread(health)}


def each(until: float, times: list[float], ask: Callable[[], httpx.Response]) -> None:
    """Ask again and again; every answer must be 200."""
    while time.monotonic() < until:
        begun = time.perf_counter()
        ask().raise_for_status()
        times.append(1000 * (time.perf_counter() - begun))
        time.sleep(BETWEEN)


def attack(url: str, pictures: Sequence[bytes], pause: float) -> tuple[Counter[str], float]:
    """Send the pictures, one a request and all in one, until told to stop; answers, and seconds of the slowest."""
    answers: Counter[str] = Counter()
    slowest = 0.0
    with httpx.Client(base_url=url, timeout=120, trust_env=False) as client:
        while not _told_to_stop[0].is_set():
            for sent in (*([one] for one in pictures), list(pictures)):
                _told_to_stop[0].wait(pause)
                begun = time.perf_counter()
                answer = client.post("/predict", files=[("file", ("a", data)) for data in sent])
                if len(sent) == 1:
                    slowest = max(slowest, time.perf_counter() - begun)
                body = answer.json()
                codes = [body["code"]] if "code" in body else [one["error"]["code"] for one in body["predictions"]]
                answers.update(f"{answer.status_code} {code}" for code in codes)
    return answers, slowest


def _cpu_seconds_of_ended() -> float:
    """Of child processes: what attackers, who would have machines of their own, took of this one."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


_told_to_stop: list[Event] = []
"""In a process that attacks. Processes, so that the honest client does not wait for their threads."""


def _share(stop: Event) -> None:
    _told_to_stop.append(stop)


def memory_of(pid: int) -> dict[str, int]:
    """MiB: the process' own peak, and what it and its children hold now."""
    own = _status(pid)
    tree = own["VmRSS"] + sum(_status(child)["VmRSS"] for child in children_of(pid))
    return {"peak_of_api": own["VmHWM"] // 1024, "api_and_children": tree // 1024}


def children_of(pid: int) -> list[int]:
    """Of all its threads: a process stands with the thread that started it."""
    named = [path.read_text().split() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    return [int(child) for children in named for child in children if Path(f"/proc/{child}").exists()]


def _status(pid: int) -> dict[str, int]:
    lines = (line.split() for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return {words[0].rstrip(":"): int(words[1]) for words in lines if words[0] in {"VmRSS:", "VmHWM:"}}


def spread(times: list[float]) -> dict[str, float]:
    """Of milliseconds."""
    ordered = sorted(times)
    return {
        "n": len(ordered),
        "median": round(statistics.median(ordered), 1),
        "p95": round(ordered[int(0.95 * (len(ordered) - 1))], 1),
        "max": round(ordered[-1], 1),
    }


if __name__ == "__main__":
    main()
