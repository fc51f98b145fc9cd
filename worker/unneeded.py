"""Files in the artifact store that nothing needs any more: what killed processes left, and what was never fetched."""

import logging
from datetime import UTC, datetime, timedelta

from sqlalchemy.orm import Session, sessionmaker

from store.artifacts import ArtifactStore
from store.dataset_files import delete_dataset_files
from store.db.old_events import BATCH, delete_old_events
from store.db.repair import awaited_uploads
from store.db.unneeded import unneeded_answers, unneeded_files
from store.deletions import delete_unheld
from store.keys import ANSWERS, DATASETS, PHOTOS, RUNS, UPLOADS, is_upload, read_run_file
from worker.forgetting import unknown_photos

log = logging.getLogger(__name__)

LIFE = timedelta(days=1)
"""Nothing younger is touched: whoever wrote it may be about to name it."""


def delete_unneeded(
    artifacts: ArtifactStore,
    sessions: sessionmaker[Session],
    *,
    checkpoint_life: timedelta,
    upload_life: timedelta = LIFE,
    life: timedelta = LIFE,
) -> None:
    """Delete, where it is older than ``life``, what no job waits for, no record names and no process goes on writing.

    While a backup is made nothing goes. Only keys of our own making: a bucket or folder may hold somebody's own files
    beside them.

    Raises:
        ServiceUnavailable: the artifact store does not answer.
    """
    for name in artifacts.remove_unfinished(older_than=life):
        log.info("%s: what a killed process had begun to store was removed", name)
    # The keys come first: what is written after the database was asked is no part of the answer.
    uploads = filter(is_upload, _old_keys(artifacts, UPLOADS, upload_life))
    runs, photos, datasets, answers = (_old_keys(artifacts, below, life) for below in (RUNS, PHOTOS, DATASETS, ANSWERS))
    files = [file for file in map(read_run_file, runs) if file is not None]
    with sessions.begin() as session:
        awaited = awaited_uploads(session)
        unneeded = unneeded_files(session, files, checkpoint_life=checkpoint_life) + unknown_photos(session, photos)
        unneeded += unneeded_answers(session, answers, life=checkpoint_life)
    for key in delete_dataset_files(artifacts, sessions, datasets):
        log.info("%s: no dataset has it any more; it was deleted", key)
    for key in [*(key for key in uploads if key not in awaited), *unneeded]:
        if delete_unheld(artifacts, sessions, [key]):
            log.info("%s: nothing needs it any more; it was deleted", key)


def forget_old_events(sessions: sessionmaker[Session], *, older_than: timedelta) -> bool:
    """Delete a part of the events of jobs that ended so long ago; returns whether more may be left."""
    with sessions.begin() as session:
        deleted = delete_old_events(session, older_than=older_than)
    if deleted:
        log.info("%d events of jobs that ended more than %s ago were deleted", deleted, older_than)
    return deleted == BATCH


def _old_keys(artifacts: ArtifactStore, prefix: str, life: timedelta) -> list[str]:
    before = datetime.now(UTC) - life
    return [listed.key for listed in artifacts.keys_below(prefix) if listed.modified_at < before]
