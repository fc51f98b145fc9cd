"""What a decoding process and its parent say to each other: two lengths, a JSON object, bytes."""

import json
import socket
import struct
from collections.abc import Callable
from typing import Any

from ml.decode.views import Pixels

_LENGTHS = struct.Struct(">II")


def send(
    to: socket.socket, head: dict[str, Any], body: Pixels | bytes, on_wait: Callable[[], None] | None = None
) -> None:
    """Send one message; where the socket has a timeout, ``on_wait`` is called each time it passes.

    Raises:
        OSError: the other side is gone.
    """
    text = json.dumps(head).encode()
    view = memoryview(body) if isinstance(body, bytes) else body.data
    content = view.cast("B") if len(body) else memoryview(b"")
    rest = memoryview(_LENGTHS.pack(len(text), len(content)) + text)
    for part in (rest, content):
        _send_all(to, part, on_wait)


def _send_all(to: socket.socket, rest: memoryview, on_wait: Callable[[], None] | None) -> None:
    """Not ``sendall``, whose timeout is one for the whole: a process on a busy machine takes a large file slowly."""
    while rest:
        try:
            rest = rest[to.send(rest) :]
        except TimeoutError:
            if on_wait is not None:
                on_wait()


def receive(of: socket.socket, on_wait: Callable[[], None] | None = None) -> tuple[dict[str, Any], bytearray]:
    """The next message; where the socket has a timeout, ``on_wait`` is called each time it passes.

    Raises:
        EOFError: the other side is gone.
    """
    head, body = _LENGTHS.unpack(_exactly(of, _LENGTHS.size, on_wait))
    return json.loads(_exactly(of, head, on_wait)), _exactly(of, body, on_wait)


def _exactly(of: socket.socket, count: int, on_wait: Callable[[], None] | None) -> bytearray:
    found = bytearray(count)
    rest = memoryview(found)
    while rest:
        try:
            got = of.recv_into(rest)
        except TimeoutError:
            if on_wait is not None:
                on_wait()
            continue
        if not got:
            raise EOFError
        rest = rest[got:]
    return found
