"""A dataset's items in the order in which their labels are worth a look, worked out once for each pair of files."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from api.datasets.label_scores import LabelScores, read_scores
from api.datasets.photos import PhotoShelf
from api.http.turns import Turns
from api.runs.stored_predictions import predictions_file
from ml.reading.label_doubts import LabelDoubts, find_doubts
from store.artifacts import ArtifactStore
from store.db.models import Dataset
from store.db.reviewable import RunPredictions
from store.errors import InvalidRequest

Made = TypeVar("Made")

MAX_KEPT = 4
MOST_WAITING = 8
MOST_BYTES = 1 << 26
"""Of a file of predictions: 7,390 pictures of 37 breeds have 8 MB."""
TOP = 5


@dataclass(frozen=True)
class Ranking:
    """What a run's predictions say of a revision's labels; ``losses`` are rows of those that it takes for another."""

    scores: LabelScores
    doubts: LabelDoubts
    doubtful: list[int]
    losses: list[int]

    def guesses(self, row: int) -> list[tuple[str, float]]:
        """The likeliest breeds of a row, five at most, with their probabilities."""
        found = self.scores.scores[row]
        best = np.argsort(-found, kind="stable")[:TOP]
        return [(self.scores.vocab[int(one)], float(found[one])) for one in best]

    def other(self, row: int) -> tuple[str, float]:
        """The breed that the row may be of instead of its label's."""
        at = int(self.doubts.other[row])
        return self.scores.vocab[at], float(self.scores.scores[row, at])


class ReviewRankings:
    """Ranks labels, one dataset at a time; over eight waiting, the next is sent away."""

    def __init__(self, photos: PhotoShelf, artifacts: ArtifactStore, cache: Path) -> None:
        self._photos, self._artifacts, self._cache = photos, artifacts, cache
        self._kept: OrderedDict[tuple[str, str, str], Ranking] = OrderedDict()
        self._lock = threading.Lock()
        self._turns = Turns(MOST_WAITING, "rankings are being made or waiting")

    def of(self, predicted: RunPredictions, current: Dataset) -> Ranking:
        """What these predictions say of the dataset's current labels.

        Raises:
            TooBusy: too many rankings are waiting already.
            InvalidRequest: the predictions are more than can be ranked here.
            ArtifactMissing: a file is gone, or is not what the record says.
            ServiceUnavailable: the artifact store does not answer.
        """
        if predicted.file.bytes > MOST_BYTES:
            detail = f"the run's predictions have {predicted.file.bytes} bytes, at most {MOST_BYTES} are ranked here"
            raise InvalidRequest(detail, "Review a smaller dataset.")
        return self.in_turn(lambda: self._found(predicted, current))

    def in_turn(self, work: Callable[[], Made]) -> Made:
        """Do one piece of work at a time.

        Raises:
            TooBusy: too many are waiting already.
        """
        with self._turns.one(), self._lock:
            return work()

    def _found(self, predicted: RunPredictions, current: Dataset) -> Ranking:
        key = (predicted.file.sha256, predicted.dataset.revision, current.revision)
        if key not in self._kept:
            self._kept[key] = self._rank(predicted, current)
        self._kept.move_to_end(key)
        while len(self._kept) > MAX_KEPT:
            self._kept.popitem(last=False)
        return self._kept[key]

    def _rank(self, predicted: RunPredictions, current: Dataset) -> Ranking:
        now = self._photos.manifest(current.revision)
        is_same = predicted.dataset.revision == current.revision
        then = now if is_same else self._photos.manifest(predicted.dataset.revision)
        path = predictions_file(self._artifacts, self._cache, predicted.file)
        scores = read_scores(path, then, now, predicted.run.vocab)
        doubts = find_doubts(scores.scores, scores.labels)
        losses = np.array([item.loss for item in scores.items])
        wrong = np.flatnonzero(scores.scores.argmax(1) != scores.labels) if scores.items else np.array([], dtype=int)
        by_loss = wrong[np.argsort(-losses[wrong], kind="stable")]
        return Ranking(scores, doubts, doubts.order(), [int(row) for row in by_loss])
