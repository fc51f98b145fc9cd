"""``python -m backup`` in a process of its own, and how far it is shown to whom waits."""

import json
import subprocess
import sys
from collections.abc import Mapping
from time import monotonic
from typing import Any

from cli.errors import CommandError
from cli.problems import ended
from cli.services import HOUSE
from cli.transfer import Transfer

Json = dict[str, Any]
VERBS = {"check": "reading", "rows": "rows", "files": "copying"}


def run_backup(words: list[str], environment: Mapping[str, str]) -> Json:
    """Have it do something, with the way shown; its answer.

    Raises:
        CommandError: it cannot be done.
    """
    command = [sys.executable, "-m", "backup", *words]
    process = subprocess.Popen(  # noqa: S603  # our own module
        command, cwd=HOUSE, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        answer = _followed(process)
        said = process.stderr.read() if process.stderr is not None else ""
        process.wait()
    except BaseException:
        process.terminate()  # it takes away what it had begun
        process.wait()
        raise
    finally:
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
    if answer is None:
        why = (said.strip().splitlines() or ["it said nothing"])[-1]
        raise CommandError(f"The backup broke off: {ended(why)}")
    if process.returncode:
        detail, hint = str(answer["detail"]), answer.get("hint")
        raise CommandError(ended(detail[0].upper() + detail[1:]), hint)
    return answer


def _followed(process: "subprocess.Popen[str]") -> Json | None:
    """Show each line of progress; the line that is none."""
    with Transfer("") as show:
        began, stage = monotonic(), ""
        for line in process.stdout or ():
            told: Json = json.loads(line)
            if "stage" not in told:
                return told
            if told["stage"] != stage:
                stage, began = told["stage"], monotonic()
            if stage in VERBS and stage != "rows":
                show.verb = VERBS[stage]
                show.seconds_left = _left(monotonic() - began, told["done"], told["total"])
                show(told["done"], told["total"])
    return None


def _left(seconds: float, done: int, total: int) -> float | None:
    """At the rate so far."""
    return None if not done or done >= total else seconds / done * (total - done)
