"""Whether a picture shows a breed is said only where enough validation photos are there to say so."""

import numpy as np
import pytest

from ml.serve.judgement import JudgedScores


@pytest.mark.parametrize(
    ("score", "pictures", "share", "known"),
    [
        (0.5, 99, 0.05, True),
        (0.05, 99, 0.05, False),
        (0.01, 99, 0.05, False),
        (1 / 13, 12, 0.05, None),
        (0.9, 12, 0.05, None),
        (1 / 20, 19, 0.05, False),
        (None, 99, 0.05, None),
    ],
)
def test_known_or_not(score: float | None, pictures: int, share: float, *, known: bool | None) -> None:
    scores = np.array([0.4, 0.6])
    judged = JudgedScores(scores, scores, scores, score, 1 / (1 + pictures))
    assert judged.known(share) is known
