"""The service that is walked on: all its processes, small drawn photos, and one model that answers already."""

import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torchvision.models import resnet18

from ml.breeds import BREEDS
from ml.sample.draw import draw_picture
from pedigree import Client
from tests.cli.test_up import up

ARCH = "resnet18"
DRAWN = ("Bombay", "samoyed", "Abyssinian")
"""Black, white and orange: told apart by weights that are drawn by lot."""
EACH = 20
WRONG_EVERY = 4
"""So many photos after each other, and one has the next breed's name."""
FILLER = 20 * 1024 * 1024
"""Bytes that make an archive long enough to be broken off: three pieces."""
SMALL = {"size": 32, "presize": 48, "batch_size": 8}


@dataclass(frozen=True)
class Ground:
    """Where it answers, its photos by name, an archive of them with wrong labels, and the run in production."""

    url: str
    photos: dict[str, bytes]
    archive: Path
    run: int


@contextmanager
def ground(folder: Path) -> Iterator[Ground]:
    """Start it, let it learn once, and put that into production."""
    data, photos = folder / "data", drawn_photos()
    (data / "weights").mkdir(parents=True)
    torch.manual_seed(1)
    save_file(resnet18().state_dict(), data / "weights" / f"{ARCH}.safetensors")
    keeps = {"PEDIGREE_KEEP_PREDICTIONS": "photos", "PEDIGREE_CHECKPOINT_SECONDS": "1"}
    with up(data, "--workers", "2", **keeps) as started:
        url = str(started.wait()["url"])
        yield Ground(url, photos, packed(folder / "pets.zip", photos), learned(url, photos, folder / "photos"))


def drawn_photos() -> dict[str, bytes]:
    """By file name."""
    by_name = {breed.name: breed for breed in BREEDS}
    return {f"{name}_{n}.jpg": draw_picture(by_name[name], n) for name in DRAWN for n in range(1, EACH + 1)}


def packed(path: Path, photos: dict[str, bytes]) -> Path:
    """A zip of them, many with the label of another breed, and of a large file that is no photo."""
    with zipfile.ZipFile(path, "w") as archive:
        for place, (name, content) in enumerate(photos.items()):
            archive.writestr(f"pets/{misnamed(name, place)}", content)
        archive.writestr("pets/filler.bin", os.urandom(FILLER))
    return path


def misnamed(name: str, place: int) -> str:
    """The photo's name in the archive: of every few one says the next breed, with a number of its own."""
    breed, _, _ = name.rpartition("_")
    return name if place % WRONG_EVERY else f"{DRAWN[(DRAWN.index(breed) + 1) % len(DRAWN)]}_{100 + place}.jpg"


def learned(url: str, photos: dict[str, bytes], folder: Path) -> int:
    """Two first runs at once on the photos as they are; one of them is in production."""
    folder.mkdir()
    for name, content in photos.items():
        (folder / name).write_bytes(content)
    with Client(url) as client:
        client.datasets.add("first", folder, progress=False)
        runs = [
            client.train("first", name=name, **how_it_learns(epochs))
            for name, epochs in (("the first", 10), ("short", 5))
        ]
        for run in runs:
            run.wait(progress=False)
        client.models.register(runs[0], alias="production")
        return runs[0].id


def how_it_learns(epochs: int) -> dict[str, Any]:
    """The settings of a head on a body that stays as it is."""
    return {"arch": ARCH, "recipe": "one_cycle", "freeze": True, "epochs": epochs, "lr_max": 0.003, **SMALL}
