"""A run's model files, in the cache folder."""

from pathlib import Path

from sqlalchemy.orm import Session, sessionmaker

from store.artifacts import ArtifactStore
from store.cache_names import model_copy
from store.db.reading import files_to_serve
from store.keys import JUDGEMENT, PREDICTIONS


def model_folder(sessions: sessionmaker[Session], artifacts: ArtifactStore, cache: Path, run: int) -> Path:
    """The folder with the files of a run's model, fetched where they are not there.

    Raises:
        NotReady: the run has no model files on record.
        ArtifactMissing: they are gone.
    """
    with sessions.begin() as session:
        files = files_to_serve(session, run)
    # By content: the services of several databases may share a cache, and each counts its runs from 1.
    folder = model_copy(cache, files[0].sha256)
    for stale in {JUDGEMENT, PREDICTIONS} - {file.name for file in files}:
        (folder / stale).unlink(missing_ok=True)
    for file in files:
        artifacts.fetch(file.key, folder / file.name, expected_sha256=file.sha256)
    return folder
