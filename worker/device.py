"""What a worker computes on, asked without torch: a process that waits for jobs has no room on a GPU to take."""

import os
import shutil
import subprocess
from collections.abc import Collection

from ml.processor import processor_name
from store.db.lanes import WorkerDevice
from store.lanes import Lane

MIB = 1 << 20
ASK_SECONDS = 10.0
_ASK = ("--query-gpu=name,memory.total", "--format=csv,noheader,nounits")


def device_of(lanes: Collection[Lane], asked: str) -> WorkerDevice:
    """The GPU that a worker of these lanes learns on, else the host's processor.

    Args:
        lanes: that it takes jobs of; what is light needs no GPU.
        asked: the setting, such as ``auto``, ``cpu`` or ``cuda``.
    """
    gpu = _first_gpu() if Lane.TRAIN in lanes and asked != "cpu" else None
    return gpu or WorkerDevice("cpu", processor_name(), _host_memory())


def _first_gpu() -> WorkerDevice | None:
    """The first of those that this process sees; None where there is none, or nobody to ask."""
    seen = os.environ.get("CUDA_VISIBLE_DEVICES")
    program = shutil.which("nvidia-smi")
    if program is None or seen in {"", "-1"}:
        return None
    only = [] if seen is None else [f"--id={seen.partition(',')[0]}"]
    try:
        told = subprocess.run(  # noqa: S603 - the driver's own program
            [program, *_ASK, *only], capture_output=True, text=True, check=True, timeout=ASK_SECONDS
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return gpu_told(told.stdout)


def gpu_told(table: str) -> WorkerDevice | None:
    """The first line of the driver's table: a name and its memory in MiB, which some devices have no number for."""
    line = next(iter(table.splitlines()), "")
    name, _, memory = line.rpartition(",")
    if not name:
        return None
    size = memory.strip()
    return WorkerDevice("gpu", name.strip(), int(size) * MIB if size.isdigit() else None)


def _host_memory() -> int | None:
    names = os.sysconf_names
    if "SC_PHYS_PAGES" not in names or "SC_PAGE_SIZE" not in names:
        return None
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
