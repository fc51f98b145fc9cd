"""Fit a judgement on a validation side, and measure on the same side, by cross-fitting, what it is worth."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.config import LossName
from ml.judge.calibration import fit_calibration
from ml.judge.calibration_error import CalibrationError, calibration_error
from ml.judge.familiarity import Familiarity, KnownPictures
from ml.judge.folds import Rows, folds
from ml.judge.judgement import Judgement
from ml.judge.scores import Doubles, scores_from
from ml.judge.sets import Coverage, least_probability
from ml.judge.shift_weight import PoorPictures, ShiftWeight, fit_weighted

COVERAGES = (0.9, 0.95, 0.99)
REFUSED = 0.05
"""The share of known pictures that may be refused by mistake, where nobody asks for another."""
MOST_LOGITS = 2_000_000
"""What is fitted on, in pictures times classes: enough, and done in seconds."""
_MOST_LOGIT = 1e6

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Worth:
    """What a judgement is worth, measured on pictures that the measured part was not fitted on.

    ``refused`` is the share of the validation side that is taken for unknown where ``REFUSED`` is asked for; ``shift``
    says the same of blurred and noisy pictures, and how much the familiarity eases them.
    """

    pictures: int
    temperature: float
    bias: float
    raw: CalibrationError | None
    calibrated: CalibrationError | None
    refused: float | None
    shift: ShiftWeight | None
    coverages: list[Coverage]

    def content(self) -> dict[str, Any]:
        """As JSON, for the record: its names are those of rows that are stored, so each is written out."""
        return {
            "pictures": self.pictures,
            "temperature": self.temperature,
            "bias": self.bias,
            "raw": None if self.raw is None else self.raw.content(),
            "calibrated": None if self.calibrated is None else self.calibrated.content(),
            "refused": self.refused,
            "refused_asked": REFUSED,
            "shift": None if self.shift is None else self.shift.content(),
            "coverages": [one.content() for one in self.coverages],
        }


@dataclass(frozen=True)
class FittedFamiliarity:
    """How familiarity is measured, what that gave of known pictures, and the weight in it, where it is told."""

    familiarity: Familiarity | None
    familiar: Doubles
    shift: ShiftWeight | None


NOTHING_MEASURED = FittedFamiliarity(None, np.empty(0), None)


@dataclass(frozen=True)
class FittedJudgement:
    """A judgement, its worth, and the cross-fitted calibrated scores [n, classes] of all pictures."""

    judgement: Judgement
    worth: Worth
    calibrated: Doubles


def fit_judgement(
    loss: LossName,
    logits: Floats,
    targets: NDArray[np.int64],
    usable: NDArray[np.bool_] | None = None,
    features: Floats | None = None,
    known: KnownPictures | None = None,
    poor: PoorPictures | None = None,
    measured: FittedFamiliarity | None = None,
) -> FittedJudgement:
    """Fit on a validation side.

    Without features or known pictures nothing is said of whether a picture is known.

    Args:
        loss: what the model was trained with.
        logits: of the pictures, [n, classes].
        targets: class ids, [n].
        usable: which pictures the model has never learned from; None: all.
        features: what the network makes of the first pictures, [≤ n, features].
        known: pictures that it did learn from.
        poor: pictures of the validation side with blur and with noise.
        measured: in place of these three, what is known of familiarity.
    """
    rows = _chosen(logits, usable)
    z, truth = logits[rows], targets[rows]
    calibration = fit_calibration(loss, z, truth)
    calibrated = calibration.apply(loss, logits)
    first = rows[rows < len(features)] if features is not None else rows
    if measured is None:
        measured = _measured(known, features, first, poor, logits.shape[1])
    for others, own in folds(len(rows)):
        calibrated[rows[own]] = fit_calibration(loss, z[others], truth[others]).apply(loss, z[own])
    # The sigmoids' map is one for all scores and keeps their order: fitted by folds it would only make sets noisy.
    held = calibrated[rows] if loss == "cross_entropy" else calibration.apply(loss, z)
    of_truth = held[np.arange(len(rows)), truth]
    familiar = np.sort(measured.familiar)
    judgement = Judgement(loss, calibration, np.sort(of_truth), measured.familiarity, familiar, measured.shift)
    worth = Worth(
        pictures=len(rows),
        temperature=calibration.temperature,
        bias=calibration.bias,
        raw=_error(scores_from(loss, z), truth),
        calibrated=_error(calibrated[rows], truth),
        refused=_refused(measured.familiar),
        shift=measured.shift,
        coverages=[_coverage(held, truth, asked) for asked in COVERAGES] if len(rows) else [],
    )
    return FittedJudgement(judgement, worth, calibrated)


def _chosen(logits: Floats, usable: NDArray[np.bool_] | None) -> Rows:
    """The rows to fit on: usable, numbers, and no more than are needed, drawn in an order that is always the same."""
    fit = np.abs(logits).max(1) < _MOST_LOGIT  # false for NaN too
    rows = np.flatnonzero(fit if usable is None else fit & usable)
    wanted = max(1000, MOST_LOGITS // logits.shape[1])
    return np.sort(np.random.default_rng(0).permutation(rows)[:wanted])


def _measured(
    known: KnownPictures | None, features: Floats | None, rows: Rows, poor: PoorPictures | None, breeds: int
) -> FittedFamiliarity:
    """How familiarity is measured, and what it measures of the given rows of the validation side."""
    if known is None or features is None:
        return NOTHING_MEASURED
    found = fit_weighted(known, breeds, features[rows], None if poor is None else poor.among(rows), REFUSED)
    if found is None:
        return NOTHING_MEASURED
    tried, shift = found
    return FittedFamiliarity(tried.familiarity, tried.valid[np.isfinite(tried.valid)], shift)


def _error(scores: Doubles, truth: NDArray[np.int64]) -> CalibrationError | None:
    return calibration_error(scores.max(1, initial=0), scores.argmax(1) == truth) if len(scores) else None


def _refused(familiar: Doubles) -> float | None:
    """The share of each fold that the others' quantile refuses."""
    refused = [familiar[own] < _threshold(familiar[others]) for others, own in folds(len(familiar))]
    return float(np.concatenate(refused).mean()) if refused else None


def _threshold(familiar: Doubles) -> float:
    return least_probability(np.sort(familiar), 1 - REFUSED)


def _coverage(probabilities: Doubles, truth: NDArray[np.int64], asked: float) -> Coverage:
    of_truth = probabilities[np.arange(len(truth)), truth]
    held, sizes = np.empty(len(truth)), np.empty(len(truth))
    for others, own in folds(len(truth)):
        least = least_probability(np.sort(of_truth[others]), asked)
        held[own] = of_truth[own] >= least
        sizes[own] = (probabilities[own] >= least).sum(1)
    return Coverage(asked, float(held.mean()), float(sizes.mean()))
