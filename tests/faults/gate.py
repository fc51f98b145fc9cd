"""A gate on the way to a server: open, shut, slow, stalled, or shut upon one upload in its middle."""

import asyncio
import re
import threading
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum, auto
from pathlib import Path
from typing import Any, TypeVar

CHUNK_BYTES = 64 * 1024
SLOW_SECONDS = 0.05
"""That each chunk takes while the gate is slow."""

_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)", re.IGNORECASE)
_SAID = b"<Error><Code>XMinioStorageFull</Code></Error>"
_FULL = b"HTTP/1.1 507 Insufficient Storage\r\nContent-Length: %d\r\n\r\n%s" % (len(_SAID), _SAID)

Result = TypeVar("Result")
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Address = Path | int
"""A socket in the file system, or a port of this machine."""


class Way(Enum):
    """How the gate stands."""

    OPEN = auto()
    SHUT = auto()
    """Whoever is connected is cut off, whoever comes is turned away."""
    SLOW = auto()
    STALLED = auto()
    """Connections stay, and nothing passes."""
    FULL = auto()
    """Uploads over HTTP are answered as by a server whose disk is full; all else passes."""


class Moment(Enum):
    """Where in an upload the trap closes."""

    BODY = auto()
    """With its first line: the server never has the whole."""
    ANSWER = auto()
    """With the answer: the server has it, and nobody is told."""


@dataclass
class Trap:
    """Waits for an upload whose first line matches, and holds it until released; the connection is cut then."""

    line: re.Pattern[bytes]
    moment: Moment
    caught: threading.Event = field(default_factory=threading.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)
    found: str = ""

    def closes_on(self, chunk: bytes) -> bool:
        """Whether this is the upload, the first such."""
        named = None if self.found else self.line.search(chunk)
        if named is None:
            return False
        self.found = named[0].decode()
        return True


class Gate:
    """Forwards between who connects to ``address`` and the ``server``, in a thread of its own."""

    def __init__(self, server: Address, own: Path | None = None) -> None:
        self._server = server
        self._way = Way.OPEN
        self._passing = asyncio.Event()
        self._passing.set()
        self._trap: Trap | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="gate", daemon=True)
        self._thread.start()
        self._listener = self._do(self._listen(own))
        self.address: Address = own or int(self._listener.sockets[0].getsockname()[1])

    def set(self, way: Way) -> None:
        """Change how it stands, for those who are connected too."""
        self._do(self._set(way))

    def trap(self, line: str, moment: Moment) -> Trap:
        """Hold the next upload whose first line matches, and no other."""
        self._trap = Trap(re.compile(line.encode()), moment)
        return self._trap

    def untrap(self) -> None:
        """Cut off what is held, and hold nothing more."""
        trap, self._trap = self._trap, None
        if trap is not None:
            self._loop.call_soon_threadsafe(trap.released.set)

    def close(self) -> None:
        """End it, and every connection."""
        self.untrap()
        self._do(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _do(self, what: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(what, self._loop).result(30)

    async def _listen(self, own: Path | None) -> asyncio.Server:
        if own is None:
            return await asyncio.start_server(self._connected, "127.0.0.1", 0)
        return await asyncio.start_unix_server(self._connected, own)

    async def _set(self, way: Way) -> None:
        self._way = way
        (self._passing.clear if way is Way.STALLED else self._passing.set)()
        if way is Way.SHUT:
            for writer in list(self._open):
                writer.transport.abort()

    async def _end(self) -> None:
        self._listener.close()
        await self._set(Way.SHUT)
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            with suppress(OSError, asyncio.CancelledError):
                await self._passing.wait()
                if self._way is not Way.SHUT:
                    await self._between((reader, writer), await self._server_streams())
        finally:
            self._open.discard(writer)
            writer.transport.abort()

    async def _server_streams(self) -> Streams:
        if isinstance(self._server, Path):
            return await asyncio.open_unix_connection(self._server)
        return await asyncio.open_connection("127.0.0.1", self._server)

    async def _between(self, client: Streams, server: Streams) -> None:
        """Both ways, until one of the two ends."""
        held = _Held()
        self._open.add(server[1])
        ways = [
            asyncio.ensure_future(self._up(client, server[1], held)),
            asyncio.ensure_future(self._down(server[0], client[1], held)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            self._open.discard(server[1])
            server[1].transport.abort()

    async def _up(self, client: Streams, writer: asyncio.StreamWriter, held: "_Held") -> None:
        while chunk := await client[0].read(CHUNK_BYTES):
            if self._way is Way.FULL and chunk.startswith(b"PUT "):
                await _refuse(chunk, client)
                continue
            trap = self._trap
            if trap is not None and trap.closes_on(chunk):
                held.by = trap
                if trap.moment is Moment.BODY:
                    writer.write(chunk[: max(1, len(chunk) // 2)])
                    await _hold(trap)
                    return
            await self._pass(chunk, writer)

    async def _down(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, held: "_Held") -> None:
        while chunk := await reader.read(CHUNK_BYTES):
            if held.by is not None:
                await _hold(held.by)
                return
            await self._pass(chunk, writer)

    async def _pass(self, chunk: bytes, writer: asyncio.StreamWriter) -> None:
        if self._way is Way.SLOW:
            await asyncio.sleep(SLOW_SECONDS)
        await self._passing.wait()
        writer.write(chunk)
        await writer.drain()


@dataclass
class _Held:
    """What holds a connection's answers back."""

    by: Trap | None = None


async def _hold(trap: Trap) -> None:
    trap.caught.set()
    await trap.released.wait()


async def _refuse(chunk: bytes, client: Streams) -> None:
    """Read an upload to its end, and say that there is no room for it."""
    head, _, body = chunk.partition(b"\r\n\r\n")
    length = _LENGTH.search(head)
    left = int(length[1]) - len(body) if length is not None else 0
    while left > 0 and (more := await client[0].read(min(left, CHUNK_BYTES))):
        left -= len(more)
    client[1].write(_FULL)
    await client[1].drain()
