"""``python -m backup``: make, look at or restore a backup, in the database and the artifact store of the settings.

Or examine both, for `pedigree doctor`.

It writes lines of JSON: while it works ``{"stage", "done", "total"}``, at the end what it did; or ``{"detail",
"hint"}``, and the exit status 1.
"""

import argparse
import json
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from backup.description import Contents, Head
from backup.examine import examine
from backup.restoring import check_backup, restore_backup
from backup.writing import write_backup
from store.errors import AppError
from store.settings import load_settings

EVERY_SECONDS = 0.2
Json = dict[str, Any]


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what is asked; 0 when it is done."""
    parser = argparse.ArgumentParser(prog="python -m backup", description=__doc__)
    parser.add_argument("act", choices=sorted(_ACTS))
    parser.add_argument("file", type=Path, nargs="?", default=Path())
    parser.add_argument("--allow-missing", action="store_true")
    asked = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what was begun is taken away
    try:
        answer = _ACTS[asked.act](asked)
    except AppError as error:
        answer = {"detail": error.detail, "hint": error.hint}
    except SQLAlchemyError as error:
        said = str(getattr(error, "orig", None) or error).strip().splitlines()
        answer = {"detail": f"the database failed: {said[0] if said else type(error).__name__}", "hint": None}
    except OSError as error:
        answer = {"detail": f"{error.filename or asked.file}: {error.strerror or error}", "hint": "Name another place."}
    _say(answer)
    return 1 if "detail" in answer else 0


class _Progress:
    """Says how far it is, a few times a second."""

    def __init__(self) -> None:
        self._stage, self._due = "", 0.0

    def __call__(self, stage: str, done: int, total: int) -> None:
        if stage == self._stage and monotonic() < self._due:
            return
        self._stage, self._due = stage, monotonic() + EVERY_SECONDS
        _say({"stage": stage, "done": done, "total": total})


def _write(asked: argparse.Namespace) -> Json:
    made = write_backup(load_settings(), asked.file, _Progress(), allow_missing=asked.allow_missing)
    told = _told(made.head, made.contents)
    return {"file": str(made.path), "bytes": made.bytes, **told, "lost": made.lost}


def _check(asked: argparse.Namespace) -> Json:
    found = check_backup(asked.file, _Progress())
    return {"file": str(asked.file), "bytes": found.size, **_told(found.head, found.contents)}


def _examine(_: argparse.Namespace) -> Json:
    findings = examine(load_settings())
    return {"found": findings.found, "faults": findings.faults, "needed_bytes": findings.needed_bytes}


def _restore(asked: argparse.Namespace) -> Json:
    done = restore_backup(load_settings(), asked.file, _Progress())
    told = _told(done.backup.head, done.backup.contents)
    jobs = {"jobs_were_running": done.jobs.were_running, "jobs_were_queued": done.jobs.were_queued}
    return {"file": str(asked.file), "bytes": done.backup.size, **told, **jobs}


def _told(head: Head, contents: Contents) -> Json:
    counts = {part.name: part.rows for part in contents.tables}
    return {
        **head.model_dump(mode="json"),
        "rows": sum(counts.values()),
        "tables": counts,
        "files": len(contents.files),
        "file_bytes": contents.file_bytes,
        "missing": contents.missing,
    }


def _say(line: Json) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


_ACTS: dict[str, Callable[[argparse.Namespace], Json]] = {
    "write": _write,
    "check": _check,
    "examine": _examine,
    "restore": _restore,
}

if __name__ == "__main__":
    sys.exit(main())
