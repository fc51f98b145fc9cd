"""``python -m ml train|lr-find FOLDER``: learn on this machine, once it is known that torch and torchvision fit."""

import sys
from collections.abc import Callable

from ml import versions
from ml.late import Late

_COMMAND: Late[Callable[[], int]] = Late("ml.command", "main")


def main() -> int:
    """Run the command; a pair that does not fit is one line on standard error and exit code 1."""
    # torch comes in with the command: a pair that does not fit can be named only before that.
    return versions.main() or _COMMAND.get()()


if __name__ == "__main__":
    sys.exit(main())
