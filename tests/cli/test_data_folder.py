import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from cli.data_folder import DataFolder
from cli.errors import StackError


def test_the_default_is_what_is_named_then_what_is_here_then_the_users_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PEDIGREE_DATA", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    assert DataFolder.at(None).root == tmp_path / "share" / "pedigree"
    (tmp_path / ".pedigree").mkdir()
    assert DataFolder.at(None).root == tmp_path / ".pedigree"
    monkeypatch.setenv("PEDIGREE_DATA", str(tmp_path / "named"))
    assert DataFolder.at(None).root == tmp_path / "named"
    assert DataFolder.at(Path("given")).root == tmp_path / "given"


def test_only_one_process_has_a_folder_and_a_killed_one_lets_go(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    hold = "import sys, time; from pathlib import Path; from cli.data_folder import DataFolder\n"
    hold += "with DataFolder(Path(sys.argv[1])).lock(): print('held', flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", hold, str(tmp_path)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        assert not folder.running(), "it has not said where it answers"
        folder.write_stack({"url": "http://127.0.0.1:1"})
        assert folder.running()
        with pytest.raises(StackError, match=f"A stack already runs on {tmp_path}"), folder.lock():
            pass
        holder.kill()
    with folder.lock():
        assert (tmp_path / "lock").exists()
    assert not folder.running()
    assert not DataFolder(tmp_path / "nowhere").running()
    assert not (tmp_path / "nowhere").exists()


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StackError, match="cannot be used: Not a directory"), DataFolder(tmp_path / "file" / "x").lock():
        pass


def test_a_half_written_stack_file_is_no_stack(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    folder.write_stack({"url": "http://127.0.0.1:1", "pid": os.getpid()})
    assert folder.stack() == {"url": "http://127.0.0.1:1", "pid": os.getpid()}
    folder.stack_file.write_text('{"url": "http')
    assert folder.stack() is None


def test_nobody_else_comes_into_the_folders_of_a_stack(tmp_path: Path) -> None:
    somebodys = tmp_path / "shared"
    somebodys.mkdir(mode=0o755)
    somebodys.chmod(0o755)
    root = tmp_path / "data"
    (root / "artifacts").mkdir(parents=True, mode=0o755)
    (root / "artifacts").chmod(0o755)
    (root / "weights").symlink_to(somebodys)
    DataFolder(root).close_to_others()
    modes = {name: stat.S_IMODE((root / name).stat().st_mode) for name in ("artifacts", "cache", "logs", "weights")}
    assert modes == {"artifacts": 0o700, "cache": 0o700, "logs": 0o700, "weights": 0o755}


def test_a_folder_that_cannot_be_closed_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("")
    with pytest.raises(StackError, match=r"logs cannot be closed to other users: File exists"):
        DataFolder(tmp_path).close_to_others()
