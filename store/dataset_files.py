"""The files of datasets that are gone, in the artifact store."""

from collections.abc import Iterable

from sqlalchemy.orm import Session, sessionmaker

from store.artifacts import ArtifactStore
from store.db.dataset_deletion import unneeded_dataset_files
from store.deletions import delete_unheld


def delete_dataset_files(artifacts: ArtifactStore, sessions: sessionmaker[Session], keys: Iterable[str]) -> list[str]:
    """Delete those of the keys that no dataset needs; returns those that went.

    Files are named by what is in them: an import that begins now may need the same. So each is asked about right
    before it goes, and none goes while an import or a backup is under way.

    Raises:
        ServiceUnavailable: the artifact store does not answer.
    """
    deleted = []
    for key in keys:
        with sessions.begin() as session:
            needless = unneeded_dataset_files(session, [key])
        if delete_unheld(artifacts, sessions, needless):
            deleted += needless
    return deleted
