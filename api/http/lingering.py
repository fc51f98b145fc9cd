"""Closing a connection whose client still sends, so that its answer reaches it.

A socket that is closed with bytes unread is reset, and a reset may throw away what the client has not read yet: the
very words that say why. RFC 9112, section 9.6, asks for what is done here: our side ends first, what still comes is
read and forgotten, and only then the whole is closed.
"""

import asyncio
import fcntl
import math
import struct
import termios
from collections.abc import Callable
from typing import Any

SILENT_SECONDS = 2.0
"""After which a client that still might send is taken to have nothing more."""
LEAST_READ = 1024
"""Bytes a second: a client that takes less of an answer than this is taken to have stopped."""
_INT = struct.Struct("i")


class LingeringTransport(asyncio.Transport):
    """A transport that, closed while its client may still be sending, hears it out for some seconds."""

    def __init__(
        self,
        inner: asyncio.Transport,
        loop: asyncio.AbstractEventLoop,
        *,
        seconds: float,
        is_sending: Callable[[], bool],
    ) -> None:
        """Stand before ``inner``.

        Args:
            inner: the connection's own.
            loop: whose it is.
            seconds: for which a client that goes on sending is heard out.
            is_sending: whether more may come, asked when it is closed.
        """
        super().__init__()
        self.seconds = seconds
        self.is_lingering = self.is_gone = False
        self._inner = inner
        self._loop = loop
        self._is_sending = is_sending
        self._timer: asyncio.TimerHandle | None = None
        self._end = 0.0
        self._unread = math.inf
        self._has_heard = self._has_ended = False

    def close(self) -> None:
        """Close it: at once where nothing can come, else when the client has closed its side or the time is over."""
        if self.is_closing():
            return
        if not self._is_sending():
            self.close_silently()
            return
        self.is_lingering = self._has_ended = True
        self._end = self._loop.time() + self.seconds
        try:
            self._inner.write_eof()
        except OSError:  # its client was faster
            self.abort()
            return
        self._wait_on()
        self._inner.resume_reading()

    def close_silently(self) -> None:
        """Close it behind what was answered, with no word to what its client may be sending."""
        self._inner.close()
        if self._timer is None and self._inner.get_write_buffer_size():
            self._end = self._loop.time() + self.seconds
            self._wait_on()

    def abort(self) -> None:
        """Close it now, whoever sends."""
        self.forget_timer()
        self.is_gone, self.is_lingering = True, False
        self._inner.abort()

    def hurry(self) -> None:
        """The process stops: whoever leaves has had its answer, if that is sent, or goes on being."""
        if not self._inner.get_write_buffer_size():
            self.abort()
            return
        self.forget_timer()
        self._end = self._loop.time() + self.seconds
        self._wait_on()

    def heard(self, *, is_full: bool) -> None:
        """Something came that nobody reads any more; where it filled the buffer everyone else has a turn."""
        self._has_heard = True
        if is_full:
            self._inner.pause_reading()
            self._loop.call_soon(self._inner.resume_reading)

    def forget_timer(self) -> None:
        """The connection is gone."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def is_closing(self) -> bool:
        """Whether nothing more is answered here."""
        return self._has_ended or self._inner.is_closing()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send bytes, but none behind the end."""
        if not self._has_ended:
            self._inner.write(data)

    def pause_reading(self) -> None:
        """Read nothing for now; what is only to be forgotten is read on."""
        if not self.is_lingering:
            self._inner.pause_reading()

    def resume_reading(self) -> None:
        self._inner.resume_reading()

    def get_write_buffer_size(self) -> int:
        """Bytes that are not sent yet."""
        return self._inner.get_write_buffer_size()

    def unread_bytes(self) -> int:
        """Bytes that its client has not taken: those that are not sent, and those that the kernel still keeps for it.

        The latter shrink as it reads. The former alone stand still until a third of a megabyte or more has left.
        """
        kept = fcntl.ioctl(self._inner.get_extra_info("socket").fileno(), termios.TIOCOUTQ, bytes(_INT.size))
        return self._inner.get_write_buffer_size() + int(_INT.unpack(kept)[0])

    def get_extra_info(self, name: str, default: Any = None) -> Any:  # noqa: ANN401 - asyncio's own
        return self._inner.get_extra_info(name, default)

    def _wait_on(self) -> None:
        self._has_heard = False
        left = self._end - self._loop.time()
        self._timer = self._loop.call_later(min(SILENT_SECONDS, left), self._look)

    def _look(self) -> None:
        unsent = self._inner.get_write_buffer_size()
        unread = self.unread_bytes()
        if unsent and self._unread - unread >= LEAST_READ * self.seconds:
            # It is being read; of who has stopped a rest may stay that no limit of the loop's is about.
            self._unread = unread
            self._end = self._loop.time() + self.seconds
        if (unsent or self._has_heard) and self._loop.time() < self._end:
            self._wait_on()
        else:
            self.abort()
