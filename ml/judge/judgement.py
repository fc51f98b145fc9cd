"""What a run leaves for judging answers, in a file of its own beside the model."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, get_args

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from ml.config import LossName
from ml.errors import CheckpointInvalid
from ml.judge.calibration import Calibration
from ml.judge.familiarity import Familiarity
from ml.judge.scores import Doubles
from ml.judge.sets import least_probability
from ml.judge.shift_weight import ShiftWeight

FORMAT_VERSION, WITH_BIAS = 1, 2
"""A program that knows no bias must not serve what was calibrated with one."""

Tensors = dict[str, NDArray[np.generic]]


@dataclass(frozen=True)
class Judgement:
    """Fitted on a run's validation side.

    ``of_truth`` has the calibrated probability of the true breed in each picture, cross-fitted but for sigmoids, whose
    order no fit changes; ``familiar`` has what ``familiarity``, which is fitted on other pictures, measured of each;
    both are sorted from the least. Without a familiarity nothing is said of whether a picture shows a known breed.
    ``shift`` says how much it eases blur and noise; None where that was the same for all runs.
    """

    loss: LossName
    calibration: Calibration
    of_truth: Doubles
    familiarity: Familiarity | None
    familiar: Doubles
    shift: ShiftWeight | None = None

    @property
    def pictures(self) -> int:
        """How many it was fitted on."""
        return len(self.of_truth)

    def probabilities(self, logits: NDArray[np.floating]) -> Doubles:
        """Calibrated probabilities, float64 [n, classes], of logits [n, classes]."""
        return self.calibration.apply(self.loss, logits)

    def known_scores(self, features: NDArray[np.floating]) -> Doubles | None:
        """How familiar each picture is, float64 [n] in (0, 1]: of the validation side, so many are no more familiar.

        What is below a share is refused; of pictures like those of the validation side, that is that share. It is the
        conformal p-value of Bates et al. 2023, "Testing for outliers with conformal p-values".

        Args:
            features: what the network makes of the pictures, float [n, features].
        """
        if self.familiarity is None or not len(self.familiar):
            return None
        measured = self.familiarity.measure(features)
        ranks = np.searchsorted(self.familiar, measured, side="right")
        # What is no number would sort behind all others.
        ranks = np.where(np.isfinite(measured), ranks, 0)
        found: Doubles = (1.0 + ranks) / (1 + len(self.familiar))
        return found

    def least_probability(self, coverage: float) -> float:
        """The calibrated probability from which on a breed is in the set that holds the true one so often."""
        return least_probability(self.of_truth, coverage)

    def write(self, path: Path) -> None:
        tensors: Tensors = {"of_truth": self.of_truth, "familiar": self.familiar}
        if self.familiarity is not None:
            tensors |= {f"familiarity.{name}": tensor for name, tensor in self.familiarity.tensors().items()}
        about = {"format_version": WITH_BIAS if self.calibration.bias else FORMAT_VERSION, "loss": self.loss}
        shift = {} if self.shift is None else {"shift": self.shift.content()}
        scale = {"scale": self.calibration.scale, "bias": self.calibration.bias}
        save_file(tensors, path, {"about": json.dumps({**about, **scale, **shift})})

    @classmethod
    def read(cls, path: Path) -> Self:
        """From a file.

        Raises:
            CheckpointInvalid: it is broken or of another format version.
        """
        try:
            with safe_open(path, "numpy") as file:
                about = json.loads((file.metadata() or {}).get("about", "{}"))
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no dictionary
        except (SafetensorError, OSError, ValueError) as error:
            raise CheckpointInvalid(f"what the run left for judging answers cannot be read: {error}") from error
        is_known = about.get("format_version") in (FORMAT_VERSION, WITH_BIAS)
        if not is_known or about.get("loss") not in get_args(LossName):
            detail = f"what the run left for judging answers is not of format version {FORMAT_VERSION} or {WITH_BIAS}"
            raise CheckpointInvalid(detail, hint="Update this program, or train the run again.")
        try:
            return cls._of(about, tensors)
        except KeyError as error:
            raise CheckpointInvalid(f"what the run left for judging answers lacks {error}") from error

    @classmethod
    def _of(cls, about: dict[str, Any], tensors: Tensors) -> Self:
        own = {name.removeprefix("familiarity."): tensor for name, tensor in tensors.items() if "." in name}
        bias = about["bias"] if about["format_version"] == WITH_BIAS else 0.0
        calibration = Calibration(float(str(about["scale"])), float(str(bias)))
        shift = about.get("shift")
        return cls(
            loss="cross_entropy" if about["loss"] == "cross_entropy" else "binary_cross_entropy",
            calibration=calibration,
            of_truth=tensors["of_truth"].astype(np.float64),
            familiarity=Familiarity.of_tensors(own) if own else None,
            familiar=tensors["familiar"].astype(np.float64),
            shift=None if shift is None else ShiftWeight.of_content(shift),
        )
