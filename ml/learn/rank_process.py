"""``python -m ml.learn.rank_process PARENT LINE``: one of the processes that train a model together.

Nothing heavy is imported before it is tied to its parent; LINE is the number of the open file to it.
"""

import os
import signal
import sys
from multiprocessing.connection import Connection

from ml.late import Late
from ml.tied import end_with


def main(parent: int, number: int) -> None:
    """Train, and end at once, whatever the libraries still hold."""
    if not end_with(parent):
        return
    # A terminal's Ctrl-C, and a wish to stop, are for the parent, which passes it on.
    for wish in (signal.SIGINT, signal.SIGTERM):
        signal.signal(wish, signal.SIG_IGN)
    os.set_inheritable(number, False)
    with Connection(number) as connection:
        Late("ml.learn.rank", "run").get()(connection)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
