"""A model's answers on a dataset's items: read once, and kept as JSON lines beside the reading."""

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from ml.config import LossName
from ml.interpretation import Reading, read_predictions
from ml.losses import item_losses, item_losses_of_scores, scores_of
from ml.manifest import Manifest

PREDICTIONS = "predictions.jsonl"


def label_ids(manifest: Manifest, vocab: Sequence[str] | None = None) -> list[int]:
    """Each item's position in the vocabulary, the manifest's own by default."""
    number = {label: i for i, label in enumerate(manifest.vocab if vocab is None else vocab)}
    return [number[item.label] for item in manifest.items]


def read_logits(loss: LossName, logits: Tensor, manifest: Manifest, items: Sequence[int], work: Path) -> Reading:
    """Read float32 logits [n, classes] of the given items; writes ``predictions.jsonl`` into ``work``."""
    targets = _targets(manifest, items)
    scores = scores_of(loss, logits)
    return _read(scores, item_losses(loss, logits.double(), targets), targets, manifest, items, work, tta=False)


def read_averages(loss: LossName, scores: Tensor, manifest: Manifest, items: Sequence[int], work: Path) -> Reading:
    """Read averaged scores, float64 [n, classes], of the given items; writes ``predictions.jsonl`` into ``work``."""
    targets = _targets(manifest, items)
    losses = item_losses_of_scores(loss, scores, targets)
    return _read(scores, losses, targets, manifest, items, work, tta=True)


def _targets(manifest: Manifest, items: Sequence[int]) -> Tensor:
    labels = label_ids(manifest)
    return torch.tensor([labels[i] for i in items])


def _read(
    scores: Tensor,
    losses: Tensor,
    targets: Tensor,
    manifest: Manifest,
    items: Sequence[int],
    work: Path,
    *,
    tta: bool,
) -> Reading:
    reading = read_predictions(
        scores.numpy(),
        losses.numpy(),
        targets.numpy(),
        vocab=manifest.vocab,
        items=items,
        paths=[manifest.items[i].path for i in items],
        tta=tta,
    )
    work.mkdir(parents=True, exist_ok=True)
    with (work / PREDICTIONS).open("w", encoding="utf-8") as file:
        for row, probabilities in zip(reading.items, scores.tolist(), strict=True):
            line = {**row, "probabilities": dict(zip(reading.vocab, probabilities, strict=True))}
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
    return reading
