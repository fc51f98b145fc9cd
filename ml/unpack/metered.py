"""What unpacking may cost, counted while it happens: what an archive says of itself proves nothing."""

import io
from collections.abc import Callable, Iterator
from typing import IO, TYPE_CHECKING, Protocol

from ml.errors import ArchiveRejected

if TYPE_CHECKING:
    from ml.unpack.tar_headers import TarHeaders

RATIO = 20
"""Unpacked bytes a packed one may become. Photos hardly shrink; a bomb reaches a thousand, a padded one any number."""
RATIO_FREE_BYTES = 64 << 20
"""Below this the ratio does not matter: a folder of tiny drawings packs well and harms nobody."""
LARGEST_READ = 1 << 20
"""Bytes that are read between two looks at the budget."""
_STEP = 16 << 20
"""Bytes that are passed over between two looks at the budget."""
_TOLD_BYTES = 1 << 16
_GIB = 1 << 30
_SMALLER = "Split it, or leave out the files that are not images."


class ByteStream(Protocol):
    """What is read from: a file, or a decompressor that looks like one."""

    def read(self, size: int = -1, /) -> bytes:
        """At most ``size`` bytes."""
        ...

    def seek(self, offset: int, whence: int = 0, /) -> int: ...

    def tell(self) -> int: ...


class Budget:
    """Limits of one archive: bytes and entries in all, and the ratio to its packed size in bytes.

    ``tell`` is called whenever something was counted; what it raises ends the unpacking.
    """

    def __init__(self, max_bytes: int, max_files: int, *, packed: int, tell: Callable[[], None]) -> None:
        self.tell = tell
        self._max_bytes = max_bytes
        self._max_files = max_files
        self._packed = packed
        self._bytes = self._repeated_bytes = 0
        self._entries = 0

    def entry(self) -> None:
        """Count an entry.

        Raises:
            ArchiveRejected: there are too many.
        """
        self._entries += 1
        self._check_files(self._entries)
        self.tell()

    def spend(self, count: int) -> None:
        """Count unpacked bytes.

        Raises:
            ArchiveRejected: there are too many, or too many for so small an archive.
        """
        self._bytes += count
        self._check_bytes(self._bytes + self._repeated_bytes)
        self.reached(self._bytes)

    def repeat(self, count: int) -> None:
        """Count bytes that a further name of an unpacked file holds: many of them, but no bomb.

        Raises:
            ArchiveRejected: there are too many.
        """
        self._repeated_bytes += count
        self._check_bytes(self._bytes + self._repeated_bytes)
        self.tell()

    def promised(self, count: int, entries: int) -> None:
        """Check what the archive says of itself before any of it is read.

        Raises:
            ArchiveRejected: as entry and spend.
        """
        self._check_files(entries)
        self._check_bytes(count)
        self._check_ratio(count)

    def reached(self, count: int) -> None:
        """Check a number of unpacked bytes.

        Raises:
            ArchiveRejected: as spend.
        """
        self._check_bytes(count)
        self._check_ratio(count)
        self.tell()

    def _check_bytes(self, count: int) -> None:
        if count > self._max_bytes:
            detail = f"the archive unpacks to more than {self._max_bytes / _GIB:.3g} GiB"
            raise ArchiveRejected(detail, hint=_SMALLER)

    def _check_ratio(self, count: int) -> None:
        if count > RATIO_FREE_BYTES and count > RATIO * self._packed:
            detail = f"the archive unpacks to more than {RATIO} times its size, as bombs do and images do not"
            raise ArchiveRejected(detail, hint=_SMALLER)

    def _check_files(self, entries: int) -> None:
        if entries > self._max_files:
            raise ArchiveRejected(f"the archive has more than {self._max_files} entries", hint=_SMALLER)


class PackedReader(io.RawIOBase):
    """An archive's own bytes; a decompressor may read many of them before it gives a single one."""

    def __init__(self, file: IO[bytes], budget: Budget) -> None:
        super().__init__()
        self._file, self._budget = file, budget
        self._untold = 0

    def read(self, size: int = -1, /) -> bytes:
        """As a file does, a step at most; the budget is told now and then."""
        data = self._file.read(min(size, LARGEST_READ) if size >= 0 else LARGEST_READ)
        self._untold += len(data)
        if self._untold >= _TOLD_BYTES:
            self._untold = 0
            self._budget.tell()
        return data

    def seek(self, position: int, whence: int = io.SEEK_SET, /) -> int:
        return self._file.seek(position, whence)

    def tell(self) -> int:
        """The position in packed bytes."""
        return self._file.tell()

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True


class MeteredReader(io.RawIOBase):
    """A stream of unpacked tar bytes that stops where the budget ends.

    It counts headers too: a tar header may declare gigabytes of extended attributes, which tarfile reads at once.
    """

    def __init__(self, stream: ByteStream, budget: Budget) -> None:
        super().__init__()
        self._stream = stream
        self._budget = budget
        self.ended_early = False
        self.headers: TarHeaders | None = None
        """What looks at the reads, as long as they are of an entry's headers."""

    def read(self, size: int = -1, /) -> bytes:
        """As a stream does; notes in ``ended_early`` whether the last read got less than it asked for.

        Raises:
            ArchiveRejected: the read is larger than any header of an honest archive, or the budget is spent.
            ValueError: all that is left is asked for.
        """
        if size < 0:
            message = "a tar is read by pieces"
            raise ValueError(message)
        if self.headers is not None:
            self.headers.expect(size)
        data = b"".join(self._steps(size))
        self.ended_early = len(data) < size
        return data if self.headers is None else self.headers.passed(data)

    def _steps(self, size: int) -> Iterator[bytes]:
        """So many bytes; the budget is looked at between them, however many are asked for at once."""
        while part := self._stream.read(min(size, LARGEST_READ)):
            self._budget.reached(self._stream.tell())
            yield part
            size -= len(part)

    def seek(self, position: int, whence: int = io.SEEK_SET, /) -> int:
        """Move to a position counted from the start.

        Raises:
            ArchiveRejected: the position is beyond the budget.
        """
        if whence == io.SEEK_SET:
            self._budget.reached(position)
            for step in range(self._stream.tell() + _STEP, position, _STEP):
                # A decompressor has to unpack what lies between.
                self._budget.reached(self._stream.seek(step))
        return self._stream.seek(position, whence)

    def tell(self) -> int:
        """The position in unpacked bytes."""
        return self._stream.tell()

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True
