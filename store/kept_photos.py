"""Kept photos, in the artifact store and on record at once."""

from collections.abc import Iterable, Mapping

from sqlalchemy.orm import Session, sessionmaker

from store.artifacts import ArtifactStore
from store.db.backup_hold import may_delete
from store.db.kept_photos import begin_photos, drop_photo, note_stored, photos_beyond, unwanted_photos
from store.keys import photo_key


class KeptPhotos:
    """The photos that predictions asked to be kept, each once by its content, within so many bytes.

    The record comes first and goes last: what lies in the store is named, and a file that is being written while its
    last prediction is forgotten is deleted again.
    """

    def __init__(self, sessions: sessionmaker[Session], artifacts: ArtifactStore, most_bytes: int) -> None:
        self._sessions = sessions
        self._artifacts = artifacts
        self._most_bytes = most_bytes

    def keep(self, photos: Mapping[str, bytes]) -> bool:
        """Store photos by sha256 whose predictions are on record and not forgotten; False where one is too large.

        Raises:
            ServiceUnavailable: the artifact store did not take one.
        """
        sizes = {sha256: len(data) for sha256, data in photos.items() if len(data) <= self._most_bytes}
        with self._sessions.begin() as session:
            fresh = begin_photos(session, sizes)
        if fresh:
            self._store({sha256: photos[sha256] for sha256 in fresh})
            self.make_room()
        return len(sizes) == len(photos)

    def _store(self, photos: Mapping[str, bytes]) -> None:
        for sha256, data in photos.items():
            self._artifacts.put_bytes(photo_key(sha256), data)
        with self._sessions.begin() as session:
            unwanted = note_stored(session, photos)
            # Where a backup goes on they stay on record as not stored, and go after a day.
            for sha256 in unwanted if unwanted and may_delete(session) else ():
                drop_photo(session, sha256, even_wanted=True)
                self._artifacts.delete(photo_key(sha256))

    def make_room(self) -> int:
        """Delete the oldest until all take no more than they may; how many were deleted."""
        with self._sessions.begin() as session:
            beyond = photos_beyond(session, self._most_bytes)
        return self.drop(beyond, even_wanted=True)

    def drop_unwanted(self) -> int:
        """Delete those that no prediction names any more, a part of them; how many were deleted."""
        with self._sessions.begin() as session:
            unwanted = unwanted_photos(session)
        return self.drop(unwanted)

    def drop(self, hashes: Iterable[str], *, even_wanted: bool = False) -> int:
        """Delete photos, but for those that a prediction still names; how many were deleted: none during a backup.

        Raises:
            ServiceUnavailable: the artifact store does not answer; what it holds stays on record.
        """
        dropped = 0
        for sha256 in hashes:
            with self._sessions.begin() as session:
                if not may_delete(session):
                    break
                if drop_photo(session, sha256, even_wanted=even_wanted):
                    # Within the transaction: where it fails, the record still names the file.
                    self._artifacts.delete(photo_key(sha256))
                    dropped += 1
        return dropped
