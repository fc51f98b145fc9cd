"""Serving: a trained model answers for single pictures exactly as it did in validation."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import ValidationError
from torch import Tensor

from ml.augment.augment import training_input, validation_input
from ml.augment.draws import BatchDraws, draw_copies
from ml.augment.seed import generator
from ml.config import Augment, LossName, TrainSettings
from ml.decode.images import DECODING, Limits, view
from ml.decode.views import View
from ml.errors import CheckpointInvalid, PrecisionUnsupported
from ml.fetch.weights import load_state
from ml.learn.losses import scores_of
from ml.learn.model import BreedNet, build_model
from ml.learn.precision import Precision, choose_device, choose_precision
from ml.learn.tta import COPIES, combine

FORMAT_VERSION = 1
_AUGMENTATION = ("augment", "min_scale")


@dataclass(frozen=True)
class Prepared:
    """One input of the model: uint8 [presize, presize, 3], and its random changes where it is an augmented copy."""

    pixels: Tensor
    draws: BatchDraws | None = None


@dataclass(frozen=True)
class Classifier:
    """A loaded model. Every method may be called from any thread.

    ``augment`` and ``min_scale`` are those of its training, for the copies that scores are averaged over.
    """

    model: BreedNet
    vocab: tuple[str, ...]
    arch: str
    loss: LossName
    size: int
    presize: int
    augment: Augment
    min_scale: float
    drawn: bool
    device: torch.device
    precision: Precision
    decoding: int = DECODING

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
        augment, min_scale = _augmentation_of(about)
        return cls(
            model=model.eval().requires_grad_(False).to(chosen).to(memory_format=torch.channels_last),
            vocab=tuple(about["vocab"]),
            arch=about["arch"],
            loss=_loss_of(about),
            size=about["size"],
            presize=about["presize"],
            augment=augment,
            min_scale=min_scale,
            drawn=about["drawn"],
            device=chosen,
            precision=_precision_of(about, chosen),
            decoding=_decoding_of(about),
        )

    @property
    def copies(self) -> int:
        """How many inputs ``prepare_copies`` makes of a picture: the plain one and the changed."""
        return COPIES + 1

    def prepare(self, data: bytes, limits: Limits) -> Prepared:
        """Decode and presize one picture.

        Raises:
            ImageRejected: the bytes are not a picture within the limits.
        """
        return Prepared(self._squares(data, limits, 0.5)[0])

    def prepare_copies(self, data: bytes, limits: Limits) -> list[Prepared]:
        """One picture plain and, after that, ``COPIES`` times changed as in training; equal bytes get equal changes.

        Raises:
            ImageRejected: the bytes are not a picture within the limits.
        """
        chance = generator(int.from_bytes(hashlib.sha256(data).digest()[:8], "big"), "tta")
        copies = draw_copies(COPIES, self.augment, self.min_scale, chance)
        plain, *squares = self._squares(data, limits, 0.5, *(draws.positions.item() for draws in copies))
        return [Prepared(plain), *(Prepared(*copy) for copy in zip(squares, copies, strict=True))]

    def probabilities(self, batch: Sequence[Prepared]) -> NDArray[np.float32]:
        """Scores in [0, 1] over the vocabulary, float32 [n, classes]; under cross-entropy each row sums to 1."""
        with torch.inference_mode():
            inputs = self._inputs(batch)
            with self.precision.autocast(self.device):
                logits = self.model(inputs)
            found: NDArray[np.float32] = scores_of(self.loss, logits).float().cpu().numpy()
        return found

    def average(self, rows: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """One picture's scores [classes] from those of its ``prepare_copies``, the plain one first."""
        plain, *augmented = (torch.from_numpy(row).double() for row in rows)
        found: NDArray[np.float32] = combine(plain[None], torch.stack(augmented)[:, None])[0].float().numpy()
        return found

    def warm_up(self) -> None:
        """Pay for the first call's allocations and kernels before anyone waits."""
        self.probabilities([Prepared(torch.zeros(self.presize, self.presize, 3, dtype=torch.uint8))])

    def _squares(self, data: bytes, limits: Limits, *positions: float) -> tuple[Tensor, ...]:
        wanted = View("squares", self.presize, positions)
        return torch.from_numpy(view(data, limits, wanted, self.decoding)[0]).unbind()

    def _inputs(self, batch: Sequence[Prepared]) -> Tensor:
        """The model's input, plain pictures and augmented copies each drawn together, in the batch's order."""
        plain = [i for i, one in enumerate(batch) if one.draws is None]
        copies = [i for i, one in enumerate(batch) if one.draws is not None]
        parts = []
        if plain:
            parts.append(validation_input(self._pixels(batch, plain), self.size))
        if copies:
            draws = BatchDraws.join([one.draws for one in batch if one.draws is not None])
            parts.append(training_input(self._pixels(batch, copies), draws, self.size))
        order = torch.tensor([*plain, *copies]).argsort().to(self.device)
        return torch.cat(parts)[order].contiguous(memory_format=torch.channels_last)

    def _pixels(self, batch: Sequence[Prepared], which: Sequence[int]) -> Tensor:
        return torch.stack([batch[i].pixels for i in which]).to(self.device)


def _precision_of(about: dict[str, Any], device: torch.device) -> Precision:
    """The precision that the validation ran in, so that a served answer is the stored one; else the device's own.

    The latter is for a device that does not run the former, or only emulates it: a CPU never runs fp16, and without
    instructions for bf16 it takes several times as long as in fp32.
    """
    own = choose_precision("auto", device)
    try:
        trained = choose_precision(about.get("precision", "auto"), device)
    except PrecisionUnsupported:
        return own
    emulated = trained.name == "bf16" and own.name != "bf16"
    return own if emulated else trained


def _read_description(path: Path) -> dict[str, Any]:
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointInvalid(f"the model's description cannot be read: {error}") from error
    if not isinstance(about, dict) or about.get("format_version") != FORMAT_VERSION:
        raise CheckpointInvalid(f"the model is not of format version {FORMAT_VERSION}", hint="Train the run again.")
    return dict(about)


def _decoding_of(about: dict[str, Any]) -> int:
    """Models of before transparent pictures were laid on white say nothing, and see them as in their training."""
    decoding = about.get("decoding", 1)
    if decoding not in range(1, DECODING + 1):
        detail = f"the model reads pictures in way {decoding!r}, this program knows 1 to {DECODING}"
        raise CheckpointInvalid(detail, hint="Update this program, or train the run again.")
    return int(decoding)


def _loss_of(about: dict[str, Any]) -> LossName:
    """Models of before there was a choice name none."""
    loss: LossName = about.get("loss", "cross_entropy")
    if loss not in get_args(LossName):
        raise CheckpointInvalid(f"the model was trained with the unknown loss {loss!r}", hint="Train the run again.")
    return loss


def _augmentation_of(about: dict[str, Any]) -> tuple[Augment, float]:
    """What the model's training changed in its pictures; the defaults where the description is silent."""
    config = about.get("config", {})
    try:
        settings = TrainSettings.model_validate({name: config[name] for name in _AUGMENTATION if name in config})
    except (TypeError, ValidationError) as error:
        raise CheckpointInvalid(f"the model's description has a wrong augmentation: {error}") from error
    return settings.augment, settings.min_scale
