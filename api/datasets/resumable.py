"""Uploads that are taken up again after a break: their bytes, and beside them what is known of them.

How far an upload has come is the size of its file, and is written nowhere else: two records could contradict each
other after a crash. Nothing is held in memory, so that any process with the same cache folder goes on with any upload.
"""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from api.datasets.uploads import UPLOAD_HINT
from api.http.room import LEAST_FREE_BYTES
from store.access import LOCAL
from store.cache_names import RESUMABLE, is_resumable, resumable_folder, resumable_folders
from store.errors import AppError, Hint, InvalidRequest, NoRoom, NotFound, PayloadTooLarge, Request, StateConflict
from store.room import says_disk_full
from store.scratch import LIFE_SECONDS, until_whole

MOST_OPEN = 100
"""Uploads that are kept at once, however little of each has come."""
_BYTES, _ABOUT, _ADMITTING = "bytes", "about.json", f"{RESUMABLE}lock"
_AGAIN_SECONDS = "1"


class UploadLocked(AppError):
    """Another request is at work on the upload."""

    status = 423
    code = "upload_locked"
    title = "Upload in use"


class OffsetConflict(StateConflict):
    """The bytes sent do not go on where the upload stands."""

    code = "offset_conflict"
    title = "Offset conflict"


@dataclass(frozen=True)
class Upload:
    """An upload as it stands. ``offset`` of its ``length`` bytes have come; ``job`` is the import it has become."""

    id: str
    name: str
    length: int
    offset: int
    created_at: datetime
    expires_at: datetime
    job: int | None = None
    owner: str = LOCAL
    """The name of the key that began it."""

    @property
    def is_whole(self) -> bool:
        """Whether every byte has come."""
        return self.offset == self.length


class Writer:
    """The one request at a time that changes an upload."""

    def __init__(self, folder: Path, upload: Upload, descriptor: int) -> None:
        self.folder = folder
        self.upload = upload
        self._descriptor = descriptor

    @property
    def path(self) -> Path:
        return self.folder / _BYTES

    def check_offset(self, offset: int) -> None:
        """Hold that what is sent goes on where the upload stands.

        Raises:
            OffsetConflict: it does not.
        """
        if offset != self.upload.offset:
            detail = f"the upload has {self.upload.offset} bytes, and these begin at {offset}"
            raise OffsetConflict(detail, "Ask for its Upload-Offset by HEAD, and go on there.")

    def check_size(self, size: int) -> None:
        """Hold that so many more bytes are part of the upload.

        Raises:
            PayloadTooLarge: they are more than were announced.
        """
        if self.upload.offset + size > self.upload.length:
            detail = f"with {size} more the upload would be over its Upload-Length of {self.upload.length} bytes"
            raise PayloadTooLarge(detail, "Send what is left of it, and no more.")

    def write(self, data: bytes) -> None:
        """Add bytes. What did not fit on the disk is no part of the upload.

        Raises:
            PayloadTooLarge: they are more than were announced; none is written.
            NoRoom: the disk is full.
        """
        self.check_size(len(data))
        left = memoryview(data)
        try:
            while left:
                left = left[os.pwrite(self._descriptor, left, self.upload.offset + len(data) - len(left)) :]
        except OSError as error:
            raise _told(error) from error
        finally:
            written = len(data) - len(left)
            self.upload = replace(self.upload, offset=self.upload.offset + written)
            # Whoever cleans up looks at the folder, which a file's growing does not touch.
            os.utime(self.folder)

    def settle(self) -> Upload:
        """Have the disk take what was written; the upload as it stands then."""
        try:
            os.fsync(self._descriptor)
        except OSError as error:
            raise _told(error) from error
        return replace(self.upload, expires_at=_end_of(self.folder))

    def become(self, job: int) -> None:
        """Note the import that the upload has become, and give its room back."""
        _write_about(self.folder, replace(self.upload, job=job))
        self.path.unlink()

    def remove(self) -> None:
        # The bytes go last: they carry the lock, and without the rest they are no upload.
        (self.folder / _ABOUT).unlink(missing_ok=True)
        shutil.rmtree(self.folder)


class Uploads:
    """All of them, below one folder. What nobody has added to for a day is gone."""

    def __init__(self, folder: Path, *, most_bytes: int, most_stored: int) -> None:
        """Keep them in ``folder``: each of ``most_bytes`` at most, together of ``most_stored``."""
        self._folder = folder
        self._most_bytes = most_bytes
        self._most_stored = most_stored

    @property
    def most_bytes(self) -> int:
        """The longest upload that is taken."""
        return self._most_bytes

    def create(self, length: int, name: str, owner: str = LOCAL) -> Upload:
        """Make room for an upload.

        Raises:
            InvalidRequest: it has no bytes.
            PayloadTooLarge: it has too many.
            NoRoom: with those that are on their way it does not fit.
        """
        if length == 0:
            raise InvalidRequest("the upload is of 0 bytes", "Send a zip or tar with images in it.")
        if length > self._most_bytes:
            raise PayloadTooLarge(f"{length} bytes are over the limit of {self._most_bytes} bytes", UPLOAD_HINT)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with self._admitting():
                self._check_room(length)
                return self._begin(length, name, owner)
        except OSError as error:
            raise _told(error) from error

    def promised_to(self, owner: str, *, but: str | None = None) -> int:
        """Bytes that the owner's open uploads have or are to have, without that of one id."""
        mine = (upload for upload in self._open_ones() if upload.owner == owner and upload.id != but)
        return sum(upload.length for upload in mine)

    def find(self, upload_id: str) -> Upload:
        """An upload as it stands; what it has by then is on the disk.

        Raises:
            NotFound: there is none of the name, or no longer.
        """
        folder = self._folder_of(upload_id)
        try:
            return _read(folder)
        except FileNotFoundError:
            raise _gone(upload_id) from None

    @contextmanager
    def writer(self, upload_id: str) -> Iterator[Writer]:
        """Have an upload to oneself for the block, among all processes; a process that is killed lets go of it.

        Raises:
            NotFound: there is none of the name, or no longer.
            UploadLocked: another request has it.
            StateConflict: it has become an import.
        """
        folder = self._folder_of(upload_id)
        descriptor = _open(folder, upload_id)
        try:
            _lock(descriptor)
            if not os.fstat(descriptor).st_nlink:
                raise _gone(upload_id)
            yield Writer(folder, self.find(upload_id), descriptor)
        finally:
            os.close(descriptor)

    def whole(self, upload_id: str) -> tuple[Upload, Path]:
        """An upload of which every byte has come, and where they lie.

        Raises:
            NotFound: there is none of the name, or no longer.
            StateConflict: bytes are missing, or it has become an import.
        """
        upload = self.find(upload_id)
        check_whole(upload)
        return upload, self._folder_of(upload_id) / _BYTES

    def _folder_of(self, upload_id: str) -> Path:
        folder = resumable_folder(self._folder, upload_id)
        # The name becomes a path only where it is one of those that are made here.
        if not is_resumable(folder) or not folder.is_dir() or _is_over(folder):
            raise _gone(upload_id)
        return folder

    @contextmanager
    def _admitting(self) -> Iterator[None]:
        """One at a time, among all processes: two must not be given the same room."""
        with (self._folder / _ADMITTING).open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _check_room(self, length: int) -> None:
        open_ones = self._open_ones()
        promised = sum(upload.length for upload in open_ones)
        if len(open_ones) >= MOST_OPEN:
            raise NoRoom(f"{len(open_ones)} uploads are open already", "End one by DELETE, or wait a day.")
        if promised + length > self._most_stored:
            detail = f"open uploads are of {promised} bytes, and with {length} more over {self._most_stored}"
            raise NoRoom(detail, "End one by DELETE, or raise PEDIGREE_MAX_STORED_UPLOAD_BYTES.")
        coming = sum(upload.length - upload.offset for upload in open_ones)
        if coming + length + LEAST_FREE_BYTES > shutil.disk_usage(self._folder).free:
            raise _full()

    def _open_ones(self) -> list[Upload]:
        found = (_try_to_read(folder, synced=False) for folder in resumable_folders(self._folder))
        return [upload for upload in found if upload is not None and upload.job is None]

    def _begin(self, length: int, name: str, owner: str) -> Upload:
        upload_id = uuid4().hex
        folder = resumable_folder(self._folder, upload_id)
        folder.mkdir()
        (folder / _BYTES).touch()
        now = datetime.now(UTC)
        _write_about(folder, Upload(upload_id, name, length, 0, now, now, owner=owner))
        return _read(folder)


def check_whole(upload: Upload) -> None:
    """Hold that every byte has come.

    Raises:
        StateConflict: bytes are missing, or it has become an import.
    """
    if upload.job is not None:
        raise StateConflict(f"the upload has become the import of job {upload.job}", "Look at that job.")
    if not upload.is_whole:
        detail = f"{upload.offset} of the upload's {upload.length} bytes have come"
        raise StateConflict(detail, "Send the rest of it first.")


def _open(folder: Path, upload_id: str) -> int:
    """The bytes' file; a folder without one has become an import, or is about to go."""
    try:
        return os.open(folder / _BYTES, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        upload = _try_to_read(folder)
        if upload is not None:
            check_whole(upload)
        raise _gone(upload_id) from None


def _lock(descriptor: int) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        detail = "another request is at work on the upload"
        raise UploadLocked(detail, "Send it again in a moment.", {"Retry-After": _AGAIN_SECONDS}) from None


def _read(folder: Path, *, synced: bool = True) -> Upload:
    """What is known of an upload; where ``synced``, the bytes that it has are on the disk then.

    Raises:
        FileNotFoundError: it is not there, or only in part.
    """
    about = json.loads((folder / _ABOUT).read_bytes())
    length, job = int(about["length"]), about["job"]
    return Upload(
        id=folder.name.removeprefix(RESUMABLE),
        name=about["name"],
        length=length,
        offset=length if job is not None else _size_on_disk(folder / _BYTES, synced=synced),
        created_at=datetime.fromisoformat(about["created_at"]),
        expires_at=_end_of(folder),
        job=job,
        owner=about.get("owner", LOCAL),
    )


def _size_on_disk(path: Path, *, synced: bool) -> int:
    if not synced:
        return path.stat().st_size
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        os.fsync(file.fileno())
    return size


def _try_to_read(folder: Path, *, synced: bool = True) -> Upload | None:
    try:
        return None if _is_over(folder) else _read(folder, synced=synced)
    except FileNotFoundError:  # it has just been removed, or its making broke off
        return None


def _write_about(folder: Path, upload: Upload) -> None:
    about = {
        "name": upload.name,
        "length": upload.length,
        "created_at": upload.created_at.isoformat(),
        "job": upload.job,
        "owner": upload.owner,
    }
    scratch = until_whole(folder / _ABOUT)
    with scratch.open("x") as file:
        json.dump(about, file)
        file.flush()
        os.fsync(file.fileno())
    scratch.replace(folder / _ABOUT)


def _end_of(folder: Path) -> datetime:
    return datetime.fromtimestamp(folder.stat().st_mtime + LIFE_SECONDS, UTC)


def _is_over(folder: Path) -> bool:
    return _end_of(folder) <= datetime.now(UTC)


def _gone(upload_id: str) -> NotFound:
    return NotFound(
        f"there is no upload {upload_id[:40]!r}, or no longer", Hint("Begin it again.", Request("POST", "/uploads"))
    )


def _full() -> NoRoom:
    detail = "the disk of the service's PEDIGREE_CACHE is full and does not hold the upload"
    return NoRoom(detail, "Make room there, or have PEDIGREE_CACHE name a folder on a larger disk.")


def _told(error: OSError) -> Exception:
    return _full() if says_disk_full(error) else error
