"""What a model's last layer read of photos: kept, so that a last layer with more breeds is measured without them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from ml.errors import CheckpointInvalid
from ml.judge.familiarity import KnownPictures
from ml.learn.checkpoint import save_tensors

FORMAT_VERSION = 1


@dataclass(frozen=True)
class ReadBefore:
    """Float32 on the CPU.

    Attributes:
        valid: of the validation side, [n, read].
        learned: of a sample of the training side, [m, read].
        targets: the sample's class ids among the breeds of the dataset, [m].
    """

    valid: Tensor
    learned: Tensor
    targets: Tensor

    @classmethod
    def of(cls, features: Tensor, pictures: int, known: KnownPictures) -> Self | None:
        """From what a training has at its end; None where it kept the features of only a part of the validation side.

        Args:
            features: of the first pictures of the validation side, [≤ pictures, features].
            pictures: of the validation side.
            known: the sample.
        """
        if len(features) < pictures:
            return None
        learned = torch.from_numpy(known.features[:, known.first :])
        return cls(features[:, known.first :], learned, torch.from_numpy(known.targets))

    def write(self, path: Path) -> None:
        tensors = {"valid": self.valid, "learned": self.learned, "targets": self.targets}
        save_tensors(
            {name: one.contiguous() for name, one in tensors.items()}, path, {"format_version": str(FORMAT_VERSION)}
        )

    @classmethod
    def read(cls, path: Path) -> Self:
        """From a file.

        Raises:
            CheckpointInvalid: it is broken.
        """
        try:
            tensors = load_file(path)
            return cls(tensors["valid"], tensors["learned"], tensors["targets"])
        except (SafetensorError, OSError, KeyError) as error:
            raise CheckpointInvalid(f"what the run kept of its photos cannot be read: {error}") from error
