"""``pedigree up`` as a user has it: a process of its own, with real servers, a real worker and a real API."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from cli.processes import wait_until
from tests.cli.pictures import draw_pictures
from tests.cli.service import free_port
from tests.patience import PATIENCE_SECONDS

COMMAND = [sys.executable, "-m", "cli.main"]
UP_SECONDS = 240.0
PARTS = {"postgres", "redis", "worker", "worker-light", "repair", "api"}


def environment(data: Path) -> dict[str, str]:
    """Nothing of the outside decides where the stack looks."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PEDIGREE_")}
    for name in ("DATABASE_URL", "REDIS_URL", "ARTIFACTS_URL"):
        kept.pop(name, None)
    return {**kept, "PEDIGREE_DATA": str(data), "PEDIGREE_DEVICE": "cpu"}


class Up:
    """A running `pedigree up`, with more words and variables where they are given; ``patch`` is Python run first."""

    def __init__(self, data: Path, *words: str, patch: str | None = None, **variables: str) -> None:
        patched = [sys.executable, "-c", f"{patch}; from cli.main import main; main()"]
        self.data = data
        self.said = data.with_suffix(".out")
        with self.said.open("w") as said:
            self.process = subprocess.Popen(
                [*(COMMAND if patch is None else patched), "up", "--port", "0", *words],
                env=environment(data) | variables,
                stdout=said,
                stderr=subprocess.STDOUT,
            )

    def wait(self) -> dict[str, Any]:
        """What it wrote once it was up."""
        ready = wait_until(lambda: self.stack() is not None or self.process.poll() is not None, UP_SECONDS)
        assert ready, self.said.read_text()
        stack = self.stack()
        assert stack is not None, self.said.read_text()
        return stack

    def stack(self) -> dict[str, Any] | None:
        """What it says of itself, once it is this process that says it."""
        try:
            stack: dict[str, Any] = json.loads((self.data / "stack.json").read_text())
        except FileNotFoundError:
            return None
        return stack if stack["pid"] == self.process.pid else None


@contextmanager
def up(data: Path, *words: str, patch: str | None = None, **variables: str) -> Iterator[Up]:
    started = Up(data, *words, patch=patch, **variables)
    try:
        yield started
    finally:
        started.process.terminate()
        try:
            started.process.wait(60)
        except subprocess.TimeoutExpired:
            started.process.kill()
            started.process.wait()


def pedigree(data: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *words], env=environment(data), capture_output=True, text=True, check=False)


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def all_gone(pids: dict[str, int]) -> bool:
    return wait_until(lambda: not any(lives(pid) for pid in pids.values()), PATIENCE_SECONDS)


@pytest.mark.thorough
@pytest.mark.long
def test_a_stack_keeps_itself_up_stops_cleanly_and_finds_everything_again(tmp_path: Path) -> None:
    data, pictures = tmp_path / "data", draw_pictures(tmp_path / "pictures", each=4)
    with up(data) as first:
        stack = first.wait()
        assert set(stack["pids"]) == PARTS
        added = pedigree(data, "datasets", "add", "colours", str(pictures))
        assert (added.returncode, added.stderr) == (0, "")
        assert added.stdout.splitlines()[-1] == "colours: 12 items of 3 breeds, photographs"

        second = pedigree(data, "up")
        assert second.returncode == 1
        taken = f"pedigree: A stack already runs on {data} and answers at {stack['url']}."
        assert second.stderr == f"{taken} Stop that one, or name another folder with --data.\n"

        os.kill(stack["pids"]["worker"], signal.SIGKILL)
        assert wait_until(
            lambda: (first.stack() or stack)["pids"]["worker"] != stack["pids"]["worker"], PATIENCE_SECONDS
        )
        restarted = first.stack()
        assert restarted is not None
        assert restarted["started_at"] == stack["started_at"]
        assert {name for name in PARTS if restarted["pids"][name] != stack["pids"][name]} == {"worker"}
        assert "! worker ended (signal SIGKILL); starting it again in 1 s" in first.said.read_text()

        first.process.terminate()
        assert first.process.wait(PATIENCE_SECONDS) == 0
        assert all_gone(restarted["pids"])
        assert not (data / "stack.json").exists()
        assert not (data / "postgres" / "postmaster.pid").exists()
    with up(data) as again:
        stack = again.wait()
        listed = httpx.get(f"{stack['url']}/datasets", trust_env=False).json()
        assert [(one["name"], one["items"]) for one in listed["items"]] == [("colours", 12)]
        jobs = httpx.get(f"{stack['url']}/jobs", trust_env=False).json()["items"]
        assert [job["state"] for job in jobs] == ["succeeded"]


@pytest.mark.thorough
@pytest.mark.long
def test_an_import_does_not_wait_for_a_training_and_a_second_training_says_that_it_does(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with up(data) as started:
        url = started.wait()["url"]
        pictures = draw_pictures(tmp_path / "pictures", each=4)
        assert pedigree(data, "datasets", "add", "colours", str(pictures)).returncode == 0
        tiny = {"arch": "mobilenet_v3_small", "pretrained": False, "presize": 128, "size": 128, "batch_size": 4}
        endless = {"recipe": "one_cycle", "epochs": 1000, "lr_max": 1e-4, "freeze": False, **tiny}
        body = {"kind": "train", "dataset": "colours", "config": endless}
        first, second = (httpx.post(f"{url}/jobs", json=body, trust_env=False).json() for _ in range(2))

        def job(number: int) -> dict[str, Any]:
            found: dict[str, Any] = httpx.get(f"{url}/jobs/{number}", trust_env=False).json()
            return found

        def is_known() -> bool:
            behind = job(second["id"])["waiting"]["behind"]
            return behind is not None and behind["eta_seconds"] is not None

        assert wait_until(is_known, PATIENCE_SECONDS), job(second["id"])
        more = pedigree(data, "datasets", "add", "others", str(pictures), "--no-wait")
        assert (more.returncode, more.stderr) == (0, "")
        brought = second["id"] + 1
        assert wait_until(lambda: job(brought)["state"] == "succeeded", PATIENCE_SECONDS), job(brought)
        assert (job(first["id"])["state"], job(second["id"])["state"]) == ("running", "queued")
        shown = pedigree(data, "jobs", "show", str(second["id"])).stdout
        assert f"behind job {first['id']} (train, run {first['run']}), about " in shown


@pytest.mark.thorough
@pytest.mark.long
def test_a_killed_stack_leaves_nothing_running_and_recovers(tmp_path: Path) -> None:
    data, pictures = tmp_path / "data", draw_pictures(tmp_path / "pictures", each=4)
    with up(data) as killed:
        pids = killed.wait()["pids"]
        assert pedigree(data, "datasets", "add", "colours", str(pictures)).returncode == 0
        killed.process.kill()
        killed.process.wait()
        assert all_gone(pids)
    listed = pedigree(data, "datasets", "list")
    assert listed.returncode == 1
    assert "no stack runs on" in listed.stderr  # the file that the killed one left gives no address
    with up(data) as again:
        again.wait()
        shown = pedigree(data, "datasets", "list")
        assert shown.stdout.splitlines()[1].split()[:3] == ["colours", "12", "3"]
        servers_come_back(again)
        assert pedigree(data, "datasets", "list").stdout == shown.stdout
        again.process.send_signal(signal.SIGINT)
        assert again.process.wait(PATIENCE_SECONDS) == 0


def servers_come_back(running: Up) -> None:
    """Kill Postgres and Redis and wait until others run in their place."""
    before = running.wait()["pids"]
    for name in ("postgres", "redis"):
        os.kill(before[name], signal.SIGKILL)

    def both_are_new() -> bool:
        now = (running.stack() or {"pids": before})["pids"]
        return all(now[name] != before[name] for name in ("postgres", "redis"))

    assert wait_until(both_are_new, PATIENCE_SECONDS), running.said.read_text()


@pytest.mark.thorough
def test_a_second_signal_does_not_wait(tmp_path: Path) -> None:
    patient = "import cli.stack, signal; cli.stack.WORKER_STOP = ((signal.SIGTERM, 3600.0),)"
    with up(tmp_path / "data", patch=patient) as started:
        pids = started.wait()["pids"]
        os.kill(pids["worker"], signal.SIGSTOP)  # a stopped process answers no request to end
        started.process.send_signal(signal.SIGINT)
        assert wait_until(lambda: not lives(pids["api"]), PATIENCE_SECONDS)
        started.process.send_signal(signal.SIGINT)
        assert started.process.wait(PATIENCE_SECONDS) == 0  # the worker alone would have been given an hour
        assert all_gone(pids)


@pytest.mark.thorough
def test_a_network_needs_a_key_first_which_is_made_without_a_service(tmp_path: Path) -> None:
    data = tmp_path / "data"
    everywhere = ("up", "--host", "0.0.0.0", "--port", "0")  # noqa: S104 - it is refused
    refused = pedigree(data, *everywhere)
    assert refused.returncode == 1
    assert "keys_missing: 0.0.0.0 can be reached from other machines, and there is no key." in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    made = pedigree(data, "keys", "create", "alice", "--scope", "admin")
    assert made.returncode == 0, made.stderr
    with up(data, "--host", "0.0.0.0") as started:  # noqa: S104 - with a key
        url = started.wait()["url"]
        key = {"authorization": f"Bearer {made.stdout.strip()}"}
        assert httpx.get(f"{url}/jobs", trust_env=False).status_code == 401
        assert httpx.get(f"{url}/healthz", trust_env=False).status_code == 200
        assert httpx.get(f"{url}/jobs", headers=key, trust_env=False).status_code == 200
        assert pedigree(data, "keys", "revoke", "alice").stdout == "key 1, alice, is revoked\n"
        assert wait_until(lambda: httpx.get(f"{url}/jobs", headers=key, trust_env=False).status_code == 401, 30)
        assert made.stdout.strip().split("_", 2)[2] not in "".join(log.read_text() for log in (data / "logs").iterdir())


def test_a_taken_port_that_was_asked_for_is_one_line(tmp_path: Path) -> None:
    with _listening() as port:
        refused = pedigree(tmp_path / "data", "up", "--port", str(port))
    assert refused.returncode == 1
    assert refused.stderr == (
        f"pedigree: Port {port} on 127.0.0.1 is taken. Choose another with --port, or leave it out.\n"
    )
    assert not (tmp_path / "data" / "postgres").exists()


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("DATABASE_URL", "mysql://nowhere", "pedigree: DATABASE_URL: it is not an address of Postgres."),
        ("PEDIGREE_LEASE_SECONDS", "soon", "pedigree: PEDIGREE_LEASE_SECONDS: Input should be a valid number"),
        (
            "PEDIGREE_OTLP_HEADERS_FILE",
            "/nowhere/h",
            "pedigree: PEDIGREE_OTLP_HEADERS_FILE: '/nowhere/h' cannot be read",
        ),
        (
            "PEDIGREE_OIDC_CLIENT_ID",
            "pedigree",
            "pedigree: PEDIGREE_OIDC_CLIENT_ID is set, and PEDIGREE_OIDC_ISSUER is not. Set PEDIGREE_OIDC_ISSUER too",
        ),
    ],
)
def test_a_setting_that_cannot_be_used_is_one_line(tmp_path: Path, name: str, value: str, sentence: str) -> None:
    changed = environment(tmp_path / "data") | {name: value}
    refused = subprocess.run([*COMMAND, "up", "--port", "0"], env=changed, capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert refused.stderr.startswith(sentence)
    assert len(refused.stderr.splitlines()) == 1
    assert refused.stdout == ""  # nothing was started for it
    assert not (tmp_path / "data" / "postgres").exists()
    assert not (tmp_path / "data" / "redis").exists()


def test_a_database_out_of_reach_ends_the_start_and_leaves_nothing(tmp_path: Path) -> None:
    data = tmp_path / "data"
    nowhere = f"postgresql://me:s3cret@127.0.0.1:{free_port()}/pedigree"
    changed = environment(data) | {"DATABASE_URL": nowhere}
    refused = subprocess.run([*COMMAND, "up", "--port", "0"], env=changed, capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert refused.stderr.startswith("pedigree: `python -m migrations` failed: the database cannot be migrated: ")
    assert "Connection refused. Read " in refused.stderr
    assert "sqlalche.me" not in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    assert "s3cret" not in refused.stderr
    assert "– postgres: DATABASE_URL is set, none is started" in refused.stdout
    assert not (data / "postgres").exists()
    assert not (data / "redis" / "redis.pid").exists()


@contextmanager
def _listening() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield int(listener.getsockname()[1])
