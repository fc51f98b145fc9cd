"""``python -m worker [--lane LANE]``: one worker process, for one GPU, for the CPUs of a host, or for light jobs."""

import os
import socket
import subprocess
import sys

from store.errors import SettingsInvalid
from store.lanes import Lane
from store.logs import log_to_stderr
from store.queue import queues_of
from worker.lanes import chosen_lanes

try:
    from worker.lifecycle import describe_status
    from worker.tasks import host, presence
except SettingsInvalid as error:
    # the app reads the settings when it is imported, and a bad one deserves a sentence, not a traceback
    sys.exit(f"{error.detail}. {error.hint}")


def main() -> None:
    """Serve the lanes until SIGTERM or Ctrl-C; a running job is put back into its queue with its checkpoint."""
    host.lanes = chosen_lanes(sys.argv[1:])
    refusal = why_none_learns_here() if Lane.TRAIN in host.lanes else None
    if refusal is not None:
        sys.exit(refusal)
    log_to_stderr()
    # The solo pool: the job's process is a child of ours, which a pool's daemonic processes could not have. The price:
    # a busy worker answers no remote control, so that it lives is told by the lease in the database alone.
    name = f"pedigree-{os.getpid()}@{socket.gethostname()}"
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    queues = f"--queues={queues_of(host.lanes)}"
    try:
        host.celery.worker_main(
            ["worker", "--pool=solo", "--concurrency=1", f"--hostname={name}", "--loglevel=INFO", queues, *quiet]
        )
    finally:
        presence.end()
        presence.join()


def why_none_learns_here() -> str | None:
    """What is wrong with torch and torchvision; None where they fit.

    A worker that cannot learn would take one job after the other from those that can, and fail it. The look is a
    process of its own, as this one imports no torch.
    """
    look = subprocess.run([sys.executable, "-m", "ml.versions"], stderr=subprocess.PIPE, text=True, check=False)
    if look.returncode == 0:
        return None
    ended = f"the look at torch and torchvision ended with {describe_status(look.returncode)}"
    said = look.stderr.strip().splitlines() or [ended]
    return said[-1]


if __name__ == "__main__":
    main()
