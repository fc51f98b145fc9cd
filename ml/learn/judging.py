"""What a run's validation says of how far its answers can be trusted."""

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from ml.config import LossName
from ml.data.manifest import Manifest
from ml.judge.familiarity import KnownPictures
from ml.judge.fitting import FittedJudgement, fit_judgement
from ml.judge.shift_weight import PoorPictures
from ml.learn.predictions import LearnedPictures, label_ids


def fit_on(
    loss: LossName,
    logits: Tensor,
    manifest: Manifest,
    items: Sequence[int],
    learned: LearnedPictures | None = None,
    features: Tensor | None = None,
    known: KnownPictures | None = None,
    poor: PoorPictures | None = None,
) -> FittedJudgement:
    """Fit a judgement on float32 logits [n, classes] of the given items; what the model learned from tells nothing.

    Args:
        loss: what the model was trained with.
        logits: of the items, in their order.
        manifest: the run's own dataset.
        items: its validation side.
        learned: what the model learned from, where that is more than the manifest's training side.
        features: what the model makes of the first of the items, [≤ n, features].
        known: what it makes of pictures that it learned from.
        poor: what it makes of some of the items with blur and with noise.
    """
    labels = label_ids(manifest, None if learned is None else learned.vocab)
    pictures = frozenset() if learned is None else learned.pictures
    return fit_judgement(
        loss,
        logits.numpy(),
        np.array([labels[i] for i in items], dtype=np.int64),
        np.array([manifest.items[i].sha256 not in pictures for i in items], dtype=np.bool_),
        None if features is None else features.numpy(),
        known,
        poor,
    )
