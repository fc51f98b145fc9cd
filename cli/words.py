"""What the service says in HTTP's words, in the command's."""

import re

from cli.times import local_time

_COMMANDS = (
    (re.compile(r"GET /(datasets|jobs|models|runs) lists"), r"`pedigree \1 list` lists"),
    (re.compile(r"GET /datasets/(\S+) shows"), r"`pedigree datasets show \1` shows"),
    (re.compile(r"POST /jobs/(\d+)/resume"), r"`pedigree jobs resume \1`"),
    (re.compile(r"GET /runs/(\d+) shows"), r"`pedigree runs show \1` shows"),
    (re.compile(r"GET /runs/(\d+)/confusion shows"), r"`pedigree runs confusion \1` shows"),
    (re.compile(r'POST /jobs \{"kind": "train"\} queues'), "`pedigree train` queues"),
    (re.compile(r'POST /jobs \{"kind": "lr_find"\} queues'), "`pedigree jobs lr-find` queues"),
    (
        re.compile(r'POST /models \{"run": RUN, "alias": "production"\}'),
        "`pedigree models register RUN --alias production`",
    ),
    (
        re.compile(r'POST /jobs \{"kind": "interpret", "run": (\d+), "config": \{"dataset": "([^"]*)"\}\}'),
        r"`pedigree runs interpret \1 --dataset \2`",
    ),
    (re.compile(r" or POST /datasets adds"), " adds"),
    (re.compile(r"GET /readyz tells"), "`pedigree doctor` tells"),
    (re.compile(r"see GET /readyz"), "see `pedigree doctor`"),
)
_TIME = re.compile(r"(\d{4}-\d\d-\d\d) (\d\d:\d\d) UTC\b")
_PHASES = re.compile(r"\bphase (\d+(?: and \d+)*) \(from 0\)")


def in_commands(said: str) -> str:
    """A sentence of the service for the command: its requests as commands, phases counted from 1, local times."""
    for request, command in _COMMANDS:
        said = request.sub(command, said)
    said = _TIME.sub(lambda found: local_time(f"{found[1]}T{found[2]}Z"), said)
    return _PHASES.sub(lambda found: f"phase {_counted_from_one(found[1])}", said)


def _counted_from_one(numbers: str) -> str:
    return re.sub(r"\d+", lambda number: str(int(number[0]) + 1), numbers)
