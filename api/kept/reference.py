"""The counts of a run's validation side, which what is asked today is held against."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from sqlalchemy.orm import Session, sessionmaker

from api.kept.tally import DayCounts
from store.artifacts import ArtifactStore
from store.db.models import ModelVersion, Run
from store.db.reading import get_artifact
from store.errors import AppError, ArtifactMissing, NotFound, ServiceUnavailable
from store.keys import bundle_key, predictions_name

MOST_PHOTOS = 256
"""Of the validation side are looked at, evenly spread."""
MOST_BUNDLE = 1 << 30
"""A dataset of more bytes is not fetched from a bucket for this."""

ReadPhoto = Callable[[str, int], bytes]
"""From a dataset's revision and an item to its bytes."""


class ReferenceMaker:
    """Reads what a run left behind."""

    def __init__(self, sessions: sessionmaker[Session], artifacts: ArtifactStore, read: ReadPhoto) -> None:
        self._sessions = sessions
        self._artifacts = artifacts
        self._read = read

    def counts(self, version: int) -> tuple[dict[str, list[int]], str | None]:
        """The figures of a version's validation side, and why some are missing.

        Raises:
            ServiceUnavailable: the artifact store does not answer.
            NotFound: there is no such version.
        """
        with self._sessions.begin() as session:
            found = session.get(ModelVersion, version)
            if found is None:
                raise NotFound(f"there is no model version {version}")
            run = found.run
        counted = DayCounts()
        try:
            items = self._count_answers(run, counted)
        except ServiceUnavailable:
            raise  # another time
        except (AppError, ValueError, KeyError, TypeError) as error:
            return {}, f"the run's stored predictions cannot be read: {error}"[:300]
        missing = self._count_photos(run, items, counted)
        return counted.figures([str(breed) for breed in run.vocab]), missing

    def _count_answers(self, run: Run, counted: DayCounts) -> list[int]:
        """Count the stored predictions; the items that they are of."""
        items = []
        for row in self._rows(run):
            scores: Mapping[str, float] = row["probabilities"]
            breed = max(scores, key=lambda name: scores[name] or 0.0)
            counted.breeds[breed] += 1
            counted.add_value("probability", float(scores[breed] or 0.0))
            items.append(int(row["item"]))
        return items

    def _rows(self, run: Run) -> Iterator[dict[str, Any]]:
        with self._sessions.begin() as session:
            stored = get_artifact(session, run.id, predictions_name(run.dataset_id, run.dataset_id))
        for line in self._artifacts.get_bytes(stored.key).splitlines():
            yield json.loads(line)

    def _count_photos(self, run: Run, items: list[int], counted: DayCounts) -> str | None:
        key = bundle_key(run.dataset.revision)
        try:
            if self._artifacts.folder is None and self._artifacts.size_of(key) > MOST_BUNDLE:
                return f"the dataset is over {MOST_BUNDLE} bytes, and not fetched for this"
            for item in items[:: max(1, -(-len(items) // MOST_PHOTOS))]:
                counted.add_photo(self._read(run.dataset.revision, item))
        except (ArtifactMissing, NotFound) as error:
            return error.detail
        return None
