"""What is to be told of breeds that were added to a model from a few photos.

The new breeds' error is of photos that the measured rows have not seen, among all breeds that the model knows: each
photo is answered by rows that were fitted without it. The known breeds' error is of the same validation photos before
and after. Imports no torch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.reading.chance import CONFIDENCE, exact_interval

LEAST_PHOTOS, MOST_PHOTOS = 2, 2000
"""Of each new breed, as what is told of it comes from photos that are left out; and of all, a training being better."""

Ids = NDArray[np.int64]


@dataclass(frozen=True)
class BreedCount:
    """Of a new breed's photos, how many were taken for another."""

    breed: str
    photos: int
    wrong: int


@dataclass(frozen=True, kw_only=True)
class AddedReading:
    """``low`` and ``high`` are the interval of the new breeds' error rate.

    Attributes:
        breeds: each new breed.
        shots: how many of these photos are no near-duplicates of another; the interval counts only so many.
        folds: into how many parts their photos were cut.
        taken_for_known: of the wrong ones, how many were taken for a breed that was known before.
        refused: share of these photos that is taken for unknown; None where that is not said.
        known_photos: validation photos of the breeds that were known before.
        known_error_before: the share of them that was wrong before.
        known_error_after: and with the new breeds beside.
        taken_for_new: of them, how many are taken for a new breed.
    """

    breeds: list[BreedCount]
    photos: int
    wrong: int
    error_rate: float
    low: float
    high: float
    folds: int
    taken_for_known: int
    refused: float | None
    known_photos: int
    known_error_before: float
    known_error_after: float
    taken_for_new: int

    def content(self) -> dict[str, Any]:
        """As JSON, for the record: its names are those of rows that are stored, so each is written out."""
        return {
            "breeds": [{"breed": one.breed, "photos": one.photos, "wrong": one.wrong} for one in self.breeds],
            "photos": self.photos,
            "wrong": self.wrong,
            "error_rate": self.error_rate,
            "low": self.low,
            "high": self.high,
            "confidence": CONFIDENCE,
            "folds": self.folds,
            "taken_for_known": self.taken_for_known,
            "refused": self.refused,
            "known_photos": self.known_photos,
            "known_error_before": self.known_error_before,
            "known_error_after": self.known_error_after,
            "taken_for_new": self.taken_for_new,
            "sentence": self.sentence(),
        }

    def sentence(self) -> str:
        """What to know first."""
        kept = f"of {self.known_photos} validation photos of the breeds before, {self.known_error_after:.1%} are wrong"
        return (
            f"{self.wrong} of {self.photos} photos of the new breeds were taken for another breed when they were left "
            f"out: an error of {self.error_rate:.1%} ({self.low:.1%} to {self.high:.1%}); {kept}, "
            f"{self.known_error_before:.1%} were before"
        )


@dataclass(frozen=True)
class AnsweredPhotos:
    """Class ids [n]: what pictures show, and what they were taken for."""

    targets: Ids
    guesses: Ids

    @property
    def wrong(self) -> NDArray[np.bool_]:
        """Which were taken for another breed."""
        wrong: NDArray[np.bool_] = self.targets != self.guesses
        return wrong


def read_added(
    vocab: Sequence[str],
    new: Sequence[int],
    left_out: AnsweredPhotos,
    shots: int,
    folds: int,
    before: AnsweredPhotos,
    after: AnsweredPhotos,
    refused: float | None,
) -> AddedReading:
    """Read the answers.

    Args:
        vocab: the breeds now.
        new: which of them are new.
        left_out: of the new breeds' photos, each by rows that were fitted without it.
        shots: how many of these photos are no near-duplicates of another; the interval counts only so many.
        folds: into how many parts these were cut.
        before: of the validation side; its ids are the vocabulary's of before.
        after: of the same, with the new breeds.
        refused: share of the new photos that is taken for unknown.
    """
    wrong, photos = left_out.wrong, len(left_out.targets)
    rate = float(wrong.mean())
    low, high = exact_interval(round(rate * shots), shots)
    counts = [
        BreedCount(vocab[one], int((left_out.targets == one).sum()), int(wrong[left_out.targets == one].sum()))
        for one in new
    ]
    return AddedReading(
        breeds=counts,
        photos=photos,
        wrong=int(wrong.sum()),
        error_rate=rate,
        low=min(low, rate),
        high=max(high, rate),
        folds=folds,
        taken_for_known=int((~np.isin(left_out.guesses, new)).sum()),
        refused=refused,
        known_photos=len(before.targets),
        known_error_before=float(before.wrong.mean()),
        known_error_after=float(after.wrong.mean()),
        taken_for_new=int(np.isin(after.guesses, new).sum()),
    )
