"""What ``model.json`` says of a trained model."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, get_args

from pydantic import ValidationError

from ml.config import LossName, TrainSettings
from ml.config_augment import Augment
from ml.decode.images import DECODING
from ml.errors import CheckpointInvalid

FORMAT_VERSION = 1
_AUGMENTATION = ("augment", "min_scale")


@dataclass(frozen=True)
class Description:
    """``augment`` and ``min_scale`` are those of its training, for the copies that scores are averaged over.

    ``precision`` is the one that its validation ran in, or auto where it does not say.
    """

    arch: str
    vocab: tuple[str, ...]
    loss: LossName
    size: int
    presize: int
    augment: Augment
    min_scale: float
    drawn: bool
    precision: str
    decoding: int = DECODING

    @classmethod
    def read(cls, path: Path) -> Self:
        """From the file.

        Raises:
            CheckpointInvalid: it is missing, broken or of another format version.
        """
        about = _content(path)
        augment, min_scale = _augmentation_of(about)
        return cls(
            arch=about["arch"],
            vocab=tuple(about["vocab"]),
            loss=_loss_of(about),
            size=about["size"],
            presize=about["presize"],
            augment=augment,
            min_scale=min_scale,
            drawn=about["drawn"],
            precision=about.get("precision", "auto"),
            decoding=_decoding_of(about),
        )


def _content(path: Path) -> dict[str, Any]:
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
