"""What the entries of a zip hold, read by zipfile, which checks each against its header and its checksum."""

import io
import zipfile
from functools import partial
from typing import IO

from ml.unpack.archive_entry import Content
from ml.unpack.metered import Budget, PackedReader
from ml.unpack.zip_directory import Member

_UTF8_FLAG = 0x800
_EMPTY = b"PK\x05\x06" + bytes(18)
"""A zip without entries."""


class ZipContents:
    """Opens the contents of one zip's entries."""

    def __init__(self, file: IO[bytes], budget: Budget) -> None:
        """``budget`` is told of the packed bytes that are read: an entry may have any number that unpack to nothing."""
        self._file = _EmptyAtFirst(file, budget)
        self._zip = zipfile.ZipFile(self._file)
        self._file.is_open = True

    def of(self, member: Member) -> Content:
        return Content(partial(self._opened, member))

    def _opened(self, member: Member) -> IO[bytes]:
        info = zipfile.ZipInfo(member.raw.decode("utf-8" if member.flags & _UTF8_FLAG else "cp437"))
        info.flag_bits, info.compress_type, info.CRC = member.flags, member.method, member.checksum
        info.compress_size, info.file_size, info.header_offset = member.packed, member.size, member.at
        return self._zip.open(info)


class _EmptyAtFirst(PackedReader):
    """A file whose list of entries zipfile does not see, since that is read already."""

    def __init__(self, file: IO[bytes], budget: Budget) -> None:
        super().__init__(file, budget)
        self._empty = io.BytesIO(_EMPTY)
        self.is_open = False
        """Whether the file itself is read."""

    def read(self, size: int = -1, /) -> bytes:
        return super().read(size) if self.is_open else self._empty.read(size)

    def seek(self, position: int, whence: int = io.SEEK_SET, /) -> int:
        return super().seek(position, whence) if self.is_open else self._empty.seek(position, whence)

    def tell(self) -> int:
        return super().tell() if self.is_open else self._empty.tell()
