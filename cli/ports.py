"""The port of a stack, taken before anything else starts, and held until it stops."""

import errno
import socket
from collections.abc import Callable

from cli.errors import StackError

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8000
PORTS_TRIED = 100
BACKLOG = 512


def listen(wanted: int | None, say: Callable[[str], None], host: str = DEFAULT_HOST) -> socket.socket:
    """Listen on the port asked for, or on the first free one from the default on; 0 asks for any free one.

    The API gets this socket. Were it to listen by itself, seconds later, another stack could be there first, and its
    answers would be taken for ours.

    Raises:
        StackError: the port that was asked for is taken, or none is free.
    """
    if wanted is not None:
        if (listener := listen_on(wanted, host)) is None:
            raise StackError(f"Port {wanted} on {host} is taken.", "Choose another with --port, or leave it out.")
        return listener
    for port in range(DEFAULT_PORT, DEFAULT_PORT + PORTS_TRIED):
        if (listener := listen_on(port, host)) is not None:
            if port != DEFAULT_PORT:
                say(f"– port {DEFAULT_PORT} is taken; {port} is free")
            return listener
    raise StackError(
        f"No port from {DEFAULT_PORT} to {DEFAULT_PORT + PORTS_TRIED - 1} is free.", "Name one with --port."
    )


def listen_on(port: int, host: str = DEFAULT_HOST) -> socket.socket | None:
    """A listening socket, of this machine only unless another address is given; None where the port is taken.

    Raises:
        StackError: it cannot be had for another reason.
    """
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            return None
        detail = f"Port {port} on {host} cannot be listened on ({error.strerror})."
        raise StackError(detail, "Choose another with --port, or an address of this machine with --host.") from None
    return listener


def port_of(listener: socket.socket) -> int:
    """The number that it listens on."""
    return int(listener.getsockname()[1])


def near(host: str) -> str:
    """How this machine itself reaches what listens on an address, as an address of the web has it."""
    own = {"0.0.0.0": DEFAULT_HOST, "::": "::1"}.get(host, host)  # noqa: S104 - it is compared
    return f"[{own}]" if ":" in own else own
