"""``python -m worker``: one worker process, for one GPU or for the CPUs of a host."""

import logging
import os
import socket
import sys

from store.errors import SettingsInvalid


def main() -> int:
    """Serve the queue until SIGTERM or Ctrl-C; a running job is put back into the queue with its checkpoint."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        # imported here because the app reads the settings, and a bad one deserves a sentence, not a traceback
        from worker import tasks  # noqa: PLC0415
    except SettingsInvalid as error:
        sys.stderr.write(f"{error.detail}. {error.hint}\n")
        return 1
    name = f"pedigree-{os.getpid()}@{socket.gethostname()}"
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    tasks.host.celery.worker_main(
        ["worker", "--pool=solo", "--concurrency=1", f"--hostname={name}", "--loglevel=INFO", *quiet]
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
