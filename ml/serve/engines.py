"""From a model's files to the engine of a way."""

from pathlib import Path

import torch

from ml.errors import CheckpointInvalid
from ml.fetch.weights import load_state
from ml.learn.model import BreedNet, build_model
from ml.learn.precision import Precision
from ml.serve.description import Description
from ml.serve.engine import Engine
from ml.serve.graph import load_graph
from ml.serve.openvino_engine import OpenVinoEngine
from ml.serve.openvino_model import openvino_model
from ml.serve.torch_engine import TorchEngine
from ml.serve.way import Way


def load_engine(folder: Path, about: Description, way: Way, device: torch.device) -> Engine:
    """The engine of ``way``, ready to run.

    Raises:
        CheckpointInvalid: the weights are missing or broken, or not those of ``about``.
    """
    network = load_network(folder, about)
    if way.engine == "openvino":
        model = openvino_model(load_graph(network, torch.device("cpu")), about.size, way.input)
        return OpenVinoEngine(model, way.precision, way.streams)
    return TorchEngine(load_graph(network, device), Precision(way.precision, "the way's"), device)


def load_network(folder: Path, about: Description) -> BreedNet:
    """The trained network, on the CPU.

    Raises:
        CheckpointInvalid: the weights are missing or broken, or not those of ``about``.
    """
    network = build_model(about.arch, len(about.vocab), None)
    try:
        network.load_state_dict(load_state(folder / "model.safetensors"))
    except (RuntimeError, OSError) as error:
        raise CheckpointInvalid(f"the weights do not fit {about.arch}: {error}") from error
    return network
