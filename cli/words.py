"""What the service says in HTTP's words, in the command's."""

import re

_COMMANDS = (
    (re.compile(r"GET /(datasets|jobs|models|runs) lists"), r"`pedigree \1 list` lists"),
    (re.compile(r"POST /jobs/(\d+)/resume"), r"`pedigree jobs resume \1`"),
    (
        re.compile(r'POST /models \{"run": RUN, "alias": "production"\}'),
        "`pedigree models register RUN --alias production`",
    ),
    (
        re.compile(r'POST /jobs \{"kind": "interpret", "run": (\d+), "config": \{"dataset": "([^"]*)"\}\}'),
        r"`pedigree runs interpret \1 --dataset \2`",
    ),
    (re.compile(r" or POST /datasets brings"), " brings"),
    (re.compile(r"GET /readyz tells"), "`pedigree doctor` tells"),
)


def in_commands(hint: str) -> str:
    """A hint of the service with commands in place of the requests that it names."""
    for request, command in _COMMANDS:
        hint = request.sub(command, hint)
    return hint
