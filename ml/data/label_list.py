"""Which file holds a data set's list of labels."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ml.data.label_csv import MAX_BYTES, LabelList, read_label_list
from ml.data.manifest import LabelRule
from ml.data.path_parts import suffix_of
from ml.errors import DatasetUnusable

_USUAL = "labels.csv"
_SUFFIXES = {".csv", ".tsv"}


@dataclass(frozen=True)
class ReadList:
    """A list of labels, and its path in the data set where it lies in it."""

    labels: LabelList
    path: str | None


def is_list(path: str) -> bool:
    """Whether a file's name is that of a table."""
    return suffix_of(path).lower() in _SUFFIXES


def read_list(
    folder: Path,
    paths: Sequence[str],
    rule: LabelRule,
    beside: Path | None,
    encoding: str | None,
    heartbeat: Callable[[], None] | None = None,
) -> ReadList:
    """The list that a rule reads: the one beside the images, the one it names, or the one among them.

    ``heartbeat`` is called now and then; what it raises ends the reading.

    Raises:
        DatasetUnusable: there is none or more than one, or it cannot be used.
    """
    path = None if beside is not None else rule.csv or choose_list(paths)
    if path is not None and path not in paths:
        raise DatasetUnusable(f"there is no list of labels {path!r}", hint="Name it as it lies among the images.")
    file = folder / path if path is not None else beside
    return ReadList(read_label_list(_read(file), encoding, heartbeat), path)


def _read(file: Path | None) -> bytes:
    if file is None:
        return b""
    with file.open("rb") as stream:
        return stream.read(MAX_BYTES + 1)


def choose_list(paths: Sequence[str]) -> str:
    """The list of labels among a data set's files: labels.csv, else the only table.

    Raises:
        DatasetUnusable: there is none, or several could be meant.
    """
    lists = [path for path in paths if is_list(path)]
    usual = [path for path in lists if PurePosixPath(path).name.lower() == _USUAL]
    among = usual or lists
    if not among:
        hint = f"Put {_USUAL} with filename,label in each line beside the images, or send it as the part `labels`."
        raise DatasetUnusable("there is no list of labels (a .csv or .tsv file) among the images", hint=hint)
    if len(among) > 1:
        shown = ", ".join(among[:5])
        raise DatasetUnusable(f"there are {len(among)} lists that could be meant ({shown})", hint="Name it: csv:PATH.")
    return among[0]
