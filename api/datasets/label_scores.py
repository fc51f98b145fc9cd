"""Stored predictions, brought to a dataset's current revision: each item's scores beside the label that it has now."""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.data.manifest import Manifest
from store.errors import ArtifactMissing

_LEAST = 1e-12


@dataclass(frozen=True)
class ScoredItem:
    """An item of the current revision that a run has predicted.

    ``position`` is its place in the current revision, ``predicted_as`` that in the revision which was predicted.
    ``loss`` is for the label that it has now, infinite where the model rules that out.
    """

    position: int
    predicted_as: int
    path: str
    sha256: str
    label: str
    loss: float
    trained_on: bool


@dataclass(frozen=True)
class LabelScores:
    """Items with their scores, float64 [items, breeds], and labels, positions in ``vocab``, int64 [items]."""

    vocab: tuple[str, ...]
    items: list[ScoredItem]
    scores: NDArray[np.float64]
    labels: NDArray[np.int64]


def read_scores(path: Path, predicted: Manifest, current: Manifest, vocab: Sequence[str]) -> LabelScores:
    """Read the lines of ``predictions.jsonl``.

    Left out are items that the current revision has no more, or with another content; those whose label is none of
    the model's; and scores that are no numbers.

    Raises:
        ArtifactMissing: the file's lines are not predictions of this dataset.
    """
    number = {breed: index for index, breed in enumerate(vocab)}
    places = {(item.path, item.sha256): place for place, item in enumerate(current.items)}
    known: list[tuple[int, dict[str, Any]]] = []
    table: list[list[float | None]] = []
    try:
        for row in _rows(path):
            before = predicted.items[_position(row["item"])]
            place = places.get((before.path, before.sha256))
            scores = [row["probabilities"][breed] for breed in vocab]
            if place is not None and current.items[place].label in number:
                # Without its scores: they are the table's, and a file has many rows.
                known.append((place, {name: row.get(name) for name in _TOLD}))
                table.append(scores)
        # What is null there is no number.
        scored = np.array(table, dtype=np.float64).reshape(len(table), len(vocab))
        whole = np.flatnonzero(np.isfinite(scored).all(1))
        labels = np.array([number[current.items[known[at][0]].label] for at in whole], dtype=np.int64)
        scored = scored[whole]
        own = scored[np.arange(len(whole)), labels]
        items = [_item(*known[at], current, float(score)) for at, score in zip(whole, own, strict=True)]
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        detail = f"the stored predictions on dataset {current.name!r} cannot be read: {error!r}"
        raise ArtifactMissing(detail, "Interpret the run again.") from error
    return LabelScores(tuple(vocab), items, scored, labels)


_TOLD = ("item", "actual", "loss", "trained_on")


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def _position(sent: object) -> int:
    if not isinstance(sent, int) or sent < 0:
        message = f"{sent!r} is no item"
        raise ValueError(message)
    return sent


def _item(place: int, row: dict[str, Any], current: Manifest, own: float) -> ScoredItem:
    item = current.items[place]
    is_same = row.get("actual") == item.label and row.get("loss") is not None
    loss = float(row["loss"]) if is_same else -math.log(max(own, _LEAST)) if own else math.inf
    return ScoredItem(
        position=place,
        predicted_as=row["item"],
        path=item.path,
        sha256=item.sha256,
        label=item.label,
        loss=loss,
        trained_on=bool(row.get("trained_on")),
    )
