"""``python -m worker [--lane LANE]``: one worker process, for one GPU, for the CPUs of a host, or for light jobs."""

import os
import socket
import sys

from migrations.schema import SchemaUnfit, check_at_start
from store.collector import read_headers
from store.errors import SettingsInvalid
from store.logs import log_to_stderr
from store.queue import queues_of
from store.tracing import stop_tracing
from worker.lanes import chosen_lanes
from worker.traces import trace

try:
    from worker.tasks import get_ready, host, presence

    read_headers(host.settings.otlp_headers)
except SettingsInvalid as error:
    # the app reads the settings when it is imported, and a bad one deserves a sentence, not a traceback
    sys.exit(f"{error.detail}. {error.hint}")


def main() -> None:
    """Serve the lanes until SIGTERM or Ctrl-C; a running job is put back into its queue with its checkpoint."""
    host.lanes = chosen_lanes(sys.argv[1:])
    try:
        check_at_start(host.settings.database_url)
    except SchemaUnfit as error:
        sys.exit(f"{error.detail}. {error.hint}")
    # A worker that cannot learn would take one job after the other from those that can, and fail it.
    get_ready()
    if (refusal := host.ready.refusal()) is not None:
        sys.exit(refusal)
    log_to_stderr()
    trace(host.settings, "pedigree-worker")
    # The solo pool: the job's process is a child of ours, which a pool's daemonic processes could not have. The price:
    # a busy worker answers no remote control, so that it lives is told by the lease in the database alone.
    name = f"pedigree-{os.getpid()}@{socket.gethostname()}"
    # Any value means it (https://no-color.org), and Celery takes for an error what is no word for yes or no.
    plain = ["--no-color"] if os.environ.get("NO_COLOR") else []
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    queues = f"--queues={queues_of(host.lanes)}"
    try:
        host.celery.worker_main(
            [
                *plain,
                "worker",
                "--pool=solo",
                "--concurrency=1",
                f"--hostname={name}",
                "--loglevel=INFO",
                queues,
                *quiet,
            ]
        )
    finally:
        host.ready.end()
        presence.end()
        presence.join()
        stop_tracing()


if __name__ == "__main__":
    main()
