"""How the process stops: what is under way ends in peace where another process takes what comes next."""

import os
import signal
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import FrameType
from typing import Any

import uvicorn
from anyio import to_thread

QUICK_SECONDS = 3
"""After Ctrl-C: how long requests and open event streams may hold it up."""
PATIENT_SECONDS = 120
"""After SIGTERM: how long requests under way may take."""
STREAM_SECONDS = 1.0
"""Of a stream of events that is asked for while the process stops, and of what still comes behind an answer then."""


@dataclass
class Stopping:
    """How the process was asked to stop, if it was."""

    is_patient: bool = False
    """Connections stay until their next answer, which says that it is the last, or until they have been idle.

    Event streams alone are cut, for their readers to go on elsewhere.
    """


class PatientServer(uvicorn.Server):
    """Stops at once on Ctrl-C, and on SIGTERM when the last request has its answer.

    Connections that wait for their next request are not closed on SIGTERM: the request may be on its way. They end as
    they would without it, a few seconds after their last answer.
    """

    def __init__(
        self, config: uvicorn.Config, stopping: Stopping, warm: Callable[[], None], ready: int | None = None
    ) -> None:
        """Prepare.

        Args:
            config: uvicorn's own.
            stopping: of the app.
            warm: what is done before the first request is taken, where somebody waits for that.
            ready: a descriptor that is written to and closed when requests are taken.
        """
        super().__init__(config)
        self._stopping = stopping
        self._warm = warm
        self._ready = ready

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop, in the way that the signal asks for."""
        self._stopping.is_patient = sig == signal.SIGTERM and not self.should_exit
        self.config.timeout_graceful_shutdown = PATIENT_SECONDS if self._stopping.is_patient else QUICK_SECONDS
        super().handle_exit(sig, frame)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to take requests, and say so."""
        if self._ready is None:
            await super().startup(sockets)
            return
        await to_thread.run_sync(self._warm)
        await super().startup(sockets)
        if self.started:
            os.write(self._ready, b"1")
        os.close(self._ready)


def is_stream(scope: Mapping[str, Any]) -> bool:
    """Whether the request is answered with events, which do not end by themselves."""
    return str(scope["path"]).endswith("/events")
