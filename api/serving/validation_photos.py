"""Photos of a run's validation side with the probabilities that were stored for them: what a quicker way is held to."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np
from sqlalchemy.orm import Session, sessionmaker

from ml.serve.choice import Sample
from store.artifacts import ArtifactStore
from store.db.models import Artifact, Interpretation
from store.db.reading import get_artifact, get_run
from store.errors import AppError
from store.keys import PREDICTIONS
from store.settings import MIB

MOST = 300
MOST_BYTES = 64 * MIB
"""Of all photos together: they are held in memory."""
MOST_STORED_BYTES = 256 * MIB
"""Of the stored predictions."""

ReadPhoto = Callable[[str, int], bytes]
"""From a dataset's revision and an item's number to the photo; raises ArtifactMissing, NotFound, ServiceUnavailable."""


class NothingToCheckBy(Exception):
    """There are no photos with stored probabilities; ``args[0]`` says why, for people."""


@dataclass(frozen=True)
class PredictionSource:
    """Where a run's predictions and its photos lie."""

    artifact: Artifact
    revision: str
    averaged: bool


def validation_samples(
    sessions: sessionmaker[Session], artifacts: ArtifactStore, read_photo: ReadPhoto, run: int
) -> list[Sample]:
    """A sample of the run's validation photos, the same each time.

    Raises:
        NothingToCheckBy: there are none.
        ServiceUnavailable: the artifact store does not answer.
    """
    stored = _stored(sessions, run)
    if stored.averaged:
        raise NothingToCheckBy("the stored predictions are averages over copies")
    if stored.artifact.bytes > MOST_STORED_BYTES:
        raise NothingToCheckBy("the stored predictions are too large to be read here")
    rows = [json.loads(line) for line in artifacts.get_bytes(stored.artifact.key).splitlines()]
    chosen = Random(run).sample(rows, min(MOST, len(rows)))  # noqa: S311 - nothing secret
    found = list(_samples(chosen, stored.revision, read_photo))
    if not found:
        raise NothingToCheckBy("the run has no stored predictions")
    return found


def _stored(sessions: sessionmaker[Session], run: int) -> PredictionSource:
    with sessions.begin() as session:
        record = get_run(session, run)
        try:
            artifact = get_artifact(session, run, PREDICTIONS)
        except AppError as error:
            raise NothingToCheckBy(error.detail) from error
        read = session.get(Interpretation, (run, record.dataset_id))
        return PredictionSource(artifact, record.dataset.revision, averaged=read is not None and read.tta)


def _samples(rows: list[dict[str, Any]], revision: str, read_photo: ReadPhoto) -> Iterator[Sample]:
    taken = 0
    for row in rows:
        scores = list(row["probabilities"].values())
        if None in scores:
            continue
        try:
            data = read_photo(revision, row["item"])
        except AppError as error:
            raise NothingToCheckBy(f"the photos of its validation side cannot be read: {error.detail}") from error
        taken += len(data)
        if taken > MOST_BYTES:
            return
        yield Sample(data, np.asarray(scores, np.float32))
