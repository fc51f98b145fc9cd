"""Deleting files from the artifact store, but for the time of a backup."""

from collections.abc import Iterable

from sqlalchemy.orm import Session, sessionmaker

from store.artifacts import ArtifactStore
from store.db.backup_hold import may_delete


def delete_unheld(artifacts: ArtifactStore, sessions: sessionmaker[Session], keys: Iterable[str]) -> bool:
    """Delete files that the record names no more; False where a backup keeps them, and some or all are left.

    Raises:
        ServiceUnavailable: the artifact store does not answer.
    """
    for key in keys:
        with sessions.begin() as session:
            if not may_delete(session):
                return False
            artifacts.delete(key)
    return True
