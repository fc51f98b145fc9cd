"""Mixed precision beside float32: images per second of whole training epochs and of the bare step, and memory.

    python -m benchmarks.gpu.train_precisions [--device cpu] [--archs resnet18] [--turns 1]

It needs what ``ml`` needs and nothing else: the pictures are the drawn sample's, the weights random. Precisions take
turns (fp32, bf16, fp16, fp32, …), so that a drift of the machine falls on each of them. Prints a JSON object for each
architecture; its ratios are of the same turn's fp32. ``share_of_step`` is an epoch's images per second over the bare
step's, which draws from memory: what is missing to 1 is spent on data.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from ml.config import FineTune
from ml.learn.precision import choose_device
from ml.learn.setup import describe_device
from ml.sample.draw import draw_sample
from ml.throughput import measure_throughput
from ml.versions import installed_versions

PRECISIONS = ("fp32", "bf16", "fp16")
BASE = PRECISIONS[0]
EPOCHS = 2
"""Of each run; the last one counts, so that warming up falls on the first."""


def main() -> None:
    """Measure and print."""
    options = _parser().parse_args()
    device = choose_device(options.device)
    precisions = PRECISIONS if device.type == "cuda" else PRECISIONS[:2]
    machine = {"device": describe_device(device), "cpus": os.cpu_count(), "platform": platform.platform()}
    _tell({**machine, "versions": installed_versions(), "precisions": precisions, "turns": options.turns})
    with tempfile.TemporaryDirectory() as scratch:
        photos = Path(scratch) / "sample"
        photos.mkdir()
        draw_sample(photos, per_breed=options.per_breed)
        for arch in options.archs:
            turns = [{name: measure(options, photos, arch, name) for name in precisions} for _ in range(options.turns)]
            _tell({"arch": arch, **{name: summary([turn[name] for turn in turns], turns) for name in precisions}})


def measure(options: argparse.Namespace, photos: Path, arch: str, precision: str) -> dict[str, float]:
    """An unfrozen training in a process of its own, and then the bare step."""
    settings: dict[str, Any] = {
        "arch": arch, "pretrained": False, "precision": precision, "batch_size": options.batch_size,
        "epochs": EPOCHS, "freeze_epochs": 0,
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-m", "ml", "train", str(photos), "--out", out]
        command += ["--cache", str(photos.parent / "cache"), "--device", options.device]
        for name, value in settings.items():
            command += ["--set", f"{name}={json.dumps(value)}"]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    epoch = [line for line in lines if line["event"] == "epoch"][-1]
    step = next(kind for kind in measure_throughput(FineTune(**settings), options.device).kinds if not kind.freeze)
    return {
        "images_per_second": epoch["images_per_second"],
        "step_images_per_second": step.images_per_second,
        "share_of_step": epoch["images_per_second"] / step.images_per_second,
        "peak_memory_bytes": epoch["peak_memory_bytes"],
    }


def summary(own: list[dict[str, float]], turns: list[dict[str, dict[str, float]]]) -> dict[str, Any]:
    """Median, least and most of each figure over the turns, and of the ratio to the same turn's float32."""
    ratios = [one["images_per_second"] / turn[BASE]["images_per_second"] for one, turn in zip(own, turns, strict=True)]
    figures = {name: [one[name] for one in own] for name in own[0]}
    return {name: _spread(values) for name, values in {**figures, f"ratio_to_{BASE}": ratios}.items()}


def _spread(values: list[float]) -> dict[str, float]:
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def _tell(part: dict[str, Any]) -> None:
    print(json.dumps(part, indent=1), flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--archs", nargs="+", default=["resnet18", "resnet34", "resnet50"])
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--per-breed", type=int, default=60, help="drawn pictures of each breed")
    parser.add_argument("--turns", type=int, default=3)
    return parser


if __name__ == "__main__":
    main()
