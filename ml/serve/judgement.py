"""What is thought of one picture: raw and calibrated scores, and whether it looks like anything known. numpy only."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from ml.config import LossName
from ml.judge.judgement import Judgement
from ml.judge.scores import Doubles, scores_from
from ml.judge.stored import fit_on_predictions
from ml.run_files import JUDGEMENT, PREDICTIONS
from ml.serve.outputs import Output

SURE_FROM: Final = 0.5
"""The calibrated probability from which on an answer is sure."""
PLAIN = 0.25
"""The plain picture's share of an average over copies."""


@dataclass(frozen=True)
class JudgedScores:
    """Of one picture.

    ``raw`` are the model's own scores, ``probabilities`` the calibrated ones, both float64 [classes]; they are the
    same where the model left nothing to calibrate with. ``known_score`` is the share of the run's validation photos
    that are no more familiar than this one, None where the run did not leave that. ``plain`` has the calibrated scores
    of the picture itself: equal to ``probabilities`` but where these are an average over copies.
    """

    raw: Doubles
    probabilities: Doubles
    plain: Doubles
    known_score: float | None
    least_known_score: float = 0.0
    """The least that the score can be, with so many validation photos; a share below it refuses nothing."""

    @property
    def order(self) -> list[int]:
        """The classes from the likeliest to the least; ties go to the first breed as they do in the validation."""
        found: list[int] = (-self.raw).argsort(kind="stable").tolist()
        return found

    def known(self, refused_share: float) -> bool | None:
        """Whether it shows a breed of the model, where such a share of known pictures may be taken for unknown.

        None where too few validation photos are there to say so.
        """
        if self.known_score is None or self.least_known_score > refused_share:
            return None
        return self.known_score > refused_share

    def sure(self, refused_share: float) -> bool:
        """Whether its first breed is to be believed."""
        return bool(self.probabilities[self.order[0]] >= SURE_FROM) and self.known(refused_share) is not False


def read_judgement(folder: Path, loss: LossName, vocab: Sequence[str]) -> Judgement | None:
    """What lies beside the model; else fitted on its stored predictions; else None.

    Raises:
        CheckpointInvalid: the file is broken.
    """
    if (folder / JUDGEMENT).exists():
        return Judgement.read(folder / JUDGEMENT)
    if (folder / PREDICTIONS).exists():
        return fit_on_predictions(folder / PREDICTIONS, loss, vocab)
    return None


def judge(judgement: Judgement | None, loss: LossName, outputs: Sequence[Output]) -> JudgedScores:
    """Judge a picture by what the model put out for it, or for it and then its copies.

    Scores are averaged over the copies. Whether it is known, only the picture itself says.
    """
    logits = np.stack([one.logits for one in outputs])
    raw = scores_from(loss, logits)
    if judgement is None:
        return JudgedScores(_averaged(raw), _averaged(raw), raw[0], None)
    calibrated = judgement.probabilities(logits)
    known = judgement.known_scores(outputs[0].features[None])
    score = None if known is None else float(known[0])
    return JudgedScores(_averaged(raw), _averaged(calibrated), calibrated[0], score, 1 / (1 + len(judgement.familiar)))


def _averaged(rows: Doubles) -> Doubles:
    """As ``ml.learn.tta.combine``."""
    if len(rows) == 1:
        alone: Doubles = rows[0]
        return alone
    found: Doubles = PLAIN * rows[0] + (1 - PLAIN) * rows[1:].mean(0)
    return found
