"""Breeds added from a few photos: what is told of them against what is true, over several draws of the photos.

    python -m benchmarks.new_breeds PHOTOS WEIGHTS KEEP [--draws 5] [--photos 5] [--new 7] [--recipe probe] [--most 70]

PHOTOS is a folder of pets with their breeds in their names, WEIGHTS one with resnet18's file. Trains on all breeds but
``--new``, adds these from ``--photos`` of each, and answers all their other photos. Prints for each draw the known
breeds' error before and after, the error that is told with its interval, the true one and the seconds. The training and
what the network makes of the other photos stay in the folder KEEP: the same command again begins with the draws.
"""

import argparse
import re
import shutil
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

import numpy as np
from safetensors.torch import load_file, save_file
from torch import Tensor

from ml.config import AddedBreeds, ResolvedConfig, resolve, train_config
from ml.data.bundle import Folder
from ml.data.manifest import LabelRule, Manifest
from ml.data.scan import scan_folder
from ml.learn.adding import add_breeds
from ml.learn.batches import ValidationBatches
from ml.learn.checkpoint import LocalKeeper
from ml.learn.gaze import Gaze
from ml.learn.model import BreedNet, build_model
from ml.learn.new_breeds import NewPhotos
from ml.learn.precision import choose_device, choose_precision
from ml.learn.setup import Paths, presized
from ml.learn.training import fit
from ml.reading.added import AddedReading
from ml.reporting import NullReporter

NAME = re.compile(r"(.+)_\d+\.jpg")
LEAST_PHOTOS = 100
"""Of a breed that is held back to be new: fewer would not tell its true error."""


@dataclass(frozen=True)
class Bench:
    """The folder KEEP, the config of the training, and the held-back breeds."""

    keep: Path
    config: ResolvedConfig
    new: Sequence[str]

    def paths(self, work: str) -> Paths:
        """With a work folder of that name."""
        return Paths(cache=self.keep / "cache", weights=self.keep / "weights", work=self.keep / work)


def main() -> None:
    """Train, add, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("weights", type=Path)
    parser.add_argument("keep", type=Path)
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--photos", type=int, default=5)
    parser.add_argument("--new", type=int, default=7)
    parser.add_argument("--recipe", choices=["probe", "fine_tune"], default="probe")
    parser.add_argument("--most", type=int, default=70, help="photos of each breed that are used")
    parser.add_argument("--size", type=int, default=224)
    asked = parser.parse_args()
    asked.keep.mkdir(parents=True, exist_ok=True)
    by_breed = _photos(asked.pictures, asked.most)
    many = sorted(breed for breed, photos in by_breed.items() if len(photos) >= min(LEAST_PHOTOS, asked.most))
    new = sorted(np.random.default_rng(3).choice(many, asked.new, replace=False).tolist())
    sides = {
        "recipe": asked.recipe,
        "arch": "resnet18",
        "size": asked.size,
        "presize": asked.size * 2,
        "valid_pct": 0.3,
    }
    bench = Bench(asked.keep, resolve(train_config.validate_python(sides)), new)
    parent = _trained(bench, asked.weights, {breed: by_breed[breed] for breed in by_breed if breed not in new})
    pool = _copied(asked.keep / "pool", {breed: by_breed[breed] for breed in new})
    read = _read(bench, parent, pool)
    found = [_draw(bench, parent, pool, read, number, asked.photos) for number in range(asked.draws)]
    moved = [one.known_error_after - one.known_error_before for one, _, _ in found]
    held = sum(one.low <= true <= one.high for one, true, _ in found)
    print(f"known breeds' error moved by {100 * mean(moved):+.2f} points in the mean, {100 * max(moved):+.2f} at most")
    print(f"told {mean(one.error_rate for one, _, _ in found):.1%}, true {mean(true for _, true, _ in found):.1%}")
    print(f"the interval held the true error in {held} of {len(found)} draws")


def _photos(folder: Path, most: int) -> dict[str, list[Path]]:
    found: defaultdict[str, list[Path]] = defaultdict(list)
    for path in sorted(folder.iterdir()):
        if match := NAME.fullmatch(path.name):
            found[match[1]].append(path)
    return {breed: photos[:most] for breed, photos in found.items()}


def _copied(folder: Path, by_breed: Mapping[str, Sequence[Path]]) -> Manifest:
    if not folder.exists():
        folder.mkdir()
        for photos in by_breed.values():
            for path in photos:
                shutil.copy(path, folder)
    return scan_folder(folder, LabelRule(), name=folder.name)


def _trained(bench: Bench, weights: Path, by_breed: Mapping[str, Sequence[Path]]) -> Path:
    manifest, out = _copied(bench.keep / "known", by_breed), bench.keep / "parent"
    if not (out / "model.json").exists():
        began = time.perf_counter()
        paths = Paths(cache=bench.keep / "cache", weights=weights, work=out)
        source = Folder(bench.keep / "known", manifest)
        keeper = LocalKeeper(out / "kept")
        result = fit(bench.config, manifest, source, paths=paths, reporter=NullReporter(), keeper=keeper)
        print(f"trained in {time.perf_counter() - began:.0f} s: {result.reading.error_rate:.1%} wrong", flush=True)
    return out


def _read(bench: Bench, parent: Path, pool: Manifest) -> Tensor:
    """What the last layer reads of each of the pool's photos, float32 [n, read]."""
    kept = bench.keep / "read.safetensors"
    if not kept.exists():
        device = choose_device("auto")
        precision = choose_precision(bench.config.precision, device)
        source, paths = Folder(bench.keep / "pool", pool), bench.paths("pool-work")
        cache = presized(bench.config, pool, source, paths, NullReporter())
        items = range(len(pool.items))
        gaze = Gaze(_network(bench, parent).to(device), precision, device, 1, NullReporter(), len(items))
        save_file({"read": gaze.read(ValidationBatches(cache, (), items, bench.config))}, kept)
    return load_file(kept)["read"]


def _network(bench: Bench, parent: Path) -> BreedNet:
    tensors = load_file(parent / "model.safetensors")
    network = build_model(bench.config.arch, len(tensors["1.8.weight"]), None)
    network.load_state_dict(tensors)
    return network


def _draw(
    bench: Bench, parent: Path, pool: Manifest, read: Tensor, number: int, photos: int
) -> tuple[AddedReading, float, float]:
    """What is told, the true error of all other photos, and the seconds."""
    chance = np.random.default_rng(number)
    places = {breed: [at for at, item in enumerate(pool.items) if item.label == breed] for breed in bench.new}
    drawn = {at for at_breed in places.values() for at in chance.choice(at_breed, photos, replace=False).tolist()}
    paths = {
        breed: [bench.keep / "pool" / pool.items[at].path for at in drawn.intersection(places[breed])]
        for breed in places
    }
    few, known = bench.keep / f"few-{number}", bench.keep / "known"
    manifest, own = _copied(few, paths), scan_folder(known, LabelRule(), name="known")
    added = AddedBreeds(dataset="few", revision=manifest.revision, breeds=manifest.vocab)
    config = bench.config.model_copy(update={"recipe": "add_breeds", "phases": (), "added": (added,)})
    began = time.perf_counter()
    result = add_breeds(
        config,
        own,
        Folder(known, own),
        [NewPhotos(manifest, Folder(few, manifest))],
        paths=bench.paths(f"added-{number}"),
        reporter=NullReporter(),
        parent=parent,
    )
    seconds, told = time.perf_counter() - began, result.added
    layer = load_file(result.fit.files["model.safetensors"])["1.8.weight"]
    vocab = config.vocab(own.vocab)
    rest = [at for at in range(len(pool.items)) if at not in drawn]
    guesses = (read[rest] @ layer.T).argmax(1).tolist()
    true = mean(vocab[guess] != pool.items[at].label for guess, at in zip(guesses, rest, strict=True))
    print(
        f"draw {number}: known {told.known_error_before:.2%} -> {told.known_error_after:.2%}, new told "
        f"{told.error_rate:.1%} ({told.low:.1%} to {told.high:.1%}), true {true:.1%} of {len(rest)}, {seconds:.1f} s",
        flush=True,
    )
    return told, true, seconds


if __name__ == "__main__":
    main()
