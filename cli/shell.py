"""What a user's shell has set for other programs, and the stack's processes must not obey."""

import os
import re

PYTHON = re.compile(r"PYTHON\w*|__PYVENV_LAUNCHER__")
"""Other search paths, warnings as errors, options of other interpreters."""
POSTGRES = re.compile(r"PG[A-Z]+")
"""libpq's defaults: another port, options, files of passwords."""
CELERY = re.compile(r"CELERY_\w+")
"""Another broker, a loader, a module of settings: Celery obeys them before what an app is given."""
MATPLOTLIB = re.compile(r"MPLBACKEND")
"""A notebook's, which may be no backend here; nothing of ours is drawn on a screen."""
OF_OTHER_PROGRAMS = (PYTHON, CELERY, MATPLOTLIB)
"""What nothing of ours reads, whoever starts it."""


def drop_variables(*names: re.Pattern[str]) -> None:
    """Take such variables out of this process's environment, and so out of that of all it starts."""
    for name in [name for name in os.environ if any(one.fullmatch(name) for one in names)]:
        del os.environ[name]
