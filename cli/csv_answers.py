"""``pedigree predict … --csv``: a row for each picture, written as its answer comes; no more than a request is held."""

import csv
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from cli.client import Json, ServiceError
from cli.errors import CommandError, Interrupted
from store.spreadsheets import cell

COLUMNS = ("path", "breed", "species", "probability", "sure", "known", "second", "second_probability", "error")
STDOUT = Path("-")
PICTURES_FAULT = {400, 413, 415, 422}

Ask = Callable[[tuple[Path, ...], str], Json]
"""From pictures and a model, the service's answer."""


def pictures_of(named: Iterable[Path]) -> list[Path]:
    """The files that are named, and those below the folders that are; hidden ones are left out.

    Raises:
        CommandError: a folder cannot be read, or there is none.
    """

    def fail(error: OSError) -> None:
        raise CommandError(f"{error.filename} cannot be read: {error.strerror}.")

    found: list[Path] = []
    for path in named:
        if not path.is_dir():
            found.append(path)
            continue
        for root, folders, names in os.walk(path, onerror=fail):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            found += [Path(root) / name for name in sorted(names) if not name.startswith(".")]
    if not found:
        raise CommandError("There are no files in it.", "Name a folder of pictures, or pictures.")
    return found


def write_csv(parts: Iterable[tuple[Path, ...]], ask: Ask, model: str, out: Path) -> tuple[int, int, int | None]:
    """Ask for part after part and write a row for each picture; how many there are, how many are none, the version.

    Raises:
        Interrupted: the user broke it off; the rows so far are there.
        CommandError: OUT cannot be written, or the service refuses.
    """
    count, broken, version = 0, 0, None
    with _opened(out) as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(COLUMNS)
        try:
            for part in parts:
                # All of them by one version, wherever its alias is pointed meanwhile.
                answer = _answered(ask, part, model if version is None else str(version))
                version = answer["model"]["version"] if answer["model"] else version
                for path, entry in zip(part, answer["predictions"], strict=True):
                    rows.writerow(_row(path, entry))
                    broken += "error" in entry
                count += len(part)
                file.flush()
        except KeyboardInterrupt:
            raise Interrupted(f"Broken off; {out} has the answers for {count} photos.") from None
    return count, broken, version


def _answered(ask: Ask, part: tuple[Path, ...], model: str) -> Json:
    """The service's answer; that of a lone picture which is none is an error, and becomes its row."""
    try:
        return ask(part, model)
    except ServiceError as error:
        if len(part) > 1 or error.status not in PICTURES_FAULT:
            raise
        return {"model": None, "predictions": [{"error": {"detail": error.detail}}]}


def _row(path: Path, entry: Json) -> Iterator[object]:
    return (cell(value) for value in _values(path, entry))


def _values(path: Path, entry: Json) -> Iterator[object]:
    # A name that is no text in UTF-8 goes with a question mark for what is none.
    yield str(path).encode("utf-8", "replace").decode()
    if "error" in entry:
        yield from ("",) * (len(COLUMNS) - 2)
        yield entry["error"]["detail"]
        return
    second = entry["top"][1] if len(entry["top"]) > 1 else {"breed": "", "probability": ""}
    yield from (entry["breed"], entry["species"] or "", entry["probability"], str(entry["sure"]).lower())
    yield "" if entry["known"] is None else str(entry["known"]).lower()
    yield from (second["breed"], second["probability"], "")


@contextmanager
def _opened(out: Path) -> Iterator[TextIO]:
    if out == STDOUT:
        yield sys.stdout
        return
    try:
        with out.open("w", encoding="utf-8", newline="") as file:
            yield file
    except OSError as error:
        raise CommandError(f"{out} cannot be written: {error.strerror}.") from None
