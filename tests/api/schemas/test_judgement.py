"""What a run's record says of trust, in fields and in words."""

import re
from typing import Any

import numpy as np
import pytest

from api.schemas.judgement import JudgementOut
from ml.config import LossName
from ml.judge.fitting import fit_judgement
from ml.judge.shift_weight import Choice, ShiftWeight


def recorded(shift: ShiftWeight | None) -> dict[str, Any]:
    worth = fit_judgement("cross_entropy", np.eye(3, dtype=np.float32)[np.arange(60) % 3], np.arange(60) % 3).worth
    return {**worth.content(), "refused": 0.052, "shift": None if shift is None else shift.content()}


def said(shift: ShiftWeight) -> str:
    found = JudgementOut.of(recorded(shift))
    assert found is not None
    assert found.sentences[1] == "5.2% of the validation photos are taken for unknown, where 5.0% are asked for."
    return found.sentences[2]


@pytest.mark.parametrize(
    ("loss", "words"),
    [("cross_entropy", r"at temperature \d\.\d\d, on"), ("binary_cross_entropy", r"\d and bias [+-]\d\.\d\d, on")],
)
def test_what_was_done_to_the_logits_is_told(loss: LossName, words: str) -> None:
    logits = 3 * np.eye(3, dtype=np.float32)[np.arange(60) % 3]
    worth = fit_judgement(loss, logits, np.where(np.arange(60) % 5, np.arange(60) % 3, 0)).worth
    found = JudgementOut.of(worth.content())
    assert found is not None
    assert (found.bias != 0) == (loss == "binary_cross_entropy")
    assert re.search(words, found.sentences[0])


def test_the_weight_and_what_it_reached_are_told() -> None:
    found = JudgementOut.of(recorded(ShiftWeight(2, "reached", 0.1, 300, 0.087, 0.093)))
    assert found is not None
    assert found.poor is not None
    assert found.poor.model_dump() == {
        "photos": 300,
        "refused_wanted": 0.1,
        "blurred": 0.087,
        "noisy": 0.093,
        "weight": 2,
        "choice": "reached",
    }


REACHED = "8.7% of them are when blurred and 9.3% when noisy, at most 10% are wanted: blur and noise have weight 2."
OUT_OF_REACH = (
    "21.0% of them are when blurred and 9.3% when noisy. "
    "No weight of blur and noise brings both to the 10% that are wanted: 2 is used."
)
TOO_FEW = "Too few validation photos to choose a weight of blur and noise by: the usual one, 2, is used."


@pytest.mark.parametrize(
    ("choice", "shares", "words"),
    [
        ("reached", (0.087, 0.093), REACHED),
        ("out_of_reach", (0.21, 0.093), OUT_OF_REACH),
        ("too_few", (None, None), TOO_FEW),
    ],
)
def test_it_is_said_in_words(choice: Choice, shares: tuple[float | None, float | None], words: str) -> None:
    assert said(ShiftWeight(2, choice, 0.1, 300, *shares)) == words


def test_a_record_of_before_says_nothing_of_it() -> None:
    old = recorded(None)
    del old["shift"]
    found = JudgementOut.of(old)
    assert found is not None
    assert found.poor is None
    assert not any("blur" in sentence for sentence in found.sentences)
