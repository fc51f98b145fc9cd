"""The real API on a folder, with its servers and without workers: nothing happens there but what is asked."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

from cli.servers import Postgres, Redis

START_SECONDS = 180.0


@contextmanager
def servers(folder: Path) -> Iterator[dict[str, str]]:
    """Postgres and Redis on the folder; the environment of a process that uses them."""
    postgres, redis = Postgres(folder / "postgres"), Redis(folder / "redis")
    try:
        plain = {name: value for name, value in os.environ.items() if not name.startswith("PEDIGREE_")}
        yield plain | {
            "DATABASE_URL": postgres.start(),
            "REDIS_URL": redis.start(),
            "ARTIFACTS_URL": (folder / "artifacts").as_uri(),
            "PEDIGREE_CACHE": str(folder / "cache"),
            "PEDIGREE_WEIGHTS": str(folder / "weights"),
            "PEDIGREE_DEVICE": "cpu",
        }
    finally:
        redis.stop()
        postgres.stop()


@contextmanager
def api(environment: Mapping[str, str], folder: Path) -> Iterator[tuple[str, int]]:
    """Its address, and its process."""
    with socket.socket() as listener, (folder / "api.log").open("w") as log:
        listener.bind(("127.0.0.1", 0))
        listener.listen(100)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        command = [sys.executable, "-m", "api", "--fd", str(listener.fileno())]
        held = [listener.fileno()]
        with subprocess.Popen(command, env=dict(environment), pass_fds=held, stdout=log, stderr=log) as process:
            try:
                _wait(url, process)
                yield url, process.pid
            finally:
                process.terminate()


def _wait(url: str, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if _is_ready(url):
            return
        time.sleep(0.2)
    sys.exit("the API did not start; its log is api.log in the data folder")


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=10, trust_env=False).is_success
    except httpx.HTTPError:
        return False


def memory(pid: int) -> dict[str, int]:
    """MiB of the API's process: now, and at most so far."""
    lines = (line.split() for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    found = {words[0]: int(words[1]) // 1024 for words in lines if words[0] in {"VmRSS:", "VmHWM:"}}
    return {"now": found["VmRSS:"], "most": found["VmHWM:"]}
