"""The methods that ``known_or_not`` compares."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.config import LossName
from ml.judge.calibration import fit_calibration
from ml.judge.calibration_error import calibration_error
from ml.judge.familiarity import SHIFT_WEIGHT, KnownPictures, fit_familiarity, of_length_1
from ml.judge.fitting import REFUSED
from ml.judge.folds import folds
from ml.judge.scores import scores_from, sigmoid
from ml.judge.sets import least_probability
from ml.judge.shift_weight import PoorPictures, fit_weighted

Doubles = NDArray[np.float64]
Floats = NDArray[np.float32]
Targets = NDArray[np.int64]
Measure = Callable[[Floats, Floats], Doubles]
"""From logits and features to how familiar each picture is."""
SPLITS = 50
COVERAGES = (0.9, 0.95, 0.99)


@dataclass(frozen=True)
class Validation:
    """What a run has of its validation side: features, and those of some of its pictures with blur and noise."""

    features: Floats
    poor: PoorPictures


Calibrate = Callable[[Floats, Targets, Floats], Doubles]
"""From logits and class ids to fit on, and other logits, to the scores of these."""

Method = Callable[[KnownPictures, Floats, Validation], Measure]
"""From known pictures, the last layer's weights and the validation side."""


def energy(z: Floats) -> Doubles:
    """Liu et al. 2020."""
    top = z.max(1, keepdims=True).astype(np.float64)
    found: Doubles = top[:, 0] + np.log(np.exp(z - top).sum(1))
    return found


def from_logits(measure: Callable[[Floats], Doubles]) -> Method:
    """A method that fits nothing."""
    return lambda _, __, ___: lambda z, ____: measure(z)


def cosine(known: KnownPictures, weights: Floats, _: Validation) -> Measure:
    """The angle between what the last layer reads and the nearest breed's weights."""
    unit = weights / np.linalg.norm(weights, axis=1, keepdims=True)
    first = known.first

    def measure(__: Floats, features: Floats) -> Doubles:
        read = features[:, first:]
        found: Doubles = (read @ unit.T).max(1) / np.maximum(np.linalg.norm(read, axis=1), 1e-12)
        return found

    return measure


def place(known: KnownPictures, which: str, features: Floats) -> Floats:
    """The features of one place, or of both, each of length 1."""
    x = of_length_1(features, known.first)
    return {"pooled": x[:, : known.first], "read": x[:, known.first :], "both": x}[which]


def neighbours(which: str, k: int) -> Method:
    """The k-th nearest known picture (Sun et al. 2022)."""

    def method(known: KnownPictures, _: Floats, __: Validation) -> Measure:
        bank = place(known, which, known.features)
        return lambda _, f: np.sort(place(known, which, f) @ bank.T, axis=1)[:, -k].astype(np.float64)

    return method


def mahalanobis(which: str, evenness: float, *, length_1: bool = True) -> Method:
    """The nearest breed's mean, the scatter within the breeds drawn towards an even one."""

    def chosen(known: KnownPictures, features: Floats) -> Floats:
        if length_1:
            return place(known, which, features)
        return features[:, : known.first] if which == "pooled" else features[:, known.first :]

    def method(known: KnownPictures, _: Floats, __: Validation) -> Measure:
        x = chosen(known, known.features).astype(np.float64)
        means = np.stack([x[known.targets == one].mean(0) for one in np.unique(known.targets)])
        off = x - means[np.searchsorted(np.unique(known.targets), known.targets)]
        scatter = off.T @ off / len(off)
        even = np.trace(scatter) / len(scatter) * np.eye(len(scatter))
        white = np.linalg.cholesky(np.linalg.inv((1 - evenness) * scatter + evenness * even))
        centres = means @ white

        def measure(_: Floats, features: Floats) -> Doubles:
            a = chosen(known, features) @ white
            found: Doubles = (2 * a @ centres.T - (centres**2).sum(1)).max(1) - (a**2).sum(1)
            return found

        return measure

    return method


def weighted(weight: float) -> Method:
    """With the scatter of blur and noise, of the same weight in every run."""

    def method(known: KnownPictures, _: Floats, __: Validation) -> Measure:
        fitted = fit_familiarity(known, int(known.targets.max()) + 1, weight)
        assert fitted is not None, "no picture has features"  # noqa: S101 - of a real run
        return lambda _, features: fitted.measure(features)

    return method


def chosen(known: KnownPictures, _: Floats, valid: Validation) -> Measure:
    """The one that serves; says what it chose."""
    found = fit_weighted(known, int(known.targets.max()) + 1, valid.features, valid.poor, REFUSED)
    assert found is not None, "no picture has features"  # noqa: S101 - of a real run
    tried, shift = found
    print(f"chosen: {shift}", file=sys.stderr, flush=True)
    return lambda _, features: tried.familiarity.measure(features)


METHODS: dict[str, Method] = {
    "maximum probability": from_logits(lambda z: scores_from("cross_entropy", z).max(1)),
    "maximum logit": from_logits(lambda z: z.max(1).astype(np.float64)),
    "energy": from_logits(energy),
    "cosine to the last layer's weights": cosine,
    "5th neighbour, read": neighbours("read", 5),
    "5th neighbour, pooled": neighbours("pooled", 5),
    "Mahalanobis, read": mahalanobis("read", 0.1, length_1=False),
    "Mahalanobis++, read": mahalanobis("read", 0.1),
    "Mahalanobis++, pooled": mahalanobis("pooled", 0.1),
    "Mahalanobis++, both, more even": mahalanobis("both", 0.6),
    "… and with the scatter of blur and noise × 1 (usual)": weighted(SHIFT_WEIGHT),
    "… × what the run chooses (serves)": chosen,
}


def calibrations(loss: LossName, logits: Floats, targets: Targets) -> Iterator[str]:
    """ECE and negative log-likelihood of each way to calibrate, on folds that it was not fitted on."""
    yield "\n| calibration | ECE of the first guess (95 %) | by chance up to | ECE of all scores | NLL |"
    yield "|---|---|--:|--:|--:|"
    ways: dict[str, Calibrate] = {
        "none": lambda _, __, z: scores_from(loss, z),
        "what serves": lambda z, y, new: fit_calibration(loss, z, y).apply(loss, new),
    }
    if loss == "cross_entropy":
        ways |= {"vector": vector_scaled, "temperature, then isotonic": isotonic}
    else:
        ways |= {f"all breeds' scores, {what}": all_sigmoids(what) for what in ("temperature", "bias", "breeds apart")}
    rows = np.arange(len(targets))
    for name, way in ways.items():
        scores = np.empty(logits.shape)
        for others, own in folds(len(targets)):
            scores[own] = way(logits[others], targets[others], logits[own])
        error = calibration_error(scores.max(1).clip(0, 1), scores.argmax(1) == targets)
        assert error is not None, "there are no validation photos"  # noqa: S101 - of a real run
        wanted = np.eye(logits.shape[1])[targets]
        of_all = calibration_error(scores.ravel().clip(0, 1), wanted.ravel() == 1)
        assert of_all is not None, "there are no validation photos"  # noqa: S101 - of a real run
        nll = -np.log(scores[rows, targets].clip(1e-12)).mean()
        if loss != "cross_entropy":
            sure = scores.clip(1e-9, 1 - 1e-9)
            nll = -(wanted * np.log(sure) + (1 - wanted) * np.log(1 - sure)).sum(1).mean()
        told = f"{error.ece:.4f} ({error.low:.4f} to {error.high:.4f}) | {error.by_chance:.4f} | {of_all.ece:.4f}"
        yield f"| {name} | {told} | {nll:.4f} |"


def all_sigmoids(what: str) -> Calibrate:
    """By which the scores of all breeds are likeliest: a temperature, with a bias too, or both of the breeds apart."""

    def way(z: Floats, targets: Targets, new: Floats) -> Doubles:
        wanted = np.eye(z.shape[1])[targets]
        if what == "breeds apart":
            fits = [logistic(z[:, one], wanted[:, one]) for one in range(z.shape[1])]
            scales, biases = (np.array(one) for one in zip(*fits, strict=True))
            return sigmoid(new.astype(np.float64) * scales + biases)
        scale, bias = logistic(z.ravel(), wanted.ravel(), with_bias=what != "temperature")
        return sigmoid(new.astype(np.float64) * scale + bias)

    return way


def logistic(z: Floats, wanted: Doubles, *, with_bias: bool = True) -> tuple[float, float]:
    """Scale and bias of the logistic regression on [n] logits, by Newton's method, drawn to 1 and 0 as by a picture."""
    start = np.array([1.0, 0.0])[: 1 + with_bias]
    terms, found = np.stack([z.astype(np.float64), np.ones(len(z))], 1)[:, : len(start)], start
    for _ in range(50):
        share = sigmoid(terms @ found)
        bend = (terms.T * (share * (1 - share))) @ terms + np.eye(len(start))
        found = found - np.linalg.solve(bend, terms.T @ (share - wanted) + found - start)
    return float(found[0]), float(found[1]) if with_bias else 0.0


def vector_scaled(z: Floats, targets: Targets, new: Floats) -> Doubles:
    """A scale and a shift for each breed (Guo et al. 2017), by gradient descent."""
    scale, shift = np.ones(z.shape[1]), np.zeros(z.shape[1])
    wanted = np.eye(z.shape[1])[targets]
    for _ in range(500):
        off = (scores_from("cross_entropy", z * scale + shift) - wanted) / len(z)
        scale, shift = scale - 0.5 * (off * z).sum(0), shift - 0.5 * off.sum(0)
    return scores_from("cross_entropy", new * scale + shift)


def isotonic(z: Floats, targets: Targets, new: Floats) -> Doubles:
    """The first guess's confidence by pool-adjacent-violators, the other breeds in proportion."""
    fitted = fit_calibration("cross_entropy", z, targets)
    mine, scores = fitted.apply("cross_entropy", z), fitted.apply("cross_entropy", new)
    order = np.argsort(mine.max(1))
    blocks: list[list[float]] = []
    for hit in (mine.argmax(1) == targets)[order]:
        blocks.append([float(hit), 1])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            (low, n), (high, m) = blocks[-2:]
            blocks[-2:] = [[(low * n + high * m) / (n + m), n + m]]
    levels = np.repeat([level for level, _ in blocks], [int(n) for _, n in blocks])
    first = np.interp(scores.max(1), mine.max(1)[order], levels)
    others = np.where(np.arange(scores.shape[1]) == scores.argmax(1)[:, None], 0, scores)
    found: Doubles = others * ((1 - first) / np.maximum(others.sum(1), 1e-12))[:, None]
    found[np.arange(len(found)), scores.argmax(1)] = first
    return found


def coverages(loss: LossName, logits: Floats, targets: Targets) -> Iterator[str]:
    """Coverage and mean size of sets over repeated splits in halves: LAC, APS (without chance) and RAPS."""
    yield "\n| sets | asked | coverage | mean size | empty |\n|---|--:|--:|--:|--:|"
    p = fit_calibration(loss, logits, targets).apply(loss, logits)
    costs = {"LAC (serves)": 1 - p, "APS": adaptive(p, 0), "RAPS": adaptive(p, 0.05)}
    chance = np.random.default_rng(0)
    halves = [np.array_split(chance.permutation(len(targets)), 2) for _ in range(SPLITS)]
    for name, cost in costs.items():
        for asked in COVERAGES:
            found = np.array([_half(cost, targets, fit, held, asked) for fit, held in halves]).mean(0)
            yield f"| {name} | {asked:.0%} | {found[0]:.2%} | {found[1]:.2f} | {found[2]:.1%} |"


def adaptive(p: Doubles, penalty: float) -> Doubles:
    """What is likelier than a breed, and itself (Romano et al. 2020); a penalty for each after the fifth (RAPS)."""
    order = np.argsort(-p, axis=1)
    ranks = np.argsort(order, axis=1)
    together = np.take_along_axis(np.take_along_axis(p, order, 1).cumsum(1), ranks, 1)
    return together + penalty * np.maximum(0, ranks - 4)


def _half(cost: Doubles, targets: Targets, fit: Targets, held: Targets, asked: float) -> tuple[float, float, float]:
    least = least_probability(np.sort(-cost[fit, targets[fit]]), asked)
    sets = -cost[held] >= least
    size = sets.sum(1)
    return float(sets[np.arange(len(held)), targets[held]].mean()), float(size.mean()), float((size == 0).mean())
