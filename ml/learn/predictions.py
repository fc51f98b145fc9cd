"""A model's answers on a dataset's items: read once, and kept as JSON lines beside the reading."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ml.config import LossName
from ml.data.manifest import Manifest
from ml.learn.losses import item_losses, item_losses_of_scores, scores_of
from ml.reading.metrics import Reading, read_predictions
from ml.run_files import PREDICTIONS


@dataclass(frozen=True)
class LearnedPictures:
    """What a model and those before it learned from: its breeds, and the sha256 (hex) of the pictures."""

    vocab: tuple[str, ...]
    pictures: frozenset[str]


def label_ids(manifest: Manifest, vocab: Sequence[str] | None = None) -> list[int]:
    """Each item's position in the vocabulary, the manifest's own by default."""
    number = {label: i for i, label in enumerate(manifest.vocab if vocab is None else vocab)}
    return [number[item.label] for item in manifest.items]


def read_logits(
    loss: LossName,
    logits: Tensor,
    manifest: Manifest,
    items: Sequence[int],
    work: Path,
    learned: LearnedPictures | None = None,
    calibrated: NDArray[np.float64] | None = None,
) -> Reading:
    """Read float32 logits [n, classes] of the given items; writes ``predictions.jsonl`` into ``work``.

    A figure that is no number is null there.

    Args:
        loss: what the model was trained with; it decides what a score is.
        logits: of the items, in their order.
        manifest: the dataset that the items are of.
        items: positions in the manifest.
        work: a folder, made where missing.
        learned: what the model learned from, where that is more than the manifest's training side.
        calibrated: scores, [n, classes], where they are known.
    """
    targets = _targets(manifest, items, learned)
    losses = item_losses(loss, logits.double(), targets)
    scores = scores_of(loss, logits)
    return _read(scores, losses, targets, manifest, items, work, learned, calibrated=calibrated, tta=False)


def read_averages(
    loss: LossName,
    scores: Tensor,
    manifest: Manifest,
    items: Sequence[int],
    work: Path,
    learned: LearnedPictures | None = None,
) -> Reading:
    """As :func:`read_logits`, from averaged scores in [0, 1], float64 [n, classes]."""
    targets = _targets(manifest, items, learned)
    losses = item_losses_of_scores(loss, scores, targets)
    return _read(scores, losses, targets, manifest, items, work, learned, tta=True)


def _targets(manifest: Manifest, items: Sequence[int], learned: LearnedPictures | None) -> Tensor:
    labels = label_ids(manifest, learned.vocab if learned else None)
    return torch.tensor([labels[i] for i in items])


def _read(
    scores: Tensor,
    losses: Tensor,
    targets: Tensor,
    manifest: Manifest,
    items: Sequence[int],
    work: Path,
    learned: LearnedPictures | None,
    *,
    calibrated: NDArray[np.float64] | None = None,
    tta: bool,
) -> Reading:
    chosen = [manifest.items[i] for i in items]
    reading = read_predictions(
        scores.numpy(),
        losses.numpy(),
        targets.numpy(),
        vocab=learned.vocab if learned else manifest.vocab,
        items=items,
        paths=[item.path for item in chosen],
        trained_on=[item.sha256 in learned.pictures for item in chosen] if learned else None,
        calibrated=calibrated,
        tta=tta,
    )
    work.mkdir(parents=True, exist_ok=True)
    with (work / PREDICTIONS).open("w", encoding="utf-8") as file:
        for row, probabilities in zip(reading.items, scores.tolist(), strict=True):
            figures = {name: _or_none(value) for name, value in row.items()}
            by_breed = zip(reading.vocab, map(_or_none, probabilities), strict=True)
            line = {**figures, "probabilities": dict(by_breed)}
            file.write(json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n")
    return reading


def _or_none(value: object) -> object:
    """JSON has no word for what is no number."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
