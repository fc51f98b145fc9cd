"""Serving: a trained model answers for single pictures exactly as it did in validation."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ml.augment import validation_input
from ml.errors import CheckpointInvalid
from ml.images import Limits, open_rgb
from ml.model import BreedNet, build_model
from ml.precision import Precision, choose_device, choose_precision
from ml.presize import resize_square
from ml.weights import load_state

FORMAT_VERSION = 1


@dataclass(frozen=True)
class Classifier:
    """A loaded model. ``prepare`` and ``probabilities`` may be called from any thread."""

    model: BreedNet
    vocab: tuple[str, ...]
    arch: str
    size: int
    presize: int
    drawn: bool
    device: torch.device
    precision: Precision

    @classmethod
    def load(cls, folder: Path, device: str = "auto") -> Self:
        """Read ``model.json`` and ``model.safetensors``.

        Raises:
            CheckpointInvalid: a file is missing, broken or of another format version.
            DeviceUnavailable: the device is not there.
        """
        about = _read_description(folder / "model.json")
        chosen = choose_device(device)
        model = build_model(about["arch"], len(about["vocab"]), None)
        try:
            model.load_state_dict(load_state(folder / "model.safetensors"))
        except (RuntimeError, OSError) as error:
            raise CheckpointInvalid(f"the weights do not fit {about['arch']}: {error}") from error
        return cls(
            model=model.eval().requires_grad_(False).to(chosen).to(memory_format=torch.channels_last),
            vocab=tuple(about["vocab"]),
            arch=about["arch"],
            size=about["size"],
            presize=about["presize"],
            drawn=about["drawn"],
            device=chosen,
            precision=choose_precision("auto", chosen),
        )

    def prepare(self, data: bytes, limits: Limits) -> Tensor:
        """Decode and presize one picture: uint8 [presize, presize, 3].

        Raises:
            ImageRejected: the bytes are not a picture within the limits.
        """
        square = resize_square(open_rgb(data, limits), self.presize, 0.5, 0.5)
        return torch.from_numpy(np.array(square))

    def probabilities(self, batch: Sequence[Tensor]) -> NDArray[np.float32]:
        """Softmax over the vocabulary: float32 [n, classes], each row sums to 1."""
        with torch.inference_mode():
            inputs = validation_input(torch.stack(list(batch)).to(self.device), self.size)
            with self.precision.autocast(self.device):
                logits = self.model(inputs)
            found: NDArray[np.float32] = logits.double().softmax(1).float().cpu().numpy()
        return found

    def warm_up(self) -> None:
        """Pay for the first call's allocations and kernels before anyone waits."""
        blank = torch.zeros(self.presize, self.presize, 3, dtype=torch.uint8)
        self.probabilities([blank])


def _read_description(path: Path) -> dict[str, Any]:
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointInvalid(f"the model's description cannot be read: {error}") from error
    if not isinstance(about, dict) or about.get("format_version") != FORMAT_VERSION:
        raise CheckpointInvalid(f"the model is not of format version {FORMAT_VERSION}", hint="Train the run again.")
    return dict(about)
