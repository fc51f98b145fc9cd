"""What is told of breeds that were added."""

import json
from dataclasses import asdict

import numpy as np
import pytest

from ml.reading.added import AnsweredPhotos, read_added

VALID = AnsweredPhotos(np.array([0, 0]), np.array([0, 0]))


@pytest.mark.parametrize(
    ("shots", "wrong", "low", "high"), [(40, 0, 0.0, 0.088), (4, 0, 0.0, 0.602), (4, 10, 0.006, 0.806)]
)
def test_copies_of_a_photo_are_one_photo_in_the_interval(shots: int, wrong: int, low: float, high: float) -> None:
    guesses = np.array([0] * wrong + [1] * (40 - wrong))
    found = read_added(["known", "new"], [1], AnsweredPhotos(np.ones(40, int), guesses), shots, 2, VALID, VALID, None)
    assert (found.photos, found.wrong, found.error_rate) == (40, wrong, wrong / 40)
    assert found.low == pytest.approx(low, abs=1e-3)
    assert found.high == pytest.approx(high, abs=1e-3)


def test_all_that_was_read_is_in_the_record() -> None:
    found = read_added(
        ["known", "new"], [1], AnsweredPhotos(np.ones(4, int), np.array([0, 1, 1, 1])), 4, 2, VALID, VALID, 0.1
    )
    content = json.loads(json.dumps(found.content()))
    assert content == {**asdict(found), "confidence": 0.95, "sentence": found.sentence()}
