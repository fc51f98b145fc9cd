"""A photo out of an uploaded archive, without unpacking it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from api.datasets.archive_readers import AT_ONCE, ArchiveReaders, busy
from api.datasets.photos import Photo
from ml.decode.image_kind import media_type_of, suffix_of
from ml.errors import ArchiveRejected
from ml.unpack.archive import MAX_FILES, open_entries
from ml.unpack.archive_entry import Entry
from ml.unpack.entry_paths import inside
from ml.unpack.listing import DIRECTORY_BYTES
from ml.unpack.reading_time import ReadingTime
from store.errors import InvalidRequest, NotFound, PayloadTooLarge, StateConflict

READ_SECONDS = 5.0
_MOST_LINKS = 8
"""From one name of a file to the next: tar gives them all to the first."""
MOST_WAITING = 8
"""A page asks for the next few photos at once: the ones after wait, each on a thread that others need too."""
_AS_ZIP = "Send a zip, or a folder by the page: there each photo is found at once."
_IN_FEWER = "Send fewer files in one zip, or a folder by the page: there each photo is found at once."


class _OutOfTime(Exception):
    """The time for reading is over; ``hint`` says what helps."""

    def __init__(self, hint: str) -> None:
        super().__init__(hint)
        self.hint = hint


class ArchivedPhotos:
    """Reads photos: in a packed tar what lies before one has to be unpacked for it."""

    def __init__(self, readers: ArchiveReaders, *, max_unpacked: int, max_photo: int) -> None:
        """An archive may unpack to ``max_unpacked`` bytes, a photo has ``max_photo`` at most."""
        self._max_unpacked, self._max_photo = max_unpacked, max_photo
        self._readers = readers
        self._asked = threading.BoundedSemaphore(AT_ONCE + MOST_WAITING)

    def photo(self, archive: Path, path: str) -> Photo:
        """The photo that lies at ``path`` once the archive is unpacked.

        Raises:
            NotFound: there is none.
            InvalidRequest: the archive cannot be read, or not far enough in the time that there is.
            PayloadTooLarge: it has too many bytes.
            StateConflict: the upload has become an import meanwhile.
            TooBusy: others are at it.
        """
        with self._place():
            data = self._read(archive, path)
        if data is None or suffix_of(data) is None:
            raise NotFound(f"the upload has no photo {path[:200]!r}", "Take a path as the predictions have it.")
        return Photo(data, media_type_of(data))

    def _read(self, archive: Path, path: str) -> bytes | None:
        time = ReadingTime(READ_SECONDS)
        found: bytes | str | None = path
        try:
            for _ in range(_MOST_LINKS):
                if not isinstance(found, str):
                    break
                found = self._at(archive, found, time)
        except _OutOfTime as error:
            detail = f"the photo lies too far into the archive: {READ_SECONDS:.0f} seconds did not reach it"
            raise InvalidRequest(detail, error.hint) from None
        except ArchiveRejected as error:
            raise InvalidRequest(error.detail, error.hint) from error
        except FileNotFoundError:
            raise StateConflict("the upload has become an import", "Look at its job.") from None
        return None if isinstance(found, str) else found

    def _at(self, archive: Path, path: str, time: ReadingTime) -> bytes | str | None:
        """The file at a path; the path of the file where this one is a further name (a hard link)."""
        kind = ""

        def tell(_done: int, _total: int) -> None:
            if time.is_over():
                raise _OutOfTime(_IN_FEWER if kind == "zip" else _AS_ZIP)

        with open_entries(
            archive,
            max_bytes=self._max_unpacked,
            max_files=MAX_FILES,
            encoding=None,
            tell=tell,
            directory_bytes=DIRECTORY_BYTES,
        ) as entries:
            kind = entries.kind
            one = next((one for one in entries if _lies_at(one, path)), None)
            if one is None:
                return None
            return self._content(one) if one.same_as is None else inside(one.same_as)

    def _content(self, entry: Entry) -> bytes:
        assert entry.content is not None  # noqa: S101 - the caller looked
        data = entry.content.read(self._max_photo + 1)
        if len(data) > self._max_photo:
            detail = f"the photo has more than {self._max_photo} bytes"
            raise PayloadTooLarge(detail, "Send smaller photos, or raise PEDIGREE_MAX_IMAGE_BYTES.")
        return data

    @contextmanager
    def _place(self) -> Iterator[None]:
        if not self._asked.acquire(blocking=False):
            raise busy()
        try:
            with self._readers.one():
                yield
        finally:
            self._asked.release()


def _lies_at(entry: Entry, path: str) -> bool:
    # To take every name apart would cost seconds of a large zip.
    if entry.is_folder or path.rpartition("/")[2] not in entry.name:
        return False
    return PurePosixPath(entry.name.replace("\\", "/")).as_posix() == path
