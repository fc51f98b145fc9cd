"""Reading an xz or a bzip2 to its end, and within a limit of memory.

Python's own reader of bzip2 drops what follows the last stream. Its reader of xz has no limit of memory, and each
stream may ask for a dictionary of gigabytes.
"""

import bz2
import io
import lzma
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from ml.errors import ArchiveRejected

_CHUNK = 1 << 16


class Packed(Protocol):
    """What is read from."""

    def read(self, size: int = -1, /) -> bytes:
        """At most ``size`` bytes."""
        ...


class _Decoder(Protocol):
    """Of one stream: bz2's and lzma's are alike."""

    @property
    def eof(self) -> bool: ...

    @property
    def needs_input(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


@dataclass(frozen=True)
class _Packing:
    """A way of packing: how its streams begin, what unpacks one, and what is said where one's head is broken."""

    name: str
    mark: bytes
    decoder: Callable[[], _Decoder]
    if_broken: ArchiveRejected

    def check(self, data: bytes) -> None:
        """Raise ArchiveRejected where this is not how a stream begins."""
        if data[: len(self.mark)] != self.mark[: len(data)]:
            detail = f"something else lies behind the {self.name} data"
            raise ArchiveRejected(detail, hint="Send archives one by one, or make it again.")


class PackedStreams(io.RawIOBase):
    """The content of a file's streams, one after the other, read forwards; zeros may lie between and behind them."""

    def __init__(self, file: Packed, packing: _Packing) -> None:
        super().__init__()
        self._file, self._packing = file, packing
        self._decoder: _Decoder | None = None
        self._packed = b""
        self._at = 0
        self._has_begun = False

    def read(self, size: int = -1, /) -> bytes:
        """At most ``size`` bytes, fewer only at the end.

        Raises:
            ArchiveRejected: a stream is broken at its beginning, needs more memory, or is followed by something else.
            lzma.LZMAError: it is broken further on.
            OSError: so is a bzip2.
            EOFError: the file ends within a stream.
        """
        parts, left = [], size
        while left and (part := self._some(left)):
            parts.append(part)
            left -= len(part)
        self._at += size - left
        return b"".join(parts)

    def seek(self, position: int, whence: int = io.SEEK_SET, /) -> int:
        """Move forwards; a position behind is not reached again.

        Raises:
            OSError: it lies behind.
        """
        if whence != io.SEEK_SET or position < self._at:
            message = "the archive can be read forwards only"
            raise OSError(message)
        while self._at < position and self.read(min(position - self._at, 1 << 20)):
            """What lies between is read and dropped."""
        return self._at

    def tell(self) -> int:
        """The position in unpacked bytes."""
        return self._at

    def _some(self, most: int) -> bytes:
        """Between one byte and ``most``, none at the end."""
        while self._next_stream() and (decoder := self._decoder) is not None:
            packed = self._packed if self._packed or not decoder.needs_input else self._file.read(_CHUNK)
            if not packed and decoder.needs_input:
                message = f"the {self._packing.name} data ends in the middle of a stream"
                raise EOFError(message)
            self._packed = b""
            part = self._unpacked(decoder, packed, most)
            if decoder.eof:
                self._packed, self._decoder = decoder.unused_data, None
            if part:
                return part
        return b""

    def _unpacked(self, decoder: _Decoder, packed: bytes, most: int) -> bytes:
        try:
            part = decoder.decompress(packed, max_length=most)
        except (lzma.LZMAError, OSError) as error:
            if self._has_begun:
                raise
            # What it needs stands before what it holds; the library says which of the two it was by its words alone.
            raise self._packing.if_broken from error
        self._has_begun = self._has_begun or bool(part)
        return part

    def _next_stream(self) -> bool:
        """Whether there is a stream to read from; begins the next one where the last has ended."""
        while self._decoder is None:
            self._packed = self._packed.lstrip(b"\0") or self._file.read(_CHUNK)
            if not self._packed:
                return False
            if not self._packed.startswith(b"\0"):
                self._packing.check(self._packed)
                self._has_begun = False
                self._decoder = self._packing.decoder()
        return True


def xz_streams(file: Packed, memory: int) -> PackedStreams:
    """An xz's content; ``memory`` is in bytes, for each stream."""
    if_broken = ArchiveRejected(
        f"the xz is broken, or needs more than {memory >> 20} MiB of memory to be unpacked",
        hint="Make it again with `xz -9` or less. An import without a trial takes 256 MiB.",
    )
    decoder = partial(lzma.LZMADecompressor, lzma.FORMAT_XZ, memlimit=memory)
    return PackedStreams(file, _Packing("xz", b"\xfd7zXZ\0", decoder, if_broken))


def bzip2_streams(file: Packed) -> PackedStreams:
    """A bzip2's content."""
    if_broken = ArchiveRejected("the bzip2 is broken", hint="Make it again.")
    return PackedStreams(file, _Packing("bzip2", b"BZh", bz2.BZ2Decompressor, if_broken))
