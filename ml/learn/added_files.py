"""What an addition of breeds leaves: the model with its new last layer, its judgement, and what both are worth."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ml.judge.familiarity import Familiarity
from ml.judge.fitting import NOTHING_MEASURED, REFUSED, FittedFamiliarity, FittedJudgement, fit_judgement
from ml.judge.judgement import Judgement
from ml.learn.model import BreedNet
from ml.learn.new_breeds import Addition
from ml.learn.predictions import LearnedPictures, read_logits
from ml.learn.read_before import ReadBefore
from ml.learn.training import FitResult, save_model
from ml.reading.added import AddedReading, AnsweredPhotos, read_added
from ml.reading.metrics import Reading
from ml.run_files import FEATURES, JUDGEMENT, PREDICTIONS


@dataclass(frozen=True)
class Answers:
    """To the validation side and to the new photos.

    Attributes:
        before: what the last layer reads.
        parents: the parent's logits of the validation side, float32 [n, classes before].
        valid: those of the new last layer, [n, classes].
        features: what the network makes of the new photos, float32 [m, features].
        left_out: their logits, float32 [m, classes], each from a layer that was fitted without it.
    """

    before: ReadBefore
    parents: Tensor
    valid: Tensor
    features: Tensor
    left_out: Tensor


@dataclass(frozen=True)
class AddResult:
    """``fit`` is as a training leaves it, of the validation side.

    ``left_out`` are the readings of each dataset of new photos, in the config's order, with the file of its lines.
    """

    fit: FitResult
    added: AddedReading
    left_out: list[tuple[Reading, Path]]


def leave_files(
    addition: Addition,
    network: BreedNet,
    layer: Tensor,
    answers: Answers,
    judgement: Judgement | None,
    precision: str,
    work: Path,
    earlier: frozenset[str],
) -> AddResult:
    """Write the files into ``work``.

    Args:
        addition: what was added to what.
        network: the parent's, on the CPU; it gets the last layer.
        layer: float64 [classes, read].
        answers: to all photos.
        judgement: the parent's.
        precision: in which the network was run.
        work: a folder.
        earlier: sha256 (hex) of the pictures that the runs before this one were trained on.
    """
    config, manifest, items = addition.config, addition.manifest, addition.split.valid
    pictures = earlier | {manifest.items[item].sha256 for item in addition.split.train}
    learned = LearnedPictures(addition.vocab, pictures)
    fitted = _judgement(addition, answers, judgement, pictures)
    calibrated = iter(fitted.calibrated)
    reading = read_logits(config.loss, answers.valid, manifest, items, work, learned, _next(calibrated, len(items)))
    left_out = list(_left_out(addition, answers, calibrated, work))
    network.head[-1] = nn.Linear(layer.shape[1], layer.shape[0], bias=False)
    network.head[-1].load_state_dict({"weight": layer.float()})
    saved = save_model(network, config, precision, manifest, reading, 0, work)
    fitted.judgement.write(work / JUDGEMENT)
    answers.before.write(work / FEATURES)
    files = {**saved, **{name: work / name for name in (PREDICTIONS, JUDGEMENT, FEATURES)}}
    refused = _refused(addition, answers.features.numpy(), judgement)
    return AddResult(FitResult(files, reading, fitted.worth), _added(addition, answers, refused), left_out)


def _judgement(
    addition: Addition, answers: Answers, parents: Judgement | None, learned: frozenset[str]
) -> FittedJudgement:
    """Of the validation side and the photos that were left out.

    How familiar the validation side is, the parent measured: beside more breeds its photos can only be more so. The
    same holds for the blurred and noisy ones, whose share it measured.
    """
    items = addition.manifest.items
    usable = [items[item].sha256 not in learned for item in addition.split.valid]
    measured = NOTHING_MEASURED
    if parents is not None:
        grown = _grown(addition, parents.familiarity, answers.features.numpy())
        measured = FittedFamiliarity(grown, parents.familiar, parents.shift)
    return fit_judgement(
        addition.config.loss,
        torch.cat([answers.valid, answers.left_out]).numpy(),
        torch.cat([addition.valid_targets, addition.new_targets]).numpy(),
        np.array(usable + [True] * len(answers.left_out)),
        measured=measured,
    )


def _grown(
    addition: Addition,
    familiarity: Familiarity | None,
    features: NDArray[np.float32],
    chosen: NDArray[np.bool_] | slice = slice(None),
) -> Familiarity | None:
    """With the new breeds, as the chosen ones of their photos show them."""
    if familiarity is None:
        return None
    kept = zip(addition.manifest.vocab, addition.places_of(addition.manifest.vocab), strict=True)
    at = {addition.vocab_before.index(breed): place for breed, place in kept}
    targets = addition.new_targets.numpy()
    return familiarity.with_breeds(at, features[chosen], targets[chosen], len(addition.vocab))


def _refused(addition: Addition, features: NDArray[np.float32], parents: Judgement | None) -> float | None:
    """The share of the new photos that is taken for unknown where the others alone show their breeds."""
    folds = addition.folds
    refused = np.empty(len(folds), dtype=np.bool_)
    for fold in np.unique(folds):
        own = folds == fold
        if parents is None:
            return None
        without = replace(parents, familiarity=_grown(addition, parents.familiarity, features, ~own))
        scores = without.known_scores(features[own])
        if scores is None:
            return None
        refused[own] = scores <= REFUSED
    return float(refused.mean())


def _left_out(
    addition: Addition, answers: Answers, calibrated: Iterator[NDArray[np.float64]], work: Path
) -> Iterator[tuple[Reading, Path]]:
    """Nothing that answered a photo had learned from it, so that none is said to have been learned."""
    first = 0
    for number, one in enumerate(addition.fresh):
        count, folder = len(one.items), work / f"added-{number}"
        logits = answers.left_out[first : first + count]
        learned = LearnedPictures(addition.vocab, frozenset())
        some = _next(calibrated, count)
        yield (
            read_logits(addition.config.loss, logits, one.manifest, one.items, folder, learned, some),
            folder / PREDICTIONS,
        )
        first += count


def _added(addition: Addition, answers: Answers, refused: float | None) -> AddedReading:
    targets, before = addition.valid_targets.numpy(), answers.parents.argmax(1).tolist()
    places = addition.places_of(addition.vocab_before)
    return read_added(
        addition.vocab,
        addition.new,
        AnsweredPhotos(addition.new_targets.numpy(), answers.left_out.argmax(1).numpy()),
        len(set(addition.shots)),
        int(addition.folds.max()) + 1,
        AnsweredPhotos(targets, np.array([places[one] for one in before])),
        AnsweredPhotos(targets, answers.valid.argmax(1).numpy()),
        refused,
    )


def _next(rows: Iterator[NDArray[np.float64]], count: int) -> NDArray[np.float64]:
    return np.array(list(islice(rows, count)))
