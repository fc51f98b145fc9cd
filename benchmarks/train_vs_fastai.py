"""Train beside stock fastai: error rate on the same files and split (McNemar), and images per second, in one run.

    python -m benchmarks.train_vs_fastai PHOTOS --fastai-python ENV/bin/python --peer fastai_train.py --weights FOLDER

fastai runs in an environment of its own. First come short unfrozen trainings of both in turn (A B A B …), whose
ratio of images per second is the speed figure; then a whole ``fine_tune`` of each for every seed, for the error rates.
The split is the same for all of them. Prints one JSON object a part.
"""

import argparse
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

STOCK_ENVIRONMENT = dict(os.environ)
"""For fastai: taken before ``ml`` says how torch's threads wait for each other, which is ours and not stock."""

from ml.learn.precision import cpu_flags  # noqa: E402 - see above
from ml.versions import installed_versions  # noqa: E402 - see above

Lines = list[dict[str, Any]]
Rights = dict[str, tuple[bool, bool]]
"""Whether each validation item was right here, and there."""
Whole = tuple[Lines, dict[str, bool]]
"""A whole fine_tune: its epochs, and whether each validation item was right."""

_BREEDS = 20


def main() -> None:
    """Measure and print."""
    options = _parser().parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        tell("machine", machine(options.arch))
        if "speed" in options.parts:
            tell("speed", measure_speed(options, Path(scratch)))
        if "error" in options.parts:
            rights = []
            for seed in options.seeds:
                figures, right = measure_error(options, Path(scratch), seed)
                tell("error_rate", figures)
                rights.append(right)
            tell("error_rate_of_all_seeds", over_seeds(rights))


def machine(arch: str) -> dict[str, Any]:
    """What is measured on, and with which versions."""
    return {
        "cpus": os.cpu_count(),
        "platform": platform.platform(),
        "avx512_bf16": "avx512_bf16" in cpu_flags(),
        "amx_bf16": "amx_bf16" in cpu_flags(),
        "versions": installed_versions(),
        "arch": arch,
    }


def tell(part: str, figures: dict[str, Any]) -> None:
    """Print a part as soon as it is known: the whole takes long, and what was measured should not be lost."""
    print(json.dumps({part: figures}, indent=1), flush=True)


def measure_speed(options: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    """Unfrozen training images per second of both, in turn, on the first ``--limit`` files of a fixed shuffle."""
    photos = _limited(options.photos, options.limit, scratch)
    # the cache is built once and shared by all runs, so that building it is not part of a training
    train_ours(options, photos, scratch / "warm", epochs=1, freeze_epochs=0)
    ours, theirs = [], []
    for turn in range(options.turns):
        lines = train_fastai(options, photos, ["--mode", "one_cycle_unfrozen", "--epochs", "1"])
        theirs.append(_epochs(lines)[-1]["images_per_s"])
        lines = train_ours(options, photos, scratch / f"turn{turn}", epochs=1, freeze_epochs=0)
        ours.append(_epochs(lines)[-1]["images_per_second"])
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    return {
        "images": options.limit,
        "turns": options.turns,
        "pedigree_images_per_second": _spread(ours),
        "fastai_images_per_second": _spread(theirs),
        "ratio": _spread(ratios),
    }


def measure_error(options: argparse.Namespace, scratch: Path, seed: int) -> tuple[dict[str, Any], Rights]:
    """A whole fine_tune of each, and what tells them apart."""
    return beside_each_other(seed, whole_ours(options, scratch, seed), whole_fastai(options, scratch, seed))


def whole_ours(options: argparse.Namespace, scratch: Path, seed: int) -> Whole:
    """Our fine_tune: its epochs, and whether each validation item was right."""
    out = scratch / f"whole{seed}"
    lines = train_ours(options, options.photos, out, epochs=options.epochs, freeze_epochs=1, seed=seed)
    right = {}
    for row in (out / "predictions.jsonl").read_text(encoding="utf-8").splitlines():
        item = json.loads(row)
        right[Path(item["path"]).name] = item["actual"] == item["predicted"]
    return _epochs(lines), right


def whole_fastai(options: argparse.Namespace, scratch: Path, seed: int) -> Whole:
    """The peer's."""
    file = scratch / f"fastai{seed}.json"
    more = ["--epochs", str(options.epochs), "--preds", str(file), "--seed", str(seed)]
    lines = train_fastai(options, options.photos, more)
    stored = json.loads(file.read_text(encoding="utf-8"))
    right = {
        name: max(range(len(p)), key=p.__getitem__) == target
        for name, target, p in zip(stored["names"], stored["targets"], stored["probs"], strict=True)
    }
    return _epochs(lines), right


def beside_each_other(seed: int, here: Whole, there: Whole) -> tuple[dict[str, Any], Rights]:
    """The figures of both, and McNemar's exact test on the validation items that only one got right."""
    (our_epochs, ours), (their_epochs, theirs) = here, there
    if ours.keys() != theirs.keys():
        sys.exit(f"the validation sides differ in {len(ours.keys() ^ theirs.keys())} files")
    rights = {name: (ours[name], theirs[name]) for name in ours}
    only_ours = sum(a > b for a, b in rights.values())
    only_theirs = sum(a < b for a, b in rights.values())
    return {
        "seed": seed,
        "validation_items": len(ours),
        "pedigree": 1 - sum(ours.values()) / len(ours),
        "fastai": 1 - sum(theirs.values()) / len(theirs),
        "pedigree_valid_loss": our_epochs[-1]["valid_loss"],
        "fastai_valid_loss": their_epochs[-1]["valid_loss"],
        "right_only_here": only_ours,
        "right_only_there": only_theirs,
        "mcnemar_p": mcnemar(only_ours, only_theirs),
        "pedigree_epochs": our_epochs,
        "fastai_epochs": their_epochs,
    }, rights


def over_seeds(rights: Sequence[Rights]) -> dict[str, Any]:
    """The mean error rates, and a sign test over the items that one side got right under more seeds than the other.

    Every item counts once: what several seeds say of one picture hangs together, so that adding up their tables would
    claim more pictures than there are. With one seed it is McNemar's test.
    """
    here = {name: sum(seed[name][0] for seed in rights) for name in rights[0]}
    there = {name: sum(seed[name][1] for seed in rights) for name in rights[0]}
    more_here = sum(here[name] > there[name] for name in here)
    more_there = sum(here[name] < there[name] for name in here)
    judged = len(here) * len(rights)
    return {
        "seeds": len(rights),
        "pedigree": 1 - sum(here.values()) / judged,
        "fastai": 1 - sum(there.values()) / judged,
        "more_often_right_here": more_here,
        "more_often_right_there": more_there,
        "sign_test_p": mcnemar(more_here, more_there),
    }


def mcnemar(a: int, b: int) -> float:
    """Two-sided exact p that a and b discordant pairs come from one even coin (binomial test)."""
    n, least = a + b, min(a, b)
    tail = sum(math.comb(n, k) for k in range(least + 1)) / 2**n
    return float(min(1.0, 2 * tail))


def train_ours(
    options: argparse.Namespace, photos: Path, out: Path, *, epochs: int, freeze_epochs: int, seed: int = 42
) -> Lines:
    """Run ``python -m ml train`` and return its lines."""
    settings = {"arch": options.arch, "size": options.size, "epochs": epochs, "freeze_epochs": freeze_epochs}
    settings["seed"] = seed
    command = [sys.executable, "-m", "ml", "train", str(photos), "--out", str(out), "--cache", str(options.cache)]
    command += ["--weights", str(options.weights)]
    for setting in (*(f"{name}={value}" for name, value in settings.items()), *options.ours):
        command += ["--set", setting]
    return lines_of(command)


def train_fastai(options: argparse.Namespace, photos: Path, more: Sequence[str]) -> Lines:
    """Run the peer's script and return its lines."""
    command = [str(options.fastai_python), str(options.peer), str(photos), "--arch", options.arch]
    weights = options.weights / f"{options.arch}.safetensors"
    command += ["--size", str(options.size), "--weights", str(weights), "--workers", str(options.workers), *more]
    return lines_of(command, STOCK_ENVIRONMENT)


def lines_of(command: Sequence[str], environment: dict[str, str] | None = None) -> Lines:
    """Run a training and read the JSON lines that it prints; where it fails, so does this."""
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    if done.returncode:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def _epochs(lines: Lines) -> Lines:
    return [line for line in lines if line["event"] == "epoch"]


def _limited(photos: Path, limit: int, scratch: Path) -> Path:
    """A folder with equally many files of each of the 20 largest breeds, so that no breed is only validated."""
    breeds: dict[str, list[Path]] = {}
    for file in sorted(photos.glob("*.jpg")):
        breeds.setdefault(file.name.rpartition("_")[0], []).append(file)
    largest = sorted(breeds.values(), key=len, reverse=True)[:_BREEDS]
    folder = scratch / "photos"
    folder.mkdir()
    for files in largest:
        for file in files[: limit // _BREEDS]:
            (folder / file.name).write_bytes(file.read_bytes())
    return folder


def _spread(values: list[float]) -> dict[str, float]:
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def parser_of(about: str | None, seeds: Sequence[int]) -> argparse.ArgumentParser:
    """What every benchmark beside fastai is told: photos, fastai's own environment, its script, weights, seeds."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--fastai-python", type=Path, required=True)
    parser.add_argument("--peer", type=Path, required=True, help="the fastai training script")
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--arch", default="resnet18")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument(
        "--seeds", type=int, nargs="+", default=list(seeds), help="a whole training of each for every seed"
    )
    parser.add_argument("--workers", type=int, default=0, help="fastai's loader processes")
    return parser


def _parser() -> argparse.ArgumentParser:
    parser = parser_of(__doc__, [42])
    parser.add_argument("--cache", type=Path, default=Path("~/.cache/pedigree").expanduser())
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--limit", type=int, default=640, help="files of the speed runs")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--ours", nargs="*", default=[], help="more settings of ours, such as precision=fp32")
    parser.add_argument("--parts", nargs="+", choices=("speed", "error"), default=("speed", "error"))
    return parser


if __name__ == "__main__":
    main()
