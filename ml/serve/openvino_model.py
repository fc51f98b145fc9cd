"""A served network's body as OpenVINO's graph."""

import warnings

import torch
from torch import Tensor, nn

from ml.serve.graph import ServedGraph
from ml.serve.openvino_door import Model, PartialShape, openvino


class _Body(nn.Module):
    """From normalised pixels, channels last, to what the head goes on from."""

    def __init__(self, graph: ServedGraph) -> None:
        super().__init__()
        # Not "graph": a traced module has something of that name.
        self.served = graph

    def forward(self, normalised: Tensor) -> Tensor:
        return self.served.network.pooled(normalised.permute(0, 3, 1, 2))


def body_model(graph: ServedGraph, side: int) -> Model:
    """From normalised float32 [1, side, side, 3] to [1, 2·channels].

    In bf16 OpenVINO would bring the pixels to it before they are normalised, when they are far from zero and lose most.

    Torch's trace is deprecated, and kept here: it takes a tenth of the time of an export through ONNX (0.5 s beside 4 s
    for a resnet18, 3 beside 14 for a swin_t).

    Args:
        graph: on the CPU.
        side: of the input, pixels.
    """
    example = torch.zeros(1, side, side, 3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(_Body(graph), (example,), check_trace=False)  # type: ignore[no-untyped-call] # torch's
        shape = PartialShape([1, side, side, 3])
        return openvino.convert_model(traced, input=[shape], example_input=example)
