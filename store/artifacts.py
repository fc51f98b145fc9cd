"""The artifact store: files by key in a folder or an S3 bucket. Everything is written whole or not at all."""

import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import file_digest, sha256
from pathlib import Path
from urllib.parse import unquote, urlsplit

from obstore.exceptions import BaseError, NotFoundError
from obstore.store import LocalStore, S3Store

from store.errors import ArtifactMissing, NoRoom, ServiceUnavailable, SettingsInvalid
from store.keys import is_ours
from store.room import says_disk_full
from store.scratch import until_whole

CHUNK_BYTES = 8 * 1024 * 1024
"""Of a put one part, of a fetch one request: what is in memory, and what a broken connection costs again."""

OnBytes = Callable[[int, int], None]
"""Called with bytes done and bytes in all."""

_STAGED = re.compile(r"(.+)#\d+")
"""obstore puts a file into a folder under such a name first, and renames it."""

_PATIENCE = timedelta(seconds=60)
_CHECK_PATIENCE = timedelta(seconds=3)


@dataclass(frozen=True)
class StoredFile:
    """What was put: its key, the sha256 (hex) of its content and its size in bytes."""

    key: str
    sha256: str
    bytes: int


@dataclass(frozen=True)
class FileListing:
    """A key, when it was last written (UTC), and the size in bytes."""

    key: str
    modified_at: datetime
    bytes: int


class ArtifactStore:
    """Files by key below ``file:///folder`` or ``s3://bucket/prefix``.

    For S3 the usual variables are read: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION, AWS_ENDPOINT_URL, and
    what else the platform gives (instance roles, web identity). An http:// endpoint is allowed; paths are not
    virtual-hosted, which every S3-compatible server understands.

    Raises:
        SettingsInvalid: the address cannot be used.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.folder = _folder_of(url)
        self._store = _open(url, self.folder, _PATIENCE)

    def put_file(self, key: str, path: Path, *, on_bytes: OnBytes | None = None) -> StoredFile:
        """Copy a file in, a part at a time, hashing what was really sent.

        Raises:
            NoRoom: the store has no room for it.
            ServiceUnavailable: the store did not take it; nothing is visible under the key that was not before.
        """
        size = path.stat().st_size

        def parts() -> Iterator[bytes]:
            with path.open("rb") as file:
                while part := file.read(CHUNK_BYTES):
                    yield part
                    if on_bytes is not None:
                        on_bytes(file.tell(), size)

        return self.put_parts(key, parts(), size)

    def put_parts(self, key: str, parts: Iterator[bytes], size: int) -> StoredFile:
        """Store ``size`` bytes that come in parts, hashing what was really sent.

        Raises:
            NoRoom: the store has no room for it.
            ServiceUnavailable: the store did not take it; nothing is visible under the key that was not before.
        """
        digest = sha256()

        def hashed() -> Iterator[bytes]:
            for part in parts:
                digest.update(part)
                yield part

        with self._spoken(key):
            if size <= CHUNK_BYTES:
                self._store.put(key, b"".join(hashed()), use_multipart=False)
            else:
                self._store.put(key, hashed(), chunk_size=CHUNK_BYTES, max_concurrency=2)
        return StoredFile(key, digest.hexdigest(), size)

    def put_bytes(self, key: str, data: bytes) -> StoredFile:
        """Store a small thing.

        Raises:
            NoRoom: the store has no room for it.
            ServiceUnavailable: the store did not take it.
        """
        with self._spoken(key):
            self._store.put(key, data)
        return StoredFile(key, sha256(data).hexdigest(), len(data))

    def get_bytes(self, key: str) -> bytes:
        """A small thing's content.

        Raises:
            ArtifactMissing: there is nothing under the key.
            ServiceUnavailable: the store does not answer.
        """
        with self._spoken(key):
            return bytes(self._store.get(key).bytes())

    def fetch(
        self, key: str, into: Path, *, expected_sha256: str | None = None, on_bytes: OnBytes | None = None
    ) -> Path:
        """Copy an artifact to the file ``into``, unless it is there already; it appears whole or not at all.

        Args:
            key: the artifact.
            into: the local file; its folder is made.
            expected_sha256: hex; the copy is checked against it. A file that was there already is too, and is
                replaced where it has another content.
            on_bytes: called after each part.

        Raises:
            ArtifactMissing: there is nothing under the key, or its content is another.
            ServiceUnavailable: the store does not answer.
            NoRoom: the local disk does not hold it.
            OSError: the local file cannot be written.
        """
        if into.exists() and (expected_sha256 is None or _sha256_of(into) == expected_sha256):
            return into
        into.parent.mkdir(parents=True, exist_ok=True)
        scratch = until_whole(into)
        try:
            found = self._copy_out(key, scratch, on_bytes)
            if expected_sha256 not in {None, found}:
                detail = f"artifact {key} has sha256 {found}, the record says {expected_sha256}"
                raise ArtifactMissing(detail, hint="Restore it from a backup, or make it again.")
            scratch.replace(into)
        except OSError as error:
            if says_disk_full(error):
                hint = "Free space there, or have PEDIGREE_CACHE name a folder on a larger disk."
                raise NoRoom(f"the disk of PEDIGREE_CACHE has no room for {into.name}", hint) from error
            raise
        finally:
            scratch.unlink(missing_ok=True)
        return into

    def pieces(self, key: str, size: int) -> Iterator[bytes]:
        """An artifact of ``size`` bytes, range by range, so that no request is long and one piece is in memory.

        Raises:
            ArtifactMissing: it is gone.
            ServiceUnavailable: the store does not answer.
        """
        for start in range(0, size, CHUNK_BYTES):
            with self._spoken(key):
                part = bytes(self._store.get_range(key, start=start, end=min(start + CHUNK_BYTES, size)))
            yield part

    def open_local(self, key: str) -> Path | None:
        """The artifact's own file where the store is a folder of this machine, else None; never write to it."""
        if self.folder is None:
            return None
        path = self.folder / key
        return path if path.is_file() else None

    def exists(self, key: str) -> bool:
        """Whether there is something under the key.

        Raises:
            ServiceUnavailable: the store does not answer.
        """
        try:
            with self._spoken(key):
                self._store.head(key)
        except ArtifactMissing:
            return False
        return True

    def delete(self, key: str) -> None:
        """Remove what is under the key, if anything is.

        Raises:
            ServiceUnavailable: the store does not answer.
        """
        try:
            with self._spoken(key):
                self._store.delete(key)
        except ArtifactMissing:
            return

    def keys_below(self, prefix: str) -> list[FileListing]:
        """Every key below ``prefix`` (which ends with a slash).

        Raises:
            ServiceUnavailable: the store does not answer.
        """
        with self._spoken(prefix):
            pages = self._store.list(prefix)
            return [FileListing(meta["path"], meta["last_modified"], meta["size"]) for page in pages for meta in page]

    def check(self) -> None:
        """Ask the store a small question, with little patience.

        Raises:
            ServiceUnavailable: it does not answer, or does not let us in.
        """
        if self.folder is not None:
            if not os.access(self.folder, os.R_OK | os.W_OK | os.X_OK):
                raise ServiceUnavailable("the artifact store's folder, ARTIFACTS_URL, cannot be read and written")
            return
        with self._spoken("check"):
            for _ in _open(self.url, None, _CHECK_PATIENCE).list("check/", chunk_size=1):
                break

    def size_of(self, key: str) -> int:
        """An artifact's size in bytes.

        Raises:
            ArtifactMissing: there is nothing under the key.
            ServiceUnavailable: the store does not answer.
        """
        with self._spoken(key):
            return self._store.head(key)["size"]

    def remove_unfinished(self, *, older_than: timedelta) -> list[str]:
        """Remove what processes that were killed had begun to put into a folder; the names, for the log.

        Only what was to become a key of ours: the folder may hold somebody's own files. Of a bucket nothing is visible
        before it is whole; its own rules end uploads that were left.
        """
        if self.folder is None:
            return []
        before = time.time() - older_than.total_seconds()
        removed = []
        for path in filter(Path.is_file, self.folder.rglob("*#*")):
            name = path.relative_to(self.folder).as_posix()
            staged = _STAGED.fullmatch(name)
            if staged is None or not is_ours(staged[1]):
                continue
            with suppress(FileNotFoundError):  # it has just been renamed
                if path.stat().st_mtime < before:
                    path.unlink()
                    removed.append(name)
        return removed

    def _copy_out(self, key: str, scratch: Path, on_bytes: OnBytes | None) -> str:
        """Copy a piece at a time; returns the sha256, hex."""
        digest, size = sha256(), self.size_of(key)
        with scratch.open("xb") as file:
            for part in self.pieces(key, size):
                digest.update(part)
                file.write(part)
                if on_bytes is not None:
                    on_bytes(file.tell(), size)
            file.flush()
            # Else a power failure could leave the name on the disk and the content not.
            os.fsync(file.fileno())
        return digest.hexdigest()

    @contextmanager
    def _spoken(self, key: str) -> Iterator[None]:
        """Say the store's errors in our own words."""
        try:
            yield
        except (FileNotFoundError, NotFoundError) as error:
            hint = "Check that ARTIFACTS_URL names this database's store; else restore it from a backup."
            raise ArtifactMissing(f"the artifact store holds no {key}", hint) from error
        except (BaseError, OSError) as error:
            store = f"the artifact store{_place(self.url)}"
            if says_disk_full(error):
                raise NoRoom(f"{store} has no room for {key}", hint="Free space where ARTIFACTS_URL lies.") from error
            detail = f"{store} failed on {key}: {_first_line(error)}"
            raise ServiceUnavailable(detail, hint="Check ARTIFACTS_URL and the store behind it.") from error


def _place(url: str) -> str:
    """The bucket; where a folder lies is told to nobody who asks over the network."""
    parts = urlsplit(url)
    return "" if parts.scheme == "file" else f" {parts.scheme}://{parts.netloc}{parts.path}"


def _folder_of(url: str) -> Path | None:
    parts = urlsplit(url)
    if parts.scheme != "file":
        return None
    if parts.netloc or not parts.path.startswith("/"):
        raise SettingsInvalid(f"ARTIFACTS_URL {url!r} names no absolute folder", hint="Write file:///folder.")
    return Path(unquote(parts.path))


def _open(url: str, folder: Path | None, patience: timedelta) -> LocalStore | S3Store:
    if folder is not None:
        return LocalStore(folder, mkdir=True, automatic_cleanup=True)
    parts = urlsplit(url)
    if not parts.netloc:
        raise SettingsInvalid(f"ARTIFACTS_URL {url!r} names no bucket", hint="Write s3://bucket or s3://bucket/prefix.")
    return S3Store(
        parts.netloc,
        prefix=parts.path.strip("/") or None,
        virtual_hosted_style_request=False,
        client_options={"allow_http": True, "connect_timeout": timedelta(seconds=5), "timeout": patience},
        retry_config={"max_retries": 5, "retry_timeout": patience},
    )


def _sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:300] if lines else type(error).__name__
