"""A service of its own for a measurement, on a folder of its own, from this checkout or another."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

START_SECONDS = 120.0
_UP = "from cli.main import main; main()"


@contextmanager
def stack(
    folder: Path,
    python: str = sys.executable,
    checkout: Path | None = None,
    weights: Path | None = None,
    device: str = "cpu",
) -> Iterator[httpx.Client]:
    """Started on the folder, by the Python and in the checkout given; a client that speaks to it."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PEDIGREE_")}
    environment |= {"PEDIGREE_DEVICE": device, "XDG_STATE_HOME": str(folder / "state")}
    if weights is not None:
        environment["PEDIGREE_WEIGHTS"] = str(weights.absolute())
    command = [python, "-c", _UP, "up", "--data", str(folder), "--port", "0"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, cwd=checkout) as up:
        try:
            deadline = time.monotonic() + START_SECONDS
            while not (folder / "stack.json").exists():
                if up.poll() is not None or time.monotonic() > deadline:
                    sys.exit("the stack did not start")
                time.sleep(0.2)
            with httpx.Client(base_url=told(folder)["url"], timeout=60.0, trust_env=False) as client:
                yield client
        finally:
            up.terminate()


def told(folder: Path) -> dict[str, Any]:
    """What the stack says of itself: its address and its processes."""
    found: dict[str, Any] = json.loads((folder / "stack.json").read_text())
    return found
