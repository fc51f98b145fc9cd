"""``POST /predict`` beside LitServe, as it comes and in bf16, and beside the bare engine: one run, by turns.

    python -m benchmarks.predict_vs_litserve --peer-python ENV/bin/python --photos FOLDER [--train --weights FOLDER]

ENV is an environment that has litserve, torch and torchvision. With ``--train`` the model is one of those photos, a
head on weights that were trained before, whose answers are harder to keep than those of a model of the drawn sample.

The peer is a program that serves ``POST /predict`` with the picture in the form's part `file`; PORT, BF16 and THREADS
in its environment say where and how. It has the same architecture with weights of its own, which cost the same. Both of
its kinds and our service are up all the time; those of the peer are stopped while others are asked. Each turn asks
every one of them in another order, by so many clients that each wait for an answer before they send the next. The load
comes from a process of its own (`benchmarks/load.py`), which tells its own share of one core.
"""

import argparse
import json
import os
import platform
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any

import httpx

from benchmarks.served_model import fetch, model, put_in_production
from benchmarks.stack import stack

LITSERVE = Path(__file__).parent / "peers" / "litserve_server.py"
OURS, STOCK, BF16, ENGINE, DECODED = "ours", "litserve", "litserve_bf16", "engine", "engine_and_decode"
PEERS = {STOCK: "0", BF16: "1"}
START_SECONDS = 120.0
FIGURES = ("requests_per_second", "p50_ms", "p99_ms", "load_cpu_share")

Turn = Mapping[str, Mapping[str, Any]]


class Peer:
    """A started server of the peer, which can be stopped and let go on."""

    def __init__(self, process: subprocess.Popen[bytes], url: str) -> None:
        self.process, self.url = process, url

    @contextmanager
    def awake(self) -> Iterator[None]:
        """Let it run for the block."""
        os.killpg(self.process.pid, signal.SIGCONT)
        try:
            yield
        finally:
            os.killpg(self.process.pid, signal.SIGSTOP)


def main() -> None:
    """Start all, measure by turns, print."""
    asked = _arguments()
    with ExitStack() as started:
        folder = Path(started.enter_context(tempfile.TemporaryDirectory()))
        client = started.enter_context(stack(folder / "data", weights=asked.weights))
        version = put_in_production(client, asked.photos if asked.train else None)
        files = folder / "model"
        files.mkdir()
        way = fetch(client, version, files)
        print(json.dumps({**_machine(asked), "way": way, "choices": model(client, version)["choices"]}), flush=True)
        peers = {name: started.enter_context(_peer(asked, name, number)) for number, name in enumerate(PEERS)}
        ask = {
            OURS: lambda clients: _load(f"{client.base_url}/predict", asked, clients),
            STOCK: lambda clients: _load_peer(peers[STOCK], asked, clients),
            BF16: lambda clients: _load_peer(peers[BF16], asked, clients),
            ENGINE: lambda _: _engine(files, asked),
            DECODED: lambda _: _engine(files, asked, "--decode"),
        }
        for clients in asked.clients:
            print(json.dumps({"clients": clients, **_summary(_turns(ask, asked.turns, clients))}), flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", type=Path, default=LITSERVE, help="the program that serves")
    parser.add_argument("--peer-python", required=True, help="a Python that has LitServe")
    parser.add_argument("--photos", type=Path, required=True, help="a folder of JPEG files, of which 200 are sent")
    parser.add_argument("--train", action="store_true", help="train on these photos, whose names say their breeds")
    parser.add_argument("--weights", type=Path, help="a folder with weights to begin a training with")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each measurement, after one to warm up")
    parser.add_argument("--port", type=int, default=8190, help="the first of two that the peer listens on")
    return parser.parse_args()


def _machine(asked: argparse.Namespace) -> dict[str, Any]:
    command = [asked.peer_python, "-c", "import litserve, torch; print(litserve.__version__, torch.__version__)"]
    litserve, torch = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    ours = {name: version_of(name) for name in ("torch", "openvino", "fastapi", "uvicorn", "uvloop", "httptools")}
    about = f"{_processor()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    return {"machine": about, "versions": ours, "litserve": litserve, "torch_of_litserve": torch, "turns": asked.turns}


def _processor() -> str:
    """What the system says of it, and which instructions for matrices it has."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    said = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    has = [flag for flag in ("amx_bf16", "avx512_bf16", "avx512_vnni") if flag in said.get("flags", "").split()]
    return f"{said.get('model name', platform.machine())} ({', '.join(has) or 'no instructions for bf16'})"


@contextmanager
def _peer(asked: argparse.Namespace, name: str, number: int) -> Iterator[Peer]:
    port = asked.port + number
    environment = {**os.environ, "PORT": str(port), "BF16": PEERS[name], "THREADS": str(os.cpu_count())}
    process = subprocess.Popen(
        [asked.peer_python, str(asked.peer)],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        _await(process, port)
        os.killpg(process.pid, signal.SIGSTOP)
        yield Peer(process, f"http://127.0.0.1:{port}/predict")
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _await(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not _answers(port):
        if process.poll() is not None or time.monotonic() > deadline:
            sys.exit("the peer did not start")
        time.sleep(0.2)


def _answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/health", trust_env=False, timeout=5).is_success
    except httpx.TransportError:
        return False


def _load(url: str, asked: argparse.Namespace, clients: int) -> dict[str, Any]:
    command = ["benchmarks.load", url, "file", str(asked.photos), str(clients), str(asked.seconds)]
    return _told(command)


def _load_peer(peer: Peer, asked: argparse.Namespace, clients: int) -> dict[str, Any]:
    with peer.awake():
        return _load(peer.url, asked, clients)


def _engine(files: Path, asked: argparse.Namespace, *options: str) -> dict[str, Any]:
    return _told(["benchmarks.engine_alone", str(files), str(asked.photos), str(asked.seconds), *options])


def _told(command: Sequence[str]) -> dict[str, Any]:
    """What a measurement in a process of its own prints."""
    ended = subprocess.run([sys.executable, "-m", *command], check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


def _turns(ask: Mapping[str, Callable[[int], dict[str, Any]]], turns: int, clients: int) -> list[Turn]:
    """Everyone in each turn; who begins moves on by one."""
    names = list(ask)
    return [
        {name: ask[name](clients) for name in names[turn % len(names) :] + names[: turn % len(names)]}
        for turn in range(turns)
    ]


def _summary(turns: Sequence[Turn]) -> dict[str, Any]:
    """Medians with the least and the most; ratios of ours to each within a turn."""
    told: dict[str, Any] = {name: _spread_of(turns, name) for name in turns[0]}
    told["failed"] = sum(one.get("failed", 0) for turn in turns for one in turn.values())
    told["requests"] = {name: sum(turn[name].get("requests", 0) for turn in turns) for name in (OURS, STOCK, BF16)}
    for other in [name for name in turns[0] if name != OURS]:
        told[f"rate_over_{other}"] = _spread([_ratio(turn, other, "requests_per_second") for turn in turns])
    for other in (STOCK, BF16):
        told[f"p50_over_{other}"] = _spread([_ratio(turn, other, "p50_ms") for turn in turns])
    told["p99_over_p50"] = _spread([_quotient(turn[OURS]["p99_ms"], turn[OURS]["p50_ms"]) for turn in turns])
    told["unanswered"] = {name: sum(turn[name].get("p50_ms", 0) is None for turn in turns) for name in turns[0]}
    return told


def _ratio(turn: Turn, other: str, figure: str) -> float | None:
    return _quotient(turn[OURS][figure], turn[other][figure])


def _quotient(one: float | None, other: float | None) -> float | None:
    return one / other if one is not None and other else None


def _spread_of(turns: Sequence[Turn], name: str) -> dict[str, list[float]]:
    return {figure: _spread([turn[name][figure] for turn in turns]) for figure in FIGURES if figure in turns[0][name]}


def _spread(figures: Sequence[float | None]) -> list[float]:
    """Of the turns that had an answer at all: on a machine that stood still for a turn, nobody had."""
    known = [figure for figure in figures if figure is not None]
    return [round(one, 3) for one in (statistics.median(known), min(known), max(known))] if known else []


if __name__ == "__main__":
    main()
