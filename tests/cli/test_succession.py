"""An API process that does not come up takes over from nobody: the one that runs goes on."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cli import succession as module
from cli.processes import wait_until
from cli.services import API_STOP, Service
from cli.succession import Succession
from tests.patience import PATIENCE_SECONDS

Make = Callable[[str], Service]
HANGS = "time.sleep(600)"


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Make]:
    """A service that goes on, of which a successor does what it is given."""
    made: list[Service] = []

    def start(successor: str) -> Service:
        program = f"import os, sys, time\nif '--ready-fd' in sys.argv:\n    {successor}\ntime.sleep(600)\n"
        (tmp_path / "standin.py").write_text(program)
        environment = {**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
        made.append(Service(["standin"], environment, tmp_path / "api.log", API_STOP))
        made[0].start()
        return made[0]

    yield start
    made[0].stop()


def outcome(taking: Succession) -> Service | str:
    found: list[Service | str] = []

    def is_over() -> bool:
        said = taking.look()
        found.extend([] if said is None else [said])
        return said is not None

    assert wait_until(is_over, PATIENCE_SECONDS)
    return found[0]


def is_up(one: Service) -> bool:
    return one.process is not None and one.process.poll() is None


def test_one_that_ends_instead_is_told_with_what_it_said(running: Make) -> None:
    old = running("sys.exit('the port is another one now')")
    assert outcome(Succession(old)) == "it ended: the port is another one now"
    assert is_up(old)


def test_one_that_is_not_ready_in_time_is_ended(running: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    old = running(HANGS)
    monkeypatch.setattr(module, "READY_SECONDS", 0.0)
    taking = Succession(old)
    assert outcome(taking) == "it was not ready within 0 s"
    assert taking._new.wait(PATIENCE_SECONDS) != 0
    assert is_up(old)


def test_a_stack_that_stops_meanwhile_ends_the_new_one_too(running: Make) -> None:
    old = running(HANGS)
    taking = Succession(old)
    assert taking.look() is None
    taking.stop()
    assert taking._new.poll() is not None
    assert is_up(old)


def test_one_that_is_ready_takes_over_and_the_old_one_is_asked_to_stop(running: Make) -> None:
    old = running("os.write(int(sys.argv[-1]), b'1')")
    new = outcome(Succession(old))
    assert isinstance(new, Service)
    try:
        assert is_up(new)
        assert old.process is not None
        assert old.process.wait(PATIENCE_SECONDS) != 0
        assert (new.arguments, new.log) == (old.arguments, old.log)
    finally:
        new.stop()
