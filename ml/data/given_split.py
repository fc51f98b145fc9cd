"""A split that comes with the images: folders named train, valid, test, or a column of a list of labels."""

from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Literal

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
    for path in paths:
        parts = PurePosixPath(path).parent.parts
        levels += (set[Side | None]() for _ in range(len(parts) - len(levels)))
        for sides, name in zip(levels, parts, strict=False):
            sides.add(side_named(name))
    for level, sides in enumerate(levels):
        named = sides - {None}
        if named and (None not in sides or ("train" in named and len(named) > 1)):
            return level
    return None


def folder_at(path: str, level: int) -> str | None:
    """The name of a path's folder at a level, None where it does not lie so deep."""
    parts = PurePosixPath(path).parent.parts
    return parts[level] if level < len(parts) else None


def without_side(path: str, level: int) -> str:
    """The path without the folder at the level, if that names a side."""
    name = folder_at(path, level)
    if name is None or side_named(name) is None:
        return path
    parts = PurePosixPath(path).parts
    return PurePosixPath(*parts[:level], *parts[level + 1 :]).as_posix()
