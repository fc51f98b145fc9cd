"""``python -m ml.decode.decoder PARENT``: decodes pictures for its parent, within limits that the kernel holds.

What it is asked and answers goes over the socket that is its standard input: two lengths, a JSON object and bytes. A
picture that takes too much memory fails by itself; one that takes too much time ends this process, which the parent
replaces. It imports no torch.
"""

import os
import resource
import signal
import socket
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pillow_heif

from ml.decode.decoder_line import receive, send
from ml.decode.picture_limits import SMALL_BYTES, Limits
from ml.decode.pixels import FORMATS, Reader
from ml.decode.views import Pixels, View
from ml.decode.webp_header import webp_pixels
from ml.errors import ImageRejected
from ml.tied import end_with

NICENESS = 5
"""Of those who decode what costs much; whoever asks for what costs little comes first."""
_GROWN_PAGES = 32_000
_STATM = Path("/proc/self/statm")


class DecodeRequest:
    """One request, with the limits that hold while it is worked on."""

    def __init__(self, parent: socket.socket, head: dict[str, Any], data: bytes) -> None:
        self.parent, self.data, self.has_much = parent, data, False
        self.limits = Limits(**head["limits"])
        self.view = View(**{**head["view"], "positions": tuple(head["view"]["positions"])})
        self.reader = Reader(self.limits, (*FORMATS, "HEIF"), head["lay_on_white"], self.announce)

    def announce(self, form: str, pixels: int) -> None:
        """Take what the header entitles to; much memory only when the parent says that nobody else has it."""
        memory = self.limits.memory(form, pixels)
        if memory > 2 * SMALL_BYTES and not self.has_much:
            self.has_much = True
            send(self.parent, {"needs": memory}, b"")
            receive(self.parent)
        _limit_memory(memory + len(self.data))
        _limit_seconds(self.limits.seconds(form, pixels))

    def answer(self) -> tuple[dict[str, Any], Pixels | bytes]:
        _limit_memory(SMALL_BYTES + len(self.data))
        _limit_seconds(self.limits.seconds("", 0))
        pixels = webp_pixels(self.data)
        try:
            # Its reader wants all its memory with the header; a size over the limit gets no more than any header.
            if pixels is not None and pixels <= self.limits.max_pixels:
                self.announce("WEBP", pixels)
            image, facts = self.reader.read(self.data)
            seen = self.view.of(image)
        except ImageRejected as error:
            return {"refused": [error.code, error.detail, error.hint]}, b""
        except MemoryError:
            return {"refused": ["picture_too_costly", "decoding the picture takes too much memory", None]}, b""
        return {"facts": asdict(facts), "shape": seen.shape}, seen


def _limit_memory(more: int | None) -> None:
    """Let the process's memory grow by so many bytes from where it is now; None: by any."""
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    most = hard
    if more is not None and _STATM.exists():
        wanted = _pages() * resource.getpagesize() + more
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_AS, (most, hard))


def _limit_seconds(seconds: float) -> None:
    """From now on; the signal's own default is the end of the process, wherever it is."""
    signal.setitimer(signal.ITIMER_PROF, seconds)


def _pages() -> int:
    return int(_STATM.read_text(encoding="ascii").split()[0]) if _STATM.exists() else 0


def main(parent: int) -> None:
    """Serve until the parent is gone, or this process has grown."""
    if not end_with(parent):
        return
    os.nice(NICENESS)
    pillow_heif.options.DECODE_THREADS = 1
    pillow_heif.register_heif_opener()
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    line, at_start = socket.socket(fileno=os.dup(0)), _pages()
    send(line, {"ready": True}, b"")
    while True:
        try:
            head, data = receive(line)
        except EOFError:
            return
        reply, body = DecodeRequest(line, head, bytes(data)).answer()
        _limit_seconds(0)
        _limit_memory(None)
        has_grown = _pages() - at_start > _GROWN_PAGES
        send(line, {**reply, "last": has_grown}, body)
        if has_grown:
            return


if __name__ == "__main__":
    main(int(sys.argv[1]))
