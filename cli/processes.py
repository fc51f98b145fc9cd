"""Starting and ending the processes of the stack: each in its own session, tied to our life, with a log."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from time import monotonic, sleep

LAUNCHER = Path(__file__).with_name("launch.py")


def start_process(
    command: Sequence[str],
    *,
    log: Path,
    cwd: Path,
    death_signal: signal.Signals = signal.SIGKILL,
    user: tuple[int, int] | None = None,
    environment: Mapping[str, str] | None = None,
    passed: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Start a program that gets ``death_signal`` when the calling thread's process ends, however it ends.

    Call it from the main thread: the kernel ties the child to the thread, not to the process. The program leads a
    session of its own, so a Ctrl-C at the terminal reaches only us and the order of stopping stays ours. Its output is
    appended to ``log``. It has the descriptors ``passed``, beside the three of every program.
    """
    owner = "-" if user is None else f"{user[0]}:{user[1]}"
    launcher = [sys.executable, "-I", "-S", str(LAUNCHER), str(os.getpid()), str(int(death_signal)), owner, "--"]
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        return subprocess.Popen(  # noqa: S603  # a list, no shell, and every program is ours
            [*launcher, *command],
            cwd=cwd,
            env=None if environment is None else dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=passed,
        )


def end_process(process: subprocess.Popen[bytes], escalation: Sequence[tuple[signal.Signals, float]]) -> None:
    """Send each signal and wait its seconds until the process has ended; then kill what is left of its session."""
    for sent, seconds in escalation:
        if process.poll() is None:
            process.send_signal(sent)
            wait_until(lambda: process.poll() is not None, seconds)
    kill_group(process)


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill the process and everything still in its group, and reap it."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        process.poll()  # the whole group is gone already (macOS says EPERM for a group of zombies)
    process.wait()


def wait_until(done: Callable[[], bool], seconds: float) -> bool:
    """Ask ``done`` every few milliseconds until it is true or ``seconds`` are over; its last answer."""
    deadline = monotonic() + seconds
    while not (answer := done()) and monotonic() < deadline:
        sleep(0.02)
    return answer


def end_leftover(pid_file: Path, folder: Path, escalation: Sequence[tuple[signal.Signals, float]]) -> None:
    """End the server that an earlier, killed stack left running in ``folder``; forget a pid file that is stale.

    The number in the file may meanwhile belong to any other process (a container starts counting anew), so only a
    process that works in ``folder`` is signalled.
    """
    try:
        pid = int(pid_file.read_text().split()[0])
    except (FileNotFoundError, ValueError, IndexError):
        return
    for sent, seconds in escalation:
        if _works_in(pid, folder):
            os.kill(pid, sent)
            wait_until(lambda: not _works_in(pid, folder), seconds)
    pid_file.unlink(missing_ok=True)


def _works_in(pid: int, folder: Path) -> bool:
    """Whether the process lives and has ``folder`` as its working directory."""
    if Path("/proc/self").exists():
        try:
            return Path(f"/proc/{pid}/cwd").samefile(folder)
        except OSError:
            return False
    lsof = ["lsof", "-a", "-p", str(pid), "-d", "cwd", "-Fn"]
    listed = subprocess.run(lsof, capture_output=True, text=True, check=False)  # noqa: S603  # fixed words and a number
    return f"n{folder.resolve()}" in listed.stdout.splitlines()


def last_line(log: Path, *telling: re.Pattern[str]) -> str:
    """What a program said last, for a one-line error; of the lines with the first of ``telling`` that any line has."""
    lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
    for words in telling:
        if told := [line for line in lines if words.search(line)]:
            return told[-1]
    return lines[-1] if lines else "it said nothing"
