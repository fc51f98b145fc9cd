"""``pedigree backup`` and ``pedigree restore``: database and artifacts of one moment, in one file."""

import os
import shlex
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import click

from cli import shell
from cli.backup_process import Json, run_backup
from cli.data_folder import DataFolder
from cli.errors import CommandError
from cli.options import data_option, json_option
from cli.own_database import database_environment, has_database, is_told
from cli.running import find_stack
from cli.saying import say
from cli.servers import Postgres
from cli.tables import counted, in_units, show_json

NAME = "pedigree-*.backup.tar"
STAGING = "restoring"
UNUSED = {"REDIS_URL": "redis://unused"}
WAY_OUT = "Name another folder with --data, one that is new or empty."
place_argument = click.argument("place", metavar="FILE|FOLDER", type=click.Path(path_type=Path))


@click.command()
@place_argument
@data_option
@click.option(
    "--allow-missing", is_flag=True, help="Make it even where the artifact store lacks files that the record names."
)
@json_option
def backup(place: Path, data: Path | None, allow_missing: bool, as_json: bool) -> None:
    """Save database and artifacts in one file while the service runs.

    It is FILE, or a new one in FOLDER, and what it holds is of one moment. It has everything but settings, weights,
    presized caches and what the service logged. Photos and models are in it as they are, keys as their hashes: keep
    it where only you can read it.
    """
    target = _target(place)
    words = ["write", str(target), *(["--allow-missing"] if allow_missing else [])]
    with stack_environment(data) as environment:
        made = run_backup(words, environment)
    if as_json:
        show_json(made)
        return
    say(f"{target}: {in_units(made['bytes'])}, {_contents(made)}")
    if made["lost"]:
        say(f"! it lacks {counted(len(made['lost']), 'file', 'files')}: {', '.join(made['lost'][:3])}", err=True)


@click.command()
@place_argument
@data_option
@click.option("--check", "only_check", is_flag=True, help="Read it whole, say what is in it, and restore nothing.")
@json_option
def restore(place: Path, data: Path | None, only_check: bool, as_json: bool) -> None:
    """Restore a backup into a new data folder, or an empty database and store.

    It is FILE, or the newest in FOLDER. Jobs that ran or waited when it was made are queued again, and go on once
    the service is started.
    """
    source = _source(place)
    if only_check:
        found = run_backup(["check", str(source)], os.environ)
        _report(found, f"{source}: whole, {in_units(found['bytes'])}, {_contents(found)}", as_json=as_json)
        return
    folder = DataFolder.at(data)
    done = _restored(source, folder)
    jobs = done["jobs_were_running"] + done["jobs_were_queued"]
    _report(done, f"restored {_contents(done)}", as_json=as_json)
    if not as_json:
        waiting = f"{counted(jobs, 'job waits', 'jobs wait')}; they go on" if jobs else "no job waits; it goes on"
        say(f"{waiting} with `pedigree up --data {shlex.quote(str(folder.root))}`")


def _report(found: Json, line: str, *, as_json: bool) -> None:
    if as_json:
        show_json(found)
    else:
        say(line)


def _contents(found: Json) -> str:
    made = datetime.fromisoformat(found["made_at"]).astimezone()
    what = f"{found['rows']} rows and {counted(found['files'], 'file', 'files')} ({in_units(found['file_bytes'])})"
    return f"{what}, of {made:%Y-%m-%d %H:%M:%S}, by Pedigree {found['pedigree']}, schema {found['revision']}"


def _target(place: Path) -> Path:
    """The file to write.

    Raises:
        CommandError: it is there already, or its folder is not.
    """
    now = datetime.now(UTC)
    target = (place / NAME.replace("*", f"{now:%Y%m%d-%H%M%S}") if place.is_dir() else place).absolute()
    if target.exists() or target.is_symlink():
        raise CommandError(f"{target} is there already.", "Name another file, or a folder.")
    if not target.parent.is_dir():
        raise CommandError(f"{target.parent} is no folder.", "Make it first, or name another.")
    return target


def _source(place: Path) -> Path:
    """The file to read.

    Raises:
        CommandError: there is none.
    """
    if not place.is_dir():
        return place.absolute()
    found = sorted(place.glob(NAME))
    if not found:
        raise CommandError(f"{place} has no {NAME} in it.", "Name the file itself.")
    return found[-1].absolute()


@contextmanager
def stack_environment(data: Path | None) -> Iterator[dict[str, str]]:
    """The settings of the service whose data it is; its database is started where it does not run.

    Raises:
        CommandError: there is no data.
    """
    folder = find_stack(data).folder
    if not is_told(data) and folder.running() is None and not has_database(folder):
        raise CommandError(f"{folder.root} holds no data.", "Name the data folder with --data.")
    with database_environment(data) as environment:
        yield environment | _artifacts_of(folder.root / "artifacts")


def _restored(source: Path, folder: DataFolder) -> Json:
    """Restore where the settings say; what is the data folder's own is made beside and moved in at the end.

    Raises:
        CommandError: it cannot be restored, and nothing of it is left.
    """
    told = UNUSED | {name: value for name, value in os.environ.items() if value}
    if told.get("DATABASE_URL"):
        artifacts = _artifacts_of(folder.root / "artifacts")
        with _own_store(folder, told):
            return run_backup(["restore", str(source)], told | artifacts)
    with folder.lock():
        _check_unused(folder, has_own_store=not told.get("ARTIFACTS_URL"))
        return _restored_beside(source, folder, told)


def _restored_beside(source: Path, folder: DataFolder, told: Mapping[str, str]) -> Json:
    shell.drop_variables(shell.POSTGRES)  # of a database of the user's own they may be part
    staging = folder.root / STAGING
    shutil.rmtree(staging, ignore_errors=True)
    try:
        staging.mkdir(mode=0o700)
        server = Postgres(staging / "postgres", folder.log("postgres"))
        try:
            own = {name: value for name, value in told.items() if not shell.POSTGRES.fullmatch(name)}
            own |= {"DATABASE_URL": server.start()} | _artifacts_of(staging / "artifacts")
            done = run_backup(["restore", str(source)], own)
        finally:
            server.stop()
        _move_in(staging, folder)
        folder.close_to_others()
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return done


def _move_in(staging: Path, folder: DataFolder) -> None:
    """The database last: before that there is no data in the folder."""
    for name in ("artifacts", "postgres"):
        made, place = staging / name, folder.root / name
        if made.exists():
            if place.exists():
                place.rmdir()
            made.rename(place)


def _artifacts_of(own: Path) -> dict[str, str]:
    told = os.environ.get("ARTIFACTS_URL")
    return {"ARTIFACTS_URL": told or own.as_uri()}


@contextmanager
def _own_store(folder: DataFolder, told: Mapping[str, str]) -> Iterator[None]:
    """Hold the data folder where artifacts lie in it."""
    if told.get("ARTIFACTS_URL"):
        yield
        return
    with folder.lock():
        yield


def _check_unused(folder: DataFolder, *, has_own_store: bool) -> None:
    """See that the folder has no data.

    Raises:
        CommandError: it has.
    """
    if has_database(folder):
        raise CommandError(f"{folder.root} has a database already.", WAY_OUT)
    artifacts = folder.root / "artifacts"
    if has_own_store and artifacts.exists() and (artifacts.is_symlink() or any(artifacts.iterdir())):
        raise CommandError(f"{artifacts} is there already, and not empty.", WAY_OUT)
