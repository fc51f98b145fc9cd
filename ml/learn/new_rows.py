"""Rows of the last layer for breeds that are new to a model; the rows that were trained stay as they are.

A row begins as the mean of the trained ones, and lies about as far from it as they do: a normal prior, of which the
photos make the most probable value. Some photos of the trained breeds say what the new ones are not. All breeds weigh
alike, however many photos they have.

How strongly the rows speak depends on how few photos they are fitted on, and is not left to the fit. They are made as
strong as they can be while nearly all known photos that were right stay so.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from ml.config import LossName
from ml.learn.losses import item_losses

PHOTOS_OF_A_BREED = 5.0
"""What all photos of a breed weigh together, in photos."""
PRIOR = 0.005
"""How strongly a row is held to where the trained ones lie, in parts of the prior: measured in docs/experiments.md."""
MOST_MOVED = 0.0075
"""Of photos of the trained breeds, the share that may become wrong by being taken for a new breed."""
_MOST_SCALE = 10.0
_BEFORE = 0.999
"""Just below where a photo is overtaken."""
_ROUNDS, _LEAST_CHANGE = 200, 1e-7


@dataclass(frozen=True)
class TrainedRows:
    """``rows`` float64 [trained, read] of the classes ``places``; ``new`` are the other classes, [new]."""

    rows: Tensor
    places: Tensor
    new: Tensor

    def layer(self, rows: Tensor) -> Tensor:
        """The whole last layer, float64 [classes, read], with the new breeds' rows [new, read]."""
        whole = torch.empty(len(self.places) + len(self.new), self.rows.shape[1], dtype=torch.float64)
        return whole.index_copy(0, self.places, self.rows).index_copy(0, self.new, rows)


@dataclass(frozen=True)
class Examples:
    """What is learned from: what the last layer reads, float64 [n, read], and class ids [n]."""

    read: Tensor
    targets: Tensor


def fit_layer(loss: LossName, trained: TrainedRows, examples: Examples) -> Tensor:
    """The last layer with new rows, float64 [classes, read]; the same each time."""
    mean = trained.rows.mean(0)
    spread = (trained.rows - mean).square().mean()
    weights = _weights(examples.targets)
    rows = mean.repeat(len(trained.new), 1).requires_grad_()
    optimizer = torch.optim.LBFGS(
        [rows], max_iter=_ROUNDS, tolerance_change=_LEAST_CHANGE, line_search_fn="strong_wolfe"
    )

    def look() -> Tensor:
        optimizer.zero_grad()
        logits = examples.read @ trained.layer(rows).T
        losses = item_losses(loss, logits, examples.targets)
        if loss == "binary_cross_entropy":
            losses = losses * logits.shape[1]  # as a sum over the classes it weighs as the other loss does
        value = weights @ losses + PRIOR / 2 * (rows - mean).square().sum() / spread
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimizer.step(look)  # type: ignore[no-untyped-call]
    return trained.layer(rows.detach())


def held_apart(layer: Tensor, trained: TrainedRows, known: Examples) -> Tensor:
    """The layer with the new rows' distance from the trained rows' mean scaled, by one factor for all.

    It is the largest, up to 10, by which no more than ``MOST_MOVED`` of the known photos, which are of trained breeds,
    go from right to wrong.

    Args:
        layer: float64 [classes, read].
        trained: the rows that stay.
        known: photos that nothing was fitted on.
    """
    mean = trained.rows.mean(0)
    away = layer[trained.new] - mean
    logits = known.read @ trained.rows.T
    right = trained.places[logits.argmax(1)] == known.targets
    lead = logits.max(1).values - known.read @ mean
    along = known.read @ away.T
    # Where a photo is overtaken by a new breed: the lead of its first breed over the mean, in parts of the new row's.
    overtaken = torch.where(along > 0, lead[:, None] / along, torch.inf).amin(1)[right].sort().values
    free = int(MOST_MOVED * len(known.targets))
    scale = min(_MOST_SCALE, float(overtaken[free]) * _BEFORE) if free < len(overtaken) else _MOST_SCALE
    return trained.layer(mean + scale * away)


def _weights(targets: Tensor) -> Tensor:
    counts = torch.bincount(targets).clamp_min(1)
    return (PHOTOS_OF_A_BREED / counts.double())[targets]
