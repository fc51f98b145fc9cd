"""A split that comes with the images: folders named train, valid, test, or a column of a list of labels."""

from collections.abc import Iterable
from typing import Literal

from ml.data.path_parts import folders_of, parts_of

Side = Literal["train", "valid", "test"]
SIDES: tuple[Side, ...] = ("train", "valid", "test")
_NAMES: dict[str, Side] = {
    "train": "train",
    "training": "train",
    "valid": "valid",
    "val": "valid",
    "validation": "valid",
    "test": "test",
    "testing": "test",
}


def side_named(name: str) -> Side | None:
    """The side that a folder or a word of a list means, in any case; None for any other name."""
    return _NAMES.get(name.strip().lower())


def split_level(paths: Iterable[str]) -> int | None:
    """At which level (0: the top) the folders of these files name sides of a split; None where nowhere.

    At that level all folders do, or one does for training and one for another side: a breed may be named Test.
    """
    levels = list[set[Side | None]]()
    before: tuple[str, ...] | None = None
    for path in paths:
        folders = folders_of(path)
        if folders == before:
            continue
        before = folders
        levels += (set[Side | None]() for _ in range(len(folders) - len(levels)))
        for sides, name in zip(levels, folders, strict=False):
            sides.add(side_named(name))
    for level, sides in enumerate(levels):
        named = sides - {None}
        if named and (None not in sides or ("train" in named and len(named) > 1)):
            return level
    return None


def folder_at(path: str, level: int) -> str | None:
    """The name of a path's folder at a level, None where it does not lie so deep."""
    parts = folders_of(path)
    return parts[level] if level < len(parts) else None


def without_side(path: str, level: int) -> str:
    """The path without the folder at the level, if that names a side."""
    parts = parts_of(path)
    if level >= len(parts) - 1 or side_named(parts[level]) is None:
        return path
    # The root of an absolute path is a part by itself.
    return "/".join([*parts[:level], *parts[level + 1 :]]).replace("//", "/")
