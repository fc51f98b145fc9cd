"""What lies in the cache folder under which name, and how a name of ours is told from somebody's own. Imports no torch.

Of a dataset there may be a copy of its bundle, and a presized cache for each presize; a presized cache has a lock
beside it, and while it is built or removed it is called a part.
"""

import re
from pathlib import Path

DOWNLOADS = "downloads"
_DATASETS = "datasets"
_BUNDLE_NAME = "images.tar"
UNPACKING = ".unpack-"
"""How the folder begins in which an archive is unpacked, until it has its own name."""

GRAPH_BEGUN = "graph-begun-"
"""How the folder begins in which a model's graph for an engine is made."""

_REVISION = r"[0-9a-f]{64}"
_PRESIZED = re.compile(rf"{_REVISION}-\d+-v\d+")
_PART = ".part"
_BUNDLE = re.compile(rf"{_DATASETS}/{_REVISION}/{re.escape(_BUNDLE_NAME)}")

COPIES = {f"{_DATASETS}/*": _BUNDLE.pattern}
"""Folders, and the paths in them of files that are fetched."""
BEGUN = {
    f"{DOWNLOADS}/{UNPACKING}*": rf"{DOWNLOADS}/{re.escape(UNPACKING)}[a-z0-9_]{{8}}",
    f"models/*/{GRAPH_BEGUN}*": rf"models/{_REVISION}/{GRAPH_BEGUN}[a-z0-9_]{{8}}",
}
"""What is there for a while only: where to look, and its paths."""


def bundle_copy(root: Path, revision: str) -> Path:
    """A dataset's fetched bundle."""
    return root / _DATASETS / revision / _BUNDLE_NAME


def bundle_copies(root: Path) -> list[Path]:
    """The fetched bundles of all datasets."""
    found = root.glob(f"{_DATASETS}/*/{_BUNDLE_NAME}")
    return [path for path in found if _BUNDLE.fullmatch(path.relative_to(root).as_posix())]


def presized_cache(root: Path, revision: str, presize: int, version: int) -> Path:
    """A dataset's presized cache, by its pixels and the format it is written in."""
    return root / f"{revision}-{presize}-v{version}"


def presized_caches(root: Path) -> list[Path]:
    """All presized caches, and those that are built or removed now, or were left half there."""
    return [path for path in root.glob("*") if _PRESIZED.fullmatch(path.name.removesuffix(_PART))]


def is_part(folder: Path) -> bool:
    """Whether a presized cache is one that is built or removed. Without a holder of its lock it is a leftover."""
    return folder.name.endswith(_PART)


def part_of(folder: Path) -> Path:
    """Where a presized cache is while it is being built or removed."""
    return folder.with_name(f"{folder.name.removesuffix(_PART)}{_PART}")


def whole_of(folder: Path) -> Path:
    """Where a presized cache is when it is whole."""
    return folder.with_name(folder.name.removesuffix(_PART))


def lock_of(folder: Path) -> Path:
    """The lock's file of a presized cache; who builds or removes it holds the lock."""
    return folder.with_name(f"{folder.name.removesuffix(_PART)}.lock")


def graph_folder(model: Path, key: str) -> Path:
    """A model's graph for an engine, beside the model's own files."""
    return model / f"graph-{key}"
