"""A judgement for models of before there was one, from their stored predictions."""

import json
import logging
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from ml.config import LossName
from ml.judge.fitting import fit_judgement
from ml.judge.judgement import Judgement

logger = logging.getLogger(__name__)

_LEAST = 1e-12


def fit_on_predictions(path: Path, loss: LossName, vocab: Sequence[str]) -> Judgement | None:
    """Fit on the lines of ``predictions.jsonl``; None where they are not this model's predictions.

    Features are not in them: whether a picture is known is not said. Softmax does not see a shift, so that the
    logarithms of its scores are logits as good as any.
    """
    number = {breed: index for index, breed in enumerate(vocab)}
    try:
        rows = [(number[actual], scores) for actual, scores in _rows(path, vocab)]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        # Not the error itself: whoever keeps the record would keep all that its frames hold, a model among it.
        logger.warning("the run's stored predictions cannot be used, its answers stay uncalibrated: %s", repr(error))
        return None
    scores = np.array([one for _, one in rows], dtype=np.float64).reshape(len(rows), len(vocab))
    logits = np.log(scores.clip(_LEAST))
    if loss == "binary_cross_entropy":
        logits -= np.log((1 - scores).clip(_LEAST))
    targets = np.array([actual for actual, _ in rows], dtype=np.int64)
    found = fit_judgement(loss, logits.astype(np.float32), targets).judgement
    return found if found.pictures else None


def _rows(path: Path, vocab: Sequence[str]) -> Iterator[tuple[str, list[float]]]:
    """The true breed and the scores of each picture that the model has not learned from."""
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            if not row.get("trained_on"):
                found = row["probabilities"]
                yield row["actual"], [math.nan if found[breed] is None else found[breed] for breed in vocab]
