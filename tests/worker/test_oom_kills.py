"""Where the kernel's count is read."""

from pathlib import Path

import pytest

from worker.oom_kills import oom_kills


@pytest.fixture
def system(tmp_path: Path) -> tuple[Path, Path]:
    """A /proc and a /sys/fs/cgroup, empty."""
    proc, groups = tmp_path / "proc", tmp_path / "cgroup"
    (proc / "self").mkdir(parents=True)
    groups.mkdir()
    return proc, groups


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_a_system_that_does_not_count_has_killed_nobody(system: tuple[Path, Path]) -> None:
    proc, groups = system
    assert oom_kills(proc, groups) == 0
    assert oom_kills(proc / "nowhere", groups) == 0


def test_without_a_group_of_its_own_it_is_the_machine_s_count(system: tuple[Path, Path]) -> None:
    proc, groups = system
    write(proc / "vmstat", "pgmajfault 9\noom_kill 4\nnuma_hit 7\n")
    assert oom_kills(proc, groups) == 4
    write(proc / "self" / "cgroup", "0::/\n")
    assert oom_kills(proc, groups) == 4


@pytest.mark.parametrize("where", ["workers/one", "."])
def test_version_2_counts_in_the_group_s_events(system: tuple[Path, Path], where: str) -> None:
    proc, groups = system
    write(proc / "vmstat", "oom_kill 4\n")
    write(proc / "self" / "cgroup", "0::/workers/one\n")
    write(groups / where / "memory.events", "low 0\nhigh 0\nmax 31\noom 3\noom_kill 2\noom_group_kill 1\n")
    assert oom_kills(proc, groups) == 2


@pytest.mark.parametrize("where", ["workers/one", "."])
def test_version_1_counts_in_the_memory_controller_s_oom_control(system: tuple[Path, Path], where: str) -> None:
    proc, groups = system
    write(proc / "vmstat", "oom_kill 4\n")
    write(proc / "self" / "cgroup", "5:cpu,cpuacct:/elsewhere\n4:memory:/workers/one\n0::/\n")
    write(groups / "memory" / where / "memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n")
    assert oom_kills(proc, groups) == 3
