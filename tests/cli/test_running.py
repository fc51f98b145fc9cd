"""How a command finds the stack that runs, from whichever folder it is given in."""

import json
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from cli import doctor, running
from cli.client import Unreachable, find_service
from cli.data_folder import DataFolder
from cli.errors import CommandError, StackError
from cli.options import say_which
from cli.own_database import database_environment, is_told
from cli.running import StackChoice, find_stack, forget, remember
from pedigree import errors, finding
from pedigree.finding import notes_folder, running_folders
from tests.cli.service import Answer, serving
from tests.cli.test_commands import JOB, pedigree

Capture = pytest.CaptureFixture[str]
Patch = pytest.MonkeyPatch


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: Patch) -> Path:
    """A new user in a folder without a stack; where their stacks are noted."""
    monkeypatch.chdir(tmp_path)
    for name in ("PEDIGREE_DATA", "PEDIGREE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "pedigree" / "stacks"


@contextmanager
def stack(root: Path, url: str = "http://127.0.0.1:1") -> Iterator[DataFolder]:
    """What a started stack leaves for others to see; at the end it is as after a kill."""
    folder = DataFolder(root)
    with folder.lock():
        folder.write_stack({"url": url})
        remember(folder)
        yield folder


def test_the_last_stack_is_told_when_none_runs_any_more(tmp_path: Path) -> None:
    """An empty one, started in its place, looks as if everything were lost."""
    with stack(tmp_path / "a b") as last:
        forget(last)
    with pytest.raises(Unreachable) as caught:
        find_service(None, None)
    assert f"The last one ran on {last.root}: `pedigree up --data '{last.root}'` starts it again." in str(caught.value)
    with pytest.raises(errors.Unreachable, match="The last one ran on") as client_s:
        finding.find_url()
    assert str(last.root) in str(client_s.value)
    with pytest.raises(Unreachable) as named:
        find_service(None, tmp_path / "named")
    assert "The last one" not in str(named.value)
    last.root.rename(tmp_path / "gone")
    with pytest.raises(Unreachable) as gone:
        find_service(None, None)
    assert "The last one" not in str(gone.value)


def test_keys_of_no_database_are_not_listed_by_making_one(tmp_path: Path, capsys: Capture, monkeypatch: Patch) -> None:
    for words in (("list",), ("revoke", "alice")):
        code, out, err = pedigree(capsys, monkeypatch, "keys", *words, "--data", str(tmp_path / "none"))
        assert (code, out) == (1, "")
        assert "it has no database. Name the folder of the service with --data." in err
    assert not (tmp_path / "none" / "postgres").exists()


def test_a_stack_is_found_from_anywhere_while_it_runs(tmp_path: Path, state: Path) -> None:
    with stack(tmp_path / "a") as a:
        assert find_stack(None) == StackChoice(a, among=1)
        with find_service(None, None) as client:
            assert client.url == "http://127.0.0.1:1"
        forget(a)
        assert list(state.iterdir()) == []
        with pytest.raises(Unreachable, match="No service is known"):
            find_service(None, None)


def test_what_a_killed_stack_wrote_is_no_address(tmp_path: Path) -> None:
    with stack(tmp_path / "a") as a:
        pass
    assert a.stack() is not None
    with pytest.raises(Unreachable, match=rf"no stack runs on {a.root}\."):
        find_service(None, a.root)


def test_of_several_the_last_started_is_taken_and_a_killed_one_is_forgotten(tmp_path: Path, state: Path) -> None:
    with ExitStack() as killed:
        a = killed.enter_context(stack(tmp_path / "a"))
        with stack(tmp_path / "b") as b:
            for at, folder in enumerate((a, b)):
                os.utime(running._note_of(folder), (at, at))
            assert running_folders() == [b.root, a.root]
            assert find_stack(None) == StackChoice(b, among=2)
            os.utime(running._note_of(a), (9, 9))
            assert find_stack(None) == StackChoice(a, among=2)
            killed.close()
            assert find_stack(None) == StackChoice(b, among=1)
            assert list(state.iterdir()) == [running._note_of(b)]


def test_what_is_named_and_what_runs_here_go_before(tmp_path: Path, monkeypatch: Patch) -> None:
    with stack(tmp_path / "a"):
        assert find_stack(tmp_path / "named") == StackChoice(DataFolder(tmp_path / "named"), named=True)
        with stack(tmp_path / ".pedigree") as here:
            os.utime(running._note_of(here), (0, 0))
            assert find_stack(None) == StackChoice(here)
        monkeypatch.setenv("PEDIGREE_DATA", str(tmp_path / "set"))
        assert find_stack(None) == StackChoice(DataFolder(tmp_path / "set"), named=True)
        with pytest.raises(Unreachable, match=f"no stack runs on {tmp_path / 'set'}"):
            find_service(None, None)


def test_a_note_is_for_its_users_eyes_only(tmp_path: Path, state: Path, monkeypatch: Patch) -> None:
    before = os.umask(0)
    try:
        with stack(tmp_path / "a") as a:
            assert state.stat().st_mode & 0o777 == 0o700
            assert [note.stat().st_mode & 0o777 for note in state.iterdir()] == [0o600]
            assert running_folders() == [a.root]
            monkeypatch.setattr(os, "geteuid", lambda: 4711)
            assert running_folders() == []
    finally:
        os.umask(before)


def test_a_stack_of_another_machine_with_the_same_home_is_left_alone(
    tmp_path: Path, state: Path, monkeypatch: Patch
) -> None:
    """Whatever it is called; and by its name where the system does not tell machines apart."""
    for own in ("network:1", None):
        with monkeypatch.context() as elsewhere:
            elsewhere.setattr(finding, "network", [own].pop)
            if own is None:
                elsewhere.setattr(socket, "gethostname", lambda: "another")
            with stack(tmp_path / "a") as a:
                pass
        assert running_folders() == []
        forget(a)
        assert len(list(state.iterdir())) == 1
        next(state.iterdir()).unlink()


@pytest.mark.parametrize("has_number", [True, False])
def test_a_machine_that_is_called_otherwise_meanwhile_finds_and_forgets_its_stacks(
    tmp_path: Path, state: Path, monkeypatch: Patch, *, has_number: bool
) -> None:
    if not has_number:
        monkeypatch.setattr(running, "_machine", lambda: "")
    with stack(tmp_path / "a") as a, stack(tmp_path / "b") as b:
        monkeypatch.setattr(socket, "gethostname", lambda: "renamed")
        assert set(running_folders()) == {a.root, b.root}
        forget(a)
        assert running_folders() == [b.root]
        assert len(list(state.iterdir())) == 1


def test_what_is_given_goes_before_what_the_shell_has_set(tmp_path: Path, monkeypatch: Patch) -> None:
    monkeypatch.setenv("PEDIGREE_URL", "http://127.0.0.1:2")
    monkeypatch.setenv("PEDIGREE_DATA", str(tmp_path / "a"))
    for given, url in (((None, None), 2), ((None, tmp_path / "a"), 1), (("http://127.0.0.1:3", tmp_path / "a"), 3)):
        with stack(tmp_path / "a"), find_service(*given) as client:
            assert client.url == f"http://127.0.0.1:{url}"
    assert doctor.look_at_service(None, tmp_path / "nowhere")["fault"].startswith("No service is known")
    assert doctor.is_named(None, None)
    assert not doctor.is_named(None, tmp_path)


def test_a_folder_with_a_database_goes_before_the_shells_where_it_is_given(tmp_path: Path, monkeypatch: Patch) -> None:
    assert not is_told(None)
    monkeypatch.setenv("DATABASE_URL", "postgresql://elsewhere/x")
    monkeypatch.setenv("PEDIGREE_DATA", str(tmp_path / "a"))
    own = tmp_path / "a" / "postgres" / "PG_VERSION"
    own.parent.mkdir(parents=True)
    own.touch()
    assert is_told(None)
    assert not is_told(tmp_path / "a")
    assert is_told(tmp_path / "b")
    with pytest.raises(CommandError, match="has a database of its own"), database_environment(tmp_path / "a"):
        pass
    with stack(tmp_path / "a"):
        assert is_told(tmp_path / "a"), "the one that runs has none, whatever lies there from before"


def test_a_killed_stack_does_not_run_while_another_command_holds_its_folder(
    capsys: Capture, monkeypatch: Patch, tmp_path: Path
) -> None:
    folder = DataFolder(tmp_path / "a")
    killed = {"url": "http://127.0.0.1:1", "pid": 4_000_000, "restarts": 0}
    folder.root.mkdir()
    folder.write_stack(killed)
    with folder.lock():
        assert folder.stack() is None
        folder.write_stack(killed)
        assert folder.running() is None, "the one that holds it is another process"
        with pytest.raises(Unreachable, match="no stack runs"):
            find_service(None, folder.root)
        assert pedigree(capsys, monkeypatch, "restart", "--data", str(folder.root))[0] == 1
        with pytest.raises(StackError, match=f"is in use by process {os.getpid()}: a stack that starts"), folder.lock():
            pass
        (folder.root / "lock").write_text("")
        signals: list[object] = []
        monkeypatch.setattr(os, "kill", lambda *sent: signals.append(sent))
        assert folder.running() == killed, "as a stack of the version before has it"
        assert pedigree(capsys, monkeypatch, "restart", "--data", str(folder.root))[0] == 1
        assert signals == []


@pytest.mark.parametrize("content", ["", "[]", '{"data": 3, "host": "x"}', '{"data": "/x"}', "\x00"])
def test_a_note_that_is_none_is_passed_over(tmp_path: Path, state: Path, content: str) -> None:
    with stack(tmp_path / "a") as a:
        (state / "odd.json").write_text(content)
        assert running_folders() == [a.root]


def test_a_home_that_cannot_be_written_is_one_sentence(tmp_path: Path, monkeypatch: Patch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    with pytest.raises(StackError, match=r"cannot be written \(Not a directory\)\."):
        remember(DataFolder(tmp_path / "a"))
    forget(DataFolder(tmp_path / "a"))
    assert running_folders() == []


def test_nothing_is_noted_in_another_users_home(tmp_path: Path, monkeypatch: Patch) -> None:
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert notes_folder() == tmp_path / ".local" / "state" / "pedigree" / "stacks"
    monkeypatch.setattr(os, "geteuid", lambda: 65534)
    assert tmp_path not in notes_folder().parents
    monkeypatch.setattr(os, "geteuid", lambda: 4_000_000)  # a container's number without a name
    monkeypatch.setenv("HOME", "/nowhere")
    assert notes_folder() == Path("/nowhere/.local/state/pedigree/stacks")


@pytest.mark.parametrize(
    ("among", "as_said"),
    [
        (0, ""),
        (1, "service: http://127.0.0.1:1 (data in /data)\n"),
        (2, "service: http://127.0.0.1:1 (data in /data, started last of the 2 that run)\n"),
    ],
)
def test_which_service_it_is_is_said_to_people(capsys: Capture, monkeypatch: Patch, among: int, as_said: str) -> None:
    found = StackChoice(DataFolder(Path("/data")), among)
    say_which("http://127.0.0.1:1", found)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    say_which("http://127.0.0.1:1", found)
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", as_said)


def test_json_comes_alone(capsys: Capture, monkeypatch: Patch, tmp_path: Path) -> None:
    answers = {"GET /jobs/4": [Answer(JOB)]}
    with serving(answers) as service, stack(tmp_path / "a", service.url):
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
        code, _, err = pedigree(capsys, monkeypatch, "jobs", "show", "4", "--json")
        assert (code, err) == (0, "")
        code, _, err = pedigree(capsys, monkeypatch, "jobs", "show", "4")
        assert (code, err) == (0, f"service: {service.url} (data in {tmp_path / 'a'})\n")


@pytest.mark.thorough
def test_weights_are_fetched_to_where_the_running_stack_looks(
    capsys: Capture, monkeypatch: Patch, tmp_path: Path
) -> None:
    monkeypatch.delenv("PEDIGREE_WEIGHTS", raising=False)
    there = tmp_path / "a" / "weights" / "mobilenet_v2.safetensors"
    there.parent.mkdir(parents=True)
    there.write_bytes(b"")
    with stack(tmp_path / "a"):
        code, out, _ = pedigree(capsys, monkeypatch, "weights", "fetch", "mobilenet_v2", "--json")
    assert code == 0
    assert json.loads(out)["path"] == str(there)
