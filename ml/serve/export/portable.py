"""A trained model from a presized picture to calibrated probabilities, as one network that any format can hold."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

import torch
from torch import Tensor, nn

from ml.config import LossName
from ml.judge.calibration import AS_IT_IS, Calibration
from ml.run_files import DESCRIPTION
from ml.serve.description import Description
from ml.serve.engines import load_network
from ml.serve.export.carried.predict import resize_matrix
from ml.serve.graph import ServedGraph
from ml.serve.judgement import read_judgement
from ml.serve.onnx import onnx_of
from ml.serve.way import NumberFormat
from ml.serve.ways import exact_way


class PortableNetwork(nn.Module):
    """From uint8 RGB [n,presize,presize,3] to probabilities float32 [n,classes].

    The resize to the model's size is inside, so that whoever uses it need only scale a picture once, to whole levels,
    as the service does. It is linear in rows and columns: one matrix for both sides.
    """

    rows: Tensor

    def __init__(self, graph: ServedGraph, about: Description, calibration: Calibration) -> None:
        super().__init__()
        self.served = graph  # an attribute "graph" would hide torch.fx's own
        self.temperature, self.bias = calibration.temperature, calibration.bias
        self.independent = about.loss == "binary_cross_entropy"
        self.register_buffer("rows", torch.from_numpy(resize_matrix(about.presize, about.size)))
        self.eval()

    def forward(self, pixels: Tensor) -> Tensor:
        """The probabilities."""
        images = self.rows @ pixels.permute(0, 3, 1, 2).float() @ self.rows.T
        logits = self.served(images.permute(0, 2, 3, 1))[0] / self.temperature + self.bias
        return torch.sigmoid(logits) if self.independent else torch.softmax(logits, 1)


@dataclass(frozen=True)
class Portable:
    """A trained model that is about to be exported. ``folder`` holds the files of its run."""

    folder: Path
    about: Description
    graph: ServedGraph
    network: PortableNetwork
    calibration: Calibration

    @classmethod
    def load(cls, folder: Path) -> Self:
        """On the CPU.

        Raises:
            CheckpointInvalid: a file is missing, broken or of another format version.
        """
        about = Description.read(folder / DESCRIPTION)
        graph, calibration = ServedGraph(load_network(folder, about)), calibration_of(folder)
        return cls(folder, about, graph, PortableNetwork(graph, about, calibration), calibration)

    @cached_property
    def onnx(self) -> bytes:
        """The network as ONNX, which two formats need.

        Raises:
            ExportRefused: the network does not fit one file.
        """
        return onnx_of(self.network, self.about.presize, ("probabilities",))

    @property
    def loss(self) -> LossName:
        """What it was trained with."""
        return self.about.loss

    @property
    def served_precision(self) -> NumberFormat:
        """What the service runs it in on this machine's processor, unless a quicker way was chosen."""
        return exact_way(self.about, torch.device("cpu")).precision


def calibration_of(folder: Path) -> Calibration:
    """From the model's files; as it is where the run left nothing to calibrate with."""
    about = Description.read(folder / DESCRIPTION)
    judgement = read_judgement(folder, about.loss, about.vocab)
    return AS_IT_IS if judgement is None else judgement.calibration
