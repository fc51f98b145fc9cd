"""The embedded Postgres and Redis: what a laptop does to them."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
import redis

from cli import servers
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


@pytest.mark.skipif("os.geteuid() != 0", reason="only root can enter what others cannot")
def test_root_needs_no_open_folders(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    with running(Postgres(closed / "postgres")) as url:
        write(url, "private")
    assert closed.stat().st_mode & 0o777 == 0o700
    assert (closed / "postgres").stat().st_uid != 0


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
