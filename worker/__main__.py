"""``python -m worker``: one worker process, for one GPU or for the CPUs of a host."""

import logging
import os
import socket
import sys

from store.errors import SettingsInvalid

try:
    from worker.tasks import host
except SettingsInvalid as error:
    # the app reads the settings when it is imported, and a bad one deserves a sentence, not a traceback
    sys.exit(f"{error.detail}. {error.hint}")


def main() -> None:
    """Serve the queue until SIGTERM or Ctrl-C; a running job is put back into the queue with its checkpoint."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # The solo pool: the job's process is a child of ours, which a pool's daemonic processes could not have. The price:
    # a busy worker answers no remote control, so that it lives is told by the lease in the database alone.
    name = f"pedigree-{os.getpid()}@{socket.gethostname()}"
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    host.celery.worker_main(
        ["worker", "--pool=solo", "--concurrency=1", f"--hostname={name}", "--loglevel=INFO", *quiet]
    )


if __name__ == "__main__":
    main()
