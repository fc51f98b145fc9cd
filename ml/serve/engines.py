"""From a model's files to the engine of a way."""

from pathlib import Path

import torch
from torch import nn

from ml.errors import CheckpointInvalid, DeviceUnavailable, WeightsInvalid
from ml.fetch.weights import load_state
from ml.learn.model import BreedNet, build_model
from ml.learn.precision import Precision
from ml.run_files import WEIGHTS
from ml.serve.cuda_graphs_engine import CudaGraphsEngine
from ml.serve.description import Description
from ml.serve.engine import Engine
from ml.serve.graph import ServedGraph, load_graph
from ml.serve.openvino_engine import OpenVinoEngine
from ml.serve.openvino_model import body_model
from ml.serve.stored_body import stored_body
from ml.serve.torch_engine import TorchEngine
from ml.serve.way import Way


def load_engine(folder: Path, about: Description, way: Way, device: torch.device) -> Engine:
    """The engine of ``way``, ready to run.

    Raises:
        CheckpointInvalid: the weights are missing or broken, or not those of ``about``.
        DeviceUnavailable: the way is another device's.
    """
    network = load_network(folder, about)
    if way.engine == "openvino":
        body = stored_body(folder, about.size, lambda: body_model(load_graph(network, torch.device("cpu")), about.size))
        return OpenVinoEngine(body, network.head.eval().requires_grad_(False), way.precision, way.streams)
    precision = Precision(way.precision, "the way's")
    graph = cast_weights(load_graph(network, device), precision)
    if way.engine == "torch":
        return TorchEngine(graph, precision, device)
    if device.type != "cuda":
        raise DeviceUnavailable("graphs are captured on a CUDA device alone", hint="Choose a way on this machine.")
    return CudaGraphsEngine(graph, about.size, precision, device)


def cast_weights(graph: ServedGraph, precision: Precision) -> ServedGraph:
    """Bring those of convolutions and linear layers to the format that autocast brings them to in every pass."""
    for module in graph.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.to(precision.dtype)
    return graph


def load_network(folder: Path, about: Description) -> BreedNet:
    """The trained network, on the CPU, for pictures of the size that it was validated at.

    Raises:
        CheckpointInvalid: the weights are missing or broken, or not those of ``about``.
    """
    network = build_model(about.arch, len(about.vocab), None)
    try:
        network.load_state_dict(load_state(folder / WEIGHTS))
    except (RuntimeError, OSError, WeightsInvalid) as error:
        raise CheckpointInvalid(f"the weights do not fit {about.arch}: {error}") from error
    network.fit(about.size)
    return network
