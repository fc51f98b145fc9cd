"""``pedigree restart``: a new API process in place of the one that runs, without a request that fails."""

import os
import signal
from pathlib import Path

import click

from cli.errors import CommandError
from cli.options import data_option, json_option
from cli.patience import patiently
from cli.processes import wait_until
from cli.running import find_stack
from cli.saying import say
from cli.succession import READY_SECONDS
from cli.tables import show_json

SPARE_SECONDS = 20.0


@click.command()
@data_option
@json_option
def restart(data: Path | None, as_json: bool) -> None:
    """Have a new API process take over from the one that runs; no request fails.

    Jobs go on. The new one starts, loads the model in production and takes what comes next; then the old one
    answers what it has and ends. Where the new one does not start, the old one goes on.
    """
    folder = find_stack(data).folder
    before = folder.running()
    if before is None:
        raise CommandError(f"No stack runs on {folder.root}.", "Start it with `pedigree up`.")
    holder = folder.holder()
    if "restarts" not in before or holder is None:
        raise CommandError("The stack was started by an earlier version.", "Stop it, and start it again.")
    if holder != before["pid"]:
        raise CommandError(f"Another process than its stack holds {folder.root}.", "Ask again when it has ended.")
    os.kill(before["pid"], signal.SIGUSR1)

    def is_over() -> bool:
        now = folder.running()
        return now is None or now["restarts"] > before["restarts"]

    with patiently(lambda: "a new API process starts"):
        is_done = wait_until(is_over, READY_SECONDS + SPARE_SECONDS)
    now = folder.running()
    if now is None or not is_done:
        raise CommandError("The stack does not say how it went.", "Look at what `pedigree up` says.")
    if now["restart_error"] is not None:
        detail = f"The new API process did not take over, {now['restart_error'].rstrip('.')}."
        raise CommandError(detail, f"The old one goes on. Read {folder.log('api')}.")
    if as_json:
        show_json({"url": now["url"], "before": before["pids"]["api"], "now": now["pids"]["api"]})
    else:
        say(f"process {now['pids']['api']} has taken over from {before['pids']['api']} at {now['url']}")
