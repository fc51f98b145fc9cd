"""How well a run knows what it does not know: methods side by side, on pets, on what is none, and on poor photos.

    python -m benchmarks.known_or_not RUN PHOTOS NOT_PETS [--near RUN] [--keep FOLDER]

RUN is a folder with a run's ``model.json``, ``model.safetensors`` and ``predictions.jsonl``, as ``python -m ml train``
leaves it; PHOTOS has the pictures that it was trained on and validated with, their breeds in their names, and NOT_PETS
pictures that show none of them. ``--near`` is a run that was trained without some of the breeds: their pictures are its
near unknown. Prints three tables: known or not, calibration, sets. What the networks put out is kept in a folder, so
that the methods are compared again in seconds. The poor photos that shares are told of are other ones than those that a
run chooses the weight of blur and noise by.
"""

import argparse
import io
import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from benchmarks.known_or_not_methods import METHODS, Validation, calibrations, coverages
from ml.augment.augment import validation_input
from ml.decode.images import Limits, view
from ml.decode.views import View
from ml.fetch.weights import load_state
from ml.judge.familiarity import KnownPictures
from ml.judge.shift_weight import PoorPictures
from ml.learn.known import MOST_KNOWN, MOST_SHIFTED, Shift, blurred, grainy, noisy, out_of_focus
from ml.learn.model import build_model
from ml.learn.precision import choose_precision
from ml.serve.description import Description

Doubles = NDArray[np.float64]
BATCH = 16
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Seen:
    """What a network put out for pictures: logits, features, class ids (-1: of no known breed)."""

    logits: NDArray[np.float32]
    features: NDArray[np.float32]
    targets: NDArray[np.int64]


Photo = tuple[Path, int]
Change = Callable[[Image.Image], Image.Image]


def blur(radius: float) -> Change:
    """Out of focus, the radius in hundredths of the shorter side."""
    return lambda image: image.filter(ImageFilter.GaussianBlur(min(image.size) * radius / 100))


def grain(spread: float) -> Change:
    """With noise of that standard deviation, where white is 255."""

    def change(image: Image.Image) -> Image.Image:
        noise = np.random.default_rng(1).normal(0, spread, (*image.size[::-1], 3))
        return Image.fromarray((np.asarray(image) + noise).clip(0, 255).astype(np.uint8))

    return change


def dark(share: float) -> Change:
    """With that share of its light."""
    return lambda image: image.point([int(share * (level % 256)) for level in range(768)])


SHIFTED: dict[str, Change] = {
    "blur 0.5 %": blur(0.5),
    "blur 1 %": blur(1),
    "noise 15": grain(15),
    "noise 30": grain(30),
    "half the light": dark(0.5),
    "a quarter": dark(0.25),
}


class Network:
    """A run's network, in the precision that it was validated in."""

    def __init__(self, run: Path) -> None:
        self.about = Description.read(run / "model.json")
        self.network = build_model(self.about.arch, len(self.about.vocab), None)
        self.network.load_state_dict(load_state(run / "model.safetensors"))
        self.network.eval().to(memory_format=torch.channels_last)
        self.precision = choose_precision(self.about.precision, CPU)

    def see(self, photos: Sequence[Photo], change: Change | None = None, shift: Shift | None = None) -> Seen:
        """Look at photos, changed as files or as inputs."""
        chance = torch.Generator().manual_seed(0)
        found = [self._pass(photos[i : i + BATCH], change, shift, chance) for i in range(0, len(photos), BATCH)]
        logits, features = (np.concatenate(part) for part in zip(*found, strict=True))
        return Seen(logits, features, np.array([breed for _, breed in photos], dtype=np.int64))

    def _pass(
        self, photos: Sequence[Photo], change: Change | None, shift: Shift | None, chance: torch.Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        squares = [self._square(path.read_bytes(), change) for path, _ in photos]
        inputs = validation_input(torch.from_numpy(np.stack(squares)), self.about.size)
        if shift is not None:
            inputs = shift(inputs, chance)
        inputs = inputs.contiguous(memory_format=torch.channels_last)
        with torch.inference_mode(), self.precision.autocast(CPU):
            logits, features = self.network.outputs(inputs)
        return logits.float().numpy(), features.float().numpy()

    def _square(self, data: bytes, change: Change | None) -> NDArray[np.uint8]:
        if change is not None:
            made = io.BytesIO()
            change(Image.open(io.BytesIO(data)).convert("RGB")).save(made, "PNG", compress_level=0)
            data = made.getvalue()
        squares: NDArray[np.uint8] = view(data, Limits(), View("squares", self.about.presize, (0.5,)))[0]
        square: NDArray[np.uint8] = squares[0]
        return square


@dataclass(frozen=True)
class Study:
    """All that is looked at of one run, each part kept in a file."""

    run: Path
    photos: Path
    unknown: Sequence[Photo]
    keep: Path

    def load(self) -> dict[str, Seen]:
        """Every part, by its name."""
        network: list[Network] = []
        found = {}
        for name, photos, change, shift in self._parts():
            path = self.keep / f"{name.replace(' ', '_')}.npz"
            if not path.exists():
                network = network or [Network(self.run)]
                print(f"looking at {len(photos)} photos: {name}", file=sys.stderr, flush=True)
                seen = network[0].see(photos, change, shift)
                path.parent.mkdir(parents=True, exist_ok=True)
                np.savez(path, logits=seen.logits, features=seen.features, targets=seen.targets)
            with np.load(path) as kept:
                found[name] = Seen(kept["logits"], kept["features"], kept["targets"])
        return found

    def _parts(self) -> Iterator[tuple[str, Sequence[Photo], Change | None, Shift | None]]:
        vocab = Description.read(self.run / "model.json").vocab
        lines = [json.loads(line) for line in (self.run / "predictions.jsonl").read_text().splitlines()]
        valid = [(self.photos / line["path"], vocab.index(line["actual"])) for line in lines]
        mine = {path for path, _ in valid}
        others = [(path, breed) for path, breed in labelled(self.photos, vocab) if path not in mine]
        known = drawn([one for one in others if one[1] >= 0], MOST_KNOWN)
        shifted = [known[row] for row in rows_of(len(known), MOST_SHIFTED)]
        chosen_by = rows_of(len(valid), MOST_SHIFTED)
        poor = [valid[row] for row in chosen_by]
        rest = [valid[row] for row in np.setdiff1d(np.arange(len(valid)), chosen_by)]
        near = drawn([one for one in others if one[1] < 0], MOST_SHIFTED)
        yield "valid", valid, None, None
        yield "known", known, None, None
        yield "known blurred", shifted, None, blurred
        yield "known noisy", shifted, None, noisy
        yield "poor blurred", poor, None, out_of_focus
        yield "poor noisy", poor, None, grainy
        yield "far", self.unknown, None, None
        if near:
            yield "near", near, None, None
        for name, change in SHIFTED.items():
            yield name, drawn(rest, MOST_SHIFTED), change, None


def labelled(folder: Path, vocab: Sequence[str]) -> list[Photo]:
    """The photos of a folder with their breed's number, -1 where it is none of the vocabulary."""
    found = []
    for path in sorted(folder.iterdir()):
        named = re.fullmatch(r"(.+)_\d+\.jpe?g", path.name)
        if named is not None:
            found.append((path, vocab.index(named[1]) if named[1] in vocab else -1))
    return found


def drawn(photos: Sequence[Photo], most: int) -> list[Photo]:
    """So many of them at most, the same each time."""
    return [photos[i] for i in rows_of(len(photos), most)]


def rows_of(count: int, most: int) -> NDArray[np.int64]:
    """So many numbers below ``count`` at most, the same each time, rising."""
    return np.sort(np.random.default_rng(0).permutation(count)[:most])


def known_pictures(parts: dict[str, Seen], read: int) -> KnownPictures:
    """As a training leaves them; its last layer reads so many features."""
    plain, *shifted = (parts[name] for name in ("known", "known blurred", "known noisy"))
    count = len(plain.features)
    first = rows_of(count, MOST_SHIFTED)
    order = np.concatenate([first, np.setdiff1d(np.arange(count), first)])
    features = np.stack([one.features for one in shifted])
    return KnownPictures(plain.features[order], plain.features.shape[1] - read, plain.targets[order], features)


def validation(parts: dict[str, Seen]) -> Validation:
    """What a training has of its validation side at its end."""
    features = parts["valid"].features
    poor = np.stack([parts[name].features for name in ("poor blurred", "poor noisy")])
    return Validation(features, PoorPictures(rows_of(len(features), MOST_SHIFTED), poor))


def auroc(known: Doubles, unknown: Doubles) -> float:
    """How often a known picture is more familiar than an unknown one; ties count half."""
    below = np.searchsorted(np.sort(unknown), known, "left") + np.searchsorted(np.sort(unknown), known, "right")
    return float(below.mean() / 2 / len(unknown))


def show_known_or_not(parts: dict[str, Seen], weights: NDArray[np.float32]) -> None:
    """AUROC and the share of the unknown that passes where 95 % of the known do; the share of poor photos refused."""
    known, valid = known_pictures(parts, weights.shape[1]), validation(parts)
    poor = [name for name in SHIFTED if name in parts]
    unknown = [name for name in ("far", "near") if name in parts]
    print("| method |", " | ".join([*(f"{name}: AUROC, FPR95" for name in unknown), *poor]), "|")
    print("|---" * (1 + len(unknown) + len(poor)), "|", sep="")
    for name, method in METHODS.items():
        measure = method(known, weights, valid)
        own = measure(parts["valid"].logits, parts["valid"].features)
        least = np.quantile(own, 0.05)
        cells = []
        for part in unknown:
            other = measure(parts[part].logits, parts[part].features)
            cells.append(f"{auroc(own, other):.4f}, {(other >= least).mean():.1%}")
        cells += [f"{(measure(parts[part].logits, parts[part].features) < least).mean():.1%}" for part in poor]
        print(f"| {name} |", " | ".join(cells), "|", flush=True)


def main() -> None:
    """Look, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("photos", type=Path)
    parser.add_argument("not_pets", type=Path)
    parser.add_argument("--near", type=Path, help="a run that was trained without some of the breeds")
    parser.add_argument("--keep", type=Path, default=Path("known_or_not"), help="folder for what the networks put out")
    options = parser.parse_args()
    unknown = [(path, -1) for path in sorted(options.not_pets.iterdir())]
    for run in [options.run, *([options.near] if options.near else [])]:
        parts = Study(run, options.photos, unknown, options.keep / run.name).load()
        state = load_state(run / "model.safetensors")
        last = max(name for name in state if re.fullmatch(r"1\.\d+\.weight", name))
        print(f"\n{run.name}: {len(parts['valid'].targets)} validation photos")
        show_known_or_not(parts, state[last].numpy())
        loss = Description.read(run / "model.json").loss
        for line in calibrations(loss, parts["valid"].logits, parts["valid"].targets):
            print(line)
        for line in coverages(loss, parts["valid"].logits, parts["valid"].targets):
            print(line)


if __name__ == "__main__":
    main()
