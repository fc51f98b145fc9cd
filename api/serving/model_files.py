"""A run's model files, in the cache folder."""

from pathlib import Path

from sqlalchemy.orm import Session, sessionmaker

from store.artifacts import ArtifactStore
from store.cache_names import model_copy
from store.db.reading import for_judging, get_artifact
from store.keys import JUDGEMENT

MODEL_FILES = ("model.safetensors", "model.json")


def model_folder(sessions: sessionmaker[Session], artifacts: ArtifactStore, cache: Path, run: int) -> Path:
    """The folder with the files of a run's model, fetched where they are not there.

    Raises:
        NotReady: the run has no model files on record.
        ArtifactMissing: they are gone.
    """
    with sessions.begin() as session:
        files = [get_artifact(session, run, name) for name in MODEL_FILES]
        judging = for_judging(session, run)
    # By content: the services of several databases may share a cache, and each counts its runs from 1.
    folder = model_copy(cache, files[0].sha256)
    kept = judging.name if judging is not None else None
    for stale in {JUDGEMENT, "predictions.jsonl"} - {kept}:
        (folder / stale).unlink(missing_ok=True)
    for file in [*files, *([judging] if judging is not None else [])]:
        artifacts.fetch(file.key, folder / file.name, expected_sha256=file.sha256)
    return folder
