"""The service's database itself, for what nobody may ask of the service before there are keys."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from cli import shell
from cli.data_folder import DataFolder
from cli.errors import CommandError, StackError
from cli.problems import ended
from cli.running import find_stack
from cli.servers import Postgres, sockets_of
from cli.services import HOUSE, run_once
from pedigree.finding import started_last

Json = dict[str, Any]
UNUSED = {"REDIS_URL": "redis://unused", "ARTIFACTS_URL": "file:///unused"}
"""Settings that every process of ours wants and this one does not use."""


def ask_database(data: Path | None, asked: Mapping[str, Any], *, makes: bool = False) -> Json:
    """Have ``store.keys_command`` do something in the data folder's database, or where DATABASE_URL says.

    Where there is no database yet, one is made only for what ``makes`` something.

    Raises:
        CommandError: it cannot be done.
    """
    with database_environment(data, makes=makes) as environment:
        command = [sys.executable, "-m", "store.keys_command"]
        done = subprocess.run(  # noqa: S603  # our own module
            command,
            cwd=HOUSE,
            env=environment,
            input=json.dumps(asked),
            capture_output=True,
            text=True,
            check=False,
        )
    try:
        answer: Json = json.loads(done.stdout)
    except ValueError:
        why = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise CommandError(f"The database could not be asked: {ended(why)}") from None
    if done.returncode:
        detail, hint = str(answer["detail"]), answer.get("hint")
        raise CommandError(ended(detail[0].upper() + detail[1:]), hint)
    return answer


@contextmanager
def database_environment(data: Path | None, *, makes: bool = False) -> Iterator[dict[str, str]]:
    """Where the database is: as DATABASE_URL says, in the stack that runs on the folder, or in one started for this.

    Raises:
        CommandError: there is none, and nothing that ``makes`` one is to be done.
    """
    told = UNUSED | {name: value for name, value in os.environ.items() if value}
    if is_told(data):
        yield told
        return
    shell.drop_variables(shell.POSTGRES)  # of a database of the user's own they may be part
    told = {name: value for name, value in told.items() if not shell.POSTGRES.fullmatch(name)}
    folder = find_stack(data).folder
    if folder.running() is not None:
        yield told | {"DATABASE_URL": _running_database(folder)}
        return
    if os.environ.get("DATABASE_URL"):
        hint = "Leave out --data, or unset DATABASE_URL and ARTIFACTS_URL for the folder's own."
        raise CommandError(f"DATABASE_URL is set, and {folder.root} has a database of its own.", hint)
    if not (makes or has_database(folder)):
        hint = "Name the folder of the service with --data."
        if data is None and (last := started_last(folder.root)):
            hint = f"{last} Or name it with --data."
        raise CommandError(f"No service has run on {folder.root} yet: it has no database.", hint)
    with _started(folder, told) as url:
        yield told | {"DATABASE_URL": url}


def is_told(data: Path | None) -> bool:
    """Whether DATABASE_URL says which database is meant: a folder that is given and has one itself goes before it."""
    if not os.environ.get("DATABASE_URL"):
        return False
    return data is None or not _has_own(DataFolder.at(data))


def has_database(folder: DataFolder) -> bool:
    """Whether a database lies in the folder, running or not."""
    return (folder.root / "postgres" / "PG_VERSION").exists()


def _has_own(folder: DataFolder) -> bool:
    """A stack that runs there may have its database elsewhere, beside one that lies there from before."""
    if folder.running() is not None:
        return sockets_of(folder.root / "postgres") is not None
    return has_database(folder)


def _running_database(folder: DataFolder) -> str:
    sockets = sockets_of(folder.root / "postgres")
    if sockets is None:
        hint = "Give its database as DATABASE_URL."
        raise StackError(f"The stack on {folder.root} has its database elsewhere.", hint)
    return f"postgresql://postgres@/pedigree?host={quote(str(sockets), safe='/')}"


@contextmanager
def _started(folder: DataFolder, told: Mapping[str, str]) -> Iterator[str]:
    """The folder's Postgres alone, migrated, for the time of the block."""
    with folder.lock():
        folder.close_to_others()
        server = Postgres(folder.root / "postgres", folder.log("postgres"))
        try:
            url = server.start()
            run_once(["migrations"], {**told, "DATABASE_URL": url}, folder.log("migrations"))
            yield url
        finally:
            server.stop()
