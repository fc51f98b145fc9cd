"""Error at the end and the time to it, beside stock fastai: recipes over several seeds, on the same files and split.

    python -m benchmarks.error_vs_fastai PHOTOS --fastai-python ENV/bin/python --peer fastai_train.py --weights FOLDER \
        --recipes fine_tune probe --seeds 1 2 3 4 5

fastai runs ``fine_tune`` in an environment of its own, once for each seed; each recipe of ours runs right after it.
The seconds are those of the whole process, first photo to last epoch: ours with a cache of presized photos that is
made from nothing. Prints one JSON object a run, so that nothing measured is lost, then each recipe's differences from
fastai, seed by seed, with their mean and its 95 % interval (Student's t). ``macro_error`` counts each breed alike.
"""

import argparse
import json
import math
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.train_vs_fastai import STOCK_ENVIRONMENT, lines_of, machine, parser_of
from ml.reading.metrics import confusion_matrix, macro_error

RECIPES: dict[str, tuple[str, ...]] = {
    "fine_tune": ("recipe=fine_tune", "freeze_epochs=1", "epochs=2"),
    "probe": ("recipe=probe",),
    "probe_larger": ("recipe=probe", "size=288"),
    "smoothed": ("recipe=fine_tune", "freeze_epochs=1", "epochs=2", "label_smoothing=0.1"),
    "mixup": ("recipe=fine_tune", "freeze_epochs=1", "epochs=2", "mixup=0.4"),
    "cutmix": ("recipe=fine_tune", "freeze_epochs=1", "epochs=2", "cutmix=1.0"),
    "erased": ("recipe=fine_tune", "freeze_epochs=1", "epochs=2", "erase=0.25"),
    "averaged": ("recipe=fine_tune", "freeze_epochs=1", "epochs=2", "weight_averaging=0.98"),
    "balanced": ("recipe=fine_tune", "freeze_epochs=1", "epochs=2", "balance_sampling=0.5"),
}
"""What each recipe sets; all else is at its default."""

_T95 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131)
"""Student's 97.5 % points for 1 to 15 degrees of freedom; beyond, the normal's is within 8 %."""
_Z95 = 1.96


@dataclass(frozen=True)
class Ending:
    """How a training ended: share of wrong first guesses, the same with each breed counting alike, loss, seconds."""

    error: float
    macro_error: float
    loss: float
    seconds: float


def main() -> None:
    """Measure and print."""
    options = _parser().parse_args()
    print(json.dumps({"machine": machine(options.arch)}), flush=True)
    found: dict[str, list[Ending]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as scratch:
        for seed in options.seeds:
            found["fastai"].append(_told("fastai", seed, fastai(options, Path(scratch), seed)))
            for recipe in options.recipes:
                found[recipe].append(_told(recipe, seed, ours(options, Path(scratch), recipe, seed)))
    for recipe in options.recipes:
        print(json.dumps({recipe: beside(found[recipe], found["fastai"])}, indent=1), flush=True)


def _told(name: str, seed: int, ending: Ending) -> Ending:
    print(json.dumps({"run": name, "seed": seed, **asdict(ending)}), flush=True)
    return ending


def ours(options: argparse.Namespace, scratch: Path, recipe: str, seed: int) -> Ending:
    """One of our recipes, from photos to predictions."""
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        out = Path(folder) / "out"
        command = [sys.executable, "-m", "ml", "train", str(options.photos), "--out", str(out)]
        command += ["--cache", f"{folder}/cache", "--weights", str(options.weights)]
        for setting in (f"arch={options.arch}", f"size={options.size}", f"seed={seed}", *RECIPES[recipe]):
            command += ["--set", setting]
        began = time.monotonic()
        epochs = [line for line in lines_of(command) if line["event"] == "epoch"]
        seconds = time.monotonic() - began
        rows = [json.loads(row) for row in (out / "predictions.jsonl").read_text(encoding="utf-8").splitlines()]
    return _ending([(row["actual"], row["predicted"]) for row in rows], epochs[-1]["valid_loss"], seconds)


def fastai(options: argparse.Namespace, scratch: Path, seed: int) -> Ending:
    """The peer's ``fine_tune``."""
    file = scratch / "fastai.json"
    command = [str(options.fastai_python), str(options.peer), str(options.photos), "--arch", options.arch]
    command += ["--size", str(options.size), "--weights", str(options.weights / f"{options.arch}.safetensors")]
    command += ["--epochs", "2", "--preds", str(file), "--seed", str(seed), "--workers", str(options.workers)]
    began = time.monotonic()
    epochs = [line for line in lines_of(command, STOCK_ENVIRONMENT) if line["event"] == "epoch"]
    seconds = time.monotonic() - began
    stored = json.loads(file.read_text(encoding="utf-8"))
    guesses = [max(range(len(row)), key=row.__getitem__) for row in stored["probs"]]
    return _ending(list(zip(stored["targets"], guesses, strict=True)), epochs[-1]["valid_loss"], seconds)


def _ending(pairs: Sequence[tuple[Any, Any]], loss: float, seconds: float) -> Ending:
    """From pairs of the actual and the guessed breed."""
    names = sorted({name for pair in pairs for name in pair})
    actual, guessed = (np.array([names.index(pair[side]) for pair in pairs]) for side in (0, 1))
    macro = macro_error(confusion_matrix(actual, guessed, len(names)).tolist())
    return Ending(float((actual != guessed).mean()), float(macro or 0.0), loss, seconds)


def beside(recipe: Sequence[Ending], peer: Sequence[Ending]) -> dict[str, Any]:
    """Means of both, and the difference seed by seed; below 0 is better than fastai. Of seconds, the quotient."""
    figures: dict[str, Any] = {"seeds": len(recipe)}
    for name in ("error", "macro_error", "loss"):
        here, there = ([getattr(one, name) for one in side] for side in (recipe, peer))
        apart = [a - b for a, b in zip(here, there, strict=True)]
        figures[name] = {"pedigree": interval(here), "fastai": interval(there), "difference": interval(apart)}
    figures["seconds"] = [statistics.median(one.seconds for one in side) for side in (recipe, peer)]
    figures["fastai_takes_times"] = interval([b.seconds / a.seconds for a, b in zip(recipe, peer, strict=True)])
    return figures


def interval(values: Sequence[float]) -> dict[str, float | None]:
    """The mean and half of its 95 % interval, None with a single value."""
    n = len(values)
    if n == 1:
        return {"mean": values[0], "plus_minus": None}
    point = _T95[n - 2] if n - 2 < len(_T95) else _Z95
    return {"mean": statistics.mean(values), "plus_minus": point * statistics.stdev(values) / math.sqrt(n)}


def _parser() -> argparse.ArgumentParser:
    parser = parser_of(__doc__, [1, 2, 3, 4, 5])
    parser.add_argument("--recipes", nargs="+", choices=RECIPES, default=["fine_tune", "probe"])
    return parser


if __name__ == "__main__":
    main()
