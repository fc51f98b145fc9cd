"""A worker's sign of life, whether it has a job in hand or not: who asks what a job waits for is told by it."""

import logging
import threading

from sqlalchemy.exc import SQLAlchemyError

from store.code_version import code_version
from store.db.lanes import WorkerDevice, forget_worker, keep_worker
from worker.device import device_of
from worker.lifecycle import Host

log = logging.getLogger(__name__)


class Presence:
    """Renews the worker's row from a thread of its own, as the process's first thread waits for jobs and their ends."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._over = threading.Event()
        self._device: WorkerDevice | None = None
        self._version = code_version()
        self._thread = threading.Thread(target=self._keep, name="presence", daemon=True)

    def start(self) -> None:
        """Say at once that the worker lives, and again and again."""
        self._thread.start()

    def end(self) -> None:
        """Say that it takes nothing any more; may be called in a signal's handler, so that the thread does the work."""
        self._over.set()

    def join(self) -> None:
        """Wait until that is said."""
        if self._thread.is_alive():
            self._thread.join()

    def _keep(self) -> None:
        # At once, as asking for the device may take seconds.
        self._say()
        self._device = device_of(self._host.lanes, self._host.settings.device)
        while not self._over.is_set():
            self._say()
            self._over.wait(self._host.settings.lease_seconds / 3)
        self._say_goodbye()

    def _say(self) -> None:
        host = self._host
        try:
            with host.sessions.begin() as session:
                lease = host.settings.lease_seconds
                keep_worker(session, host.name, host.lanes, lease, self._device, self._version)
        except SQLAlchemyError as error:  # away, or not migrated yet: the next time may be better
            log.warning("that this worker lives could not be said: %s", str(error).splitlines()[0])

    def _say_goodbye(self) -> None:
        try:
            with self._host.sessions.begin() as session:
                forget_worker(session, self._host.name)
        except SQLAlchemyError as error:
            log.warning("that this worker ends is told by its lease: %s", str(error).splitlines()[0])
