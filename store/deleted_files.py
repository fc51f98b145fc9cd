"""The files of deleted runs, in the artifact store."""

import logging

from sqlalchemy.orm import Session, sessionmaker

from store.artifacts import ArtifactStore
from store.db.backup_hold import may_delete
from store.db.deletion import are_of, note_files_gone, with_files
from store.db.models import DeletedRun
from store.deletions import delete_unheld
from store.errors import ServiceUnavailable
from store.keys import read_run_file, run_key

log = logging.getLogger(__name__)


def delete_files(artifacts: ArtifactStore, sessions: sessionmaker[Session], run_id: int) -> None:
    """Delete what a deleted run left in the artifact store, and note that it is gone; the same again changes nothing.

    Where it breaks off, or a backup goes on, the note is not made, and somebody does it again.

    Raises:
        ServiceUnavailable: the artifact store does not answer.
    """
    with sessions.begin() as session:
        gone = session.get_one(DeletedRun, run_id)
    named = [one["key"] for one in gone.files]
    listed = (read_run_file(one.key) for one in artifacts.keys_below(run_key(run_id, "")))
    keys = dict.fromkeys([*named, *are_of(gone, [file for file in listed if file is not None])])
    if not delete_unheld(artifacts, sessions, keys):
        return
    with sessions.begin() as session:
        note_files_gone(session, run_id)


def delete_remaining_files(artifacts: ArtifactStore, sessions: sessionmaker[Session]) -> None:
    """Finish what was begun by processes that ended, or while the artifact store was away.

    A run whose files cannot be deleted now keeps nothing else from being done.
    """
    with sessions.begin() as session:
        waiting = with_files(session) if may_delete(session) else []
    for run_id in waiting:
        try:
            delete_files(artifacts, sessions, run_id)
        except ServiceUnavailable as error:
            log.warning("run %d was deleted, and its files are still there: %s", run_id, error.detail)
        else:
            log.info("run %d was deleted; now its files are gone too", run_id)
