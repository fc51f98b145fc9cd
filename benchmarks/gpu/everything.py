"""All that a GPU is wanted for, the most telling first: ``bash benchmarks/gpu/all.sh BUNDLE OUT``.

Parts: ``errors`` (a whole ``fine_tune`` beside the peer's for many seeds, several at once), ``tests`` (those that need
a GPU), ``serving`` (engines of a served resnet18, alone and with decoding), ``requests`` (``POST /predict``, which
needs the lock file's Postgres and Redis), ``epoch`` (5,912 photos, resnet34 at 224: seconds of an epoch, its share of
the bare step, memory), and ``precisions``. A part that fails costs only itself. OUT holds one JSON object, written anew
after each part.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks import train_vs_fastai as beside
from benchmarks.gpu.bundle import unpack
from ml.config import FineTune
from ml.learn.checkpoint import save_tensors
from ml.learn.model import build_model
from ml.learn.precision import choose_device
from ml.learn.setup import describe_device
from ml.throughput import measure_throughput
from ml.versions import installed_versions

EPOCH_TRAIN_PHOTOS = 5912
EPOCH_PHOTOS = 7390
SIDES = ("pedigree", "fastai")
Part = Callable[[argparse.Namespace, Path, Path], object]


def main() -> None:
    """Run the parts and write after each what is known."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--at-once", type=int, default=4, help="seeds at the same time, in `errors`")
    parser.add_argument("--ours", nargs="*", default=[], help="settings of ours in `errors`, such as precision=fp32")
    parser.add_argument("--device", default="auto")
    asked = parser.parse_args()
    device = describe_device(choose_device(asked.device))
    told: dict[str, Any] = {"device": device, "cpus": os.cpu_count(), "platform": platform.platform()}
    told["versions"] = installed_versions()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        photos, weights, peer = unpack(asked.bundle, folder)
        for name in asked.parts:
            begun = time.monotonic()
            told[name] = _tried(
                PARTS[name], argparse.Namespace(**vars(asked), weights=weights, peer=peer), photos, folder
            )
            told[f"{name}_seconds"] = round(time.monotonic() - begun)
            asked.out.write_text(json.dumps(told, indent=1), encoding="utf-8")
            print(f"{name}: {told[f'{name}_seconds']} s", flush=True)


def _tried(part: Part, asked: argparse.Namespace, photos: Path, folder: Path) -> object:
    try:
        return part(asked, photos, folder)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - told, and the next part goes on
        print(f"{type(error).__name__}: {error}", flush=True)
        return {"failed": f"{type(error).__name__}: {error}"}


def errors(asked: argparse.Namespace, photos: Path, folder: Path) -> dict[str, Any]:
    """Both sides for each seed, each side some at once; every seed is printed as it ends."""
    options = argparse.Namespace(
        photos=photos, fastai_python=sys.executable, peer=asked.peer, weights=asked.weights, cache=folder / "cache",
        arch="resnet18", size=224, epochs=2, workers=3, ours=asked.ours,
    )  # fmt: skip
    scratch = folder / "errors"
    scratch.mkdir()
    seeds = range(1, asked.seeds + 1)
    with ThreadPoolExecutor(asked.at_once) as theirs, ThreadPoolExecutor(1) as ours:
        there = [theirs.submit(beside.whole_fastai, options, scratch, seed) for seed in seeds]
        # One at a time: the first builds the cache that all of them read, and they are soon done.
        here = [ours.submit(beside.whole_ours, options, scratch, seed) for seed in seeds]
        told = []
        for seed, one, other in zip(seeds, here, there, strict=True):
            told.append(beside.beside_each_other(seed, one.result(), other.result()))
            figures = told[-1][0]
            seconds = [round(sum(epoch["seconds"] for epoch in figures[f"{side}_epochs"]), 1) for side in SIDES]
            short = {name: value for name, value in figures.items() if not name.endswith("_epochs")}
            print(json.dumps({**short, "seconds": seconds}), flush=True)
    return {"seeds": [figures for figures, _ in told], "all": beside.over_seeds([rights for _, rights in told])}


def tests(_asked: argparse.Namespace, _photos: Path, _folder: Path) -> dict[str, Any]:
    """The tests that need a GPU, without the servers that the others need."""
    files = ["tests/ml/test_devices.py", "tests/ml/learn/test_training.py", "tests/ml/serve/test_cuda_graphs.py"]
    command = [sys.executable, "-m", "pytest", "--noconftest", "-q", "-m", "gpu", "-o", "filterwarnings=", *files]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    return {"exit": done.returncode, "said": done.stdout[-3000:]}


def serving(asked: argparse.Namespace, photos: Path, folder: Path) -> list[Any]:
    """What ``benchmarks.engines`` prints of a resnet18 with random weights, which compute as trained ones do."""
    model = folder / "served"
    model.mkdir()
    save_tensors(build_model("resnet18", 37, None).state_dict(), model / "model.safetensors", {"format_version": "1"})
    vocab = [f"breed {number}" for number in range(37)]
    about = {"format_version": 1, "arch": "resnet18", "vocab": vocab, "size": 224, "presize": 460, "drawn": False}
    (model / "model.json").write_text(json.dumps(about), encoding="utf-8")
    command = [sys.executable, "-m", "benchmarks.engines", str(model), str(photos), "--device", asked.device]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr[-2000:])
    print(done.stdout, flush=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def requests(asked: argparse.Namespace, photos: Path, _folder: Path) -> list[Any]:
    """What ``benchmarks.predict_rates`` prints."""
    command = [sys.executable, "-m", "benchmarks.predict_rates", "--photos", str(photos), "--device", asked.device]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    print(done.stdout, flush=True)
    if done.returncode:
        sys.exit(done.stderr[-2000:])
    return [json.loads(line) for line in done.stdout.splitlines()]


def epoch(asked: argparse.Namespace, photos: Path, folder: Path) -> dict[str, Any]:
    """Three unfrozen epochs of the whole pet set's size; the photos are taken again under other names."""
    many = folder / "many"
    many.mkdir()
    files = sorted(photos.iterdir())
    for number in range(EPOCH_PHOTOS):
        breed = files[number % len(files)].stem.rpartition("_")[0]
        (many / f"{breed}_{number}.jpg").hardlink_to(files[number % len(files)])
    settings: dict[str, Any] = {"arch": "resnet34", "pretrained": False, "epochs": 3, "freeze_epochs": 0}
    command = [sys.executable, "-m", "ml", "train", str(many), "--out", str(folder / "epoch")]
    command += ["--cache", str(folder / "cache"), "--device", asked.device]
    for name, value in settings.items():
        command += ["--set", f"{name}={json.dumps(value)}"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr[-2000:])
    epochs = [line for line in map(json.loads, done.stdout.splitlines()) if line["event"] == "epoch"]
    steps = [vars(kind) for kind in measure_throughput(FineTune(**settings), asked.device).kinds]
    print(json.dumps({"epochs": epochs, "bare_steps": steps}, default=str), flush=True)
    return {"epochs": epochs, "bare_steps": steps, "train_photos_meant": EPOCH_TRAIN_PHOTOS}


def precisions(asked: argparse.Namespace, _photos: Path, _folder: Path) -> list[Any]:
    """What ``benchmarks.gpu.train_precisions`` prints."""
    command = [sys.executable, "-m", "benchmarks.gpu.train_precisions", "--device", asked.device, "--turns", "1"]
    done = subprocess.run([*command, "--archs", "resnet18", "resnet50"], check=False, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr[-2000:])
    decoder, text, found = json.JSONDecoder(), done.stdout.strip(), []
    while text:
        part, end = decoder.raw_decode(text)
        found.append(part)
        print(json.dumps(part), flush=True)
        text = text[end:].strip()
    return found


PARTS: dict[str, Part] = {
    "errors": errors,
    "tests": tests,
    "serving": serving,
    "requests": requests,
    "epoch": epoch,
    "precisions": precisions,
}

if __name__ == "__main__":
    main()
