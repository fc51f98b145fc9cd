"""The port that a stack takes."""

import errno
import socket

import pytest

from cli import ports
from cli.errors import StackError
from cli.ports import listen, listen_on, port_of


def test_a_port_is_taken_from_the_first_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two stacks that start together must not both believe in the same port."""
    with listen(0, print) as any_free:
        port = port_of(any_free)
        assert listen_on(port) is None
    monkeypatch.setattr(ports, "DEFAULT_PORT", port)
    said: list[str] = []
    with listen(None, said.append) as first, listen(None, said.append) as second:
        assert port_of(first) == port
        assert port_of(second) > port_of(first)
        assert said == [f"– port {port_of(first)} is taken; {port_of(second)} is free"]
        with pytest.raises(StackError, match=f"Port {port_of(first)} on 127.0.0.1 is taken"):
            listen(port_of(first), print)
        monkeypatch.setattr(ports, "PORTS_TRIED", 1)
        with pytest.raises(StackError, match="is free"):
            listen(None, print)


def test_it_is_of_this_machine_only() -> None:
    with listen(0, print) as listener:
        assert listener.getsockname()[0] == "127.0.0.1"
        with socket.create_connection(listener.getsockname(), timeout=5):
            pass


class Closed(socket.socket):
    """A socket of a user who may not have low ports."""

    def bind(self, _address: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")


def test_a_port_that_is_not_to_be_had_is_not_called_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "socket", Closed)
    with pytest.raises(StackError, match=r"Port 80 on 127.0.0.1 cannot be listened on \(Permission denied\)"):
        listen(80, print)
