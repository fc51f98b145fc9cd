"""What a user's shell has set for other programs, and the stack's processes must not obey."""

import os
import re

PYTHON = re.compile(r"PYTHON\w*|__PYVENV_LAUNCHER__")
"""Other search paths, warnings as errors, options of other interpreters."""
POSTGRES = re.compile(r"PG[A-Z]+")
"""libpq's defaults: another port, options, files of passwords."""


def drop_variables(names: re.Pattern[str]) -> None:
    """Take such variables out of this process's environment, and so out of that of all it starts."""
    for name in [name for name in os.environ if names.fullmatch(name)]:
        del os.environ[name]
