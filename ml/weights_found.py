"""Which pretrained weights lie on this machine, by the names of files alone: nothing is read, nothing is fetched."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ml.architecture_facts import FACTS

Place = Literal["folder", "torch_cache"]
WHEEL_ARCH = "mobilenet_v2"
"""Its weights come in a package of the Python index too, so that they can be had where torchvision's host cannot."""


@dataclass(frozen=True)
class FoundWeights:
    """A file of weights; ``place`` is the folder of the settings, or torch's own cache."""

    place: Place
    file: str


def weights_found(folder: Path | None) -> dict[str, FoundWeights]:
    """The first file of each architecture that has one, in the order in which a training takes them.

    Args:
        folder: PEDIGREE_WEIGHTS, or None.
    """
    places: list[tuple[Place, Path]] = [("torch_cache", torch_cache())]
    if folder is not None:
        places.insert(0, ("folder", folder))
    names = [(place, {path.name for path in where.glob("*")}) for place, where in places]
    found = {arch: _first(arch, names) for arch in FACTS}
    return {arch: one for arch, one in found.items() if one is not None}


def torch_cache() -> Path:
    """Where torch keeps what it has downloaded, as ``torch.hub.get_dir`` says it."""
    cache = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    home = os.environ.get("TORCH_HOME", f"{cache}/torch")
    return Path(home).expanduser() / "hub" / "checkpoints"


def _first(arch: str, names: list[tuple[Place, set[str]]]) -> FoundWeights | None:
    for place, there in names:
        own = (f"{arch}.safetensors",) if place == "folder" else ()
        for file in (*own, *FACTS[arch].files):
            if file in there:
                return FoundWeights(place, file)
    return None
