"""``python -m ml train|lr-find FOLDER``: learn on this machine, once it is known that torch and torchvision fit."""

import importlib
import sys

from ml import versions


def main() -> int:
    """Run the command; a pair that does not fit is one line on standard error and exit code 1."""
    # torch comes in with the command: a pair that does not fit can be named only before that.
    status: int = versions.main() or importlib.import_module("ml.command").main()
    return status


if __name__ == "__main__":
    sys.exit(main())
