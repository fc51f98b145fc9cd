"""Reading an xz file within a limit of memory; each of its streams may ask for a dictionary of gigabytes."""

import io
import lzma
from typing import Protocol

from ml.errors import ArchiveRejected

_CHUNK = 1 << 16


class Packed(Protocol):
    """What is read from."""

    def read(self, size: int = -1, /) -> bytes:
        """At most ``size`` bytes."""
        ...


class XzStreams(io.RawIOBase):
    """The content of an xz file's streams, one after the other, read forwards.

    ``lzma.open`` has no limit of memory, and a check of the first stream says nothing of the next.
    """

    def __init__(self, file: Packed, memory: int) -> None:
        """``memory`` is in bytes, for each stream."""
        super().__init__()
        self._file, self._memory = file, memory
        self._decoder: lzma.LZMADecompressor | None = None
        self._packed = b""
        self._at = 0
        self._has_begun = False

    def read(self, size: int = -1, /) -> bytes:
        """At most ``size`` bytes, fewer only at the end.

        Raises:
            ArchiveRejected: a stream is broken at its beginning, or needs more memory.
            lzma.LZMAError: it is broken further on.
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
                message = "the xz data ends in the middle of a stream"
                raise EOFError(message)
            self._packed = b""
            part = self._unpacked(decoder, packed, most)
            if decoder.eof:
                self._packed, self._decoder = decoder.unused_data, None
            if part:
                return part
        return b""

    def _unpacked(self, decoder: lzma.LZMADecompressor, packed: bytes, most: int) -> bytes:
        try:
            part = decoder.decompress(packed, max_length=most)
        except lzma.LZMAError as error:
            if self._has_begun:
                raise
            # What it needs stands before what it holds; the library says which of the two it was by its words alone.
            detail = f"the xz is broken, or needs more than {self._memory >> 20} MiB of memory to be unpacked"
            hint = "Make it again with `xz -9` or less. An import without a trial takes 256 MiB."
            raise ArchiveRejected(detail, hint) from error
        self._has_begun = self._has_begun or bool(part)
        return part

    def _next_stream(self) -> bool:
        """Whether there is a stream to read from; begins the next one where the last has ended."""
        while self._decoder is None:
            self._packed = self._packed.lstrip(b"\0") or self._file.read(_CHUNK)
            if not self._packed:
                return False
            if not self._packed.startswith(b"\0"):
                self._has_begun = False
                self._decoder = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=self._memory)
        return True
