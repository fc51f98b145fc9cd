"""A served network as OpenVINO's graph."""

import warnings

import torch

from ml.serve.graph import ServedGraph
from ml.serve.openvino_door import Model, PartialShape, openvino
from ml.serve.way import InputName

INPUTS = {"direct": torch.uint8, "exact": torch.float32}


def openvino_model(graph: ServedGraph, side: int, kind: InputName, batch: int = 1) -> Model:
    """From the graph on the CPU, for ``batch`` pictures (-1: any number) of ``side`` pixels, as the way's input is.

    Torch's trace is deprecated, and kept here: it takes a tenth of the time of an export through ONNX (0.5 s beside 4 s
    for a resnet18, 3 beside 14 for a swin_t).
    """
    example = torch.zeros(1, side, side, 3, dtype=INPUTS[kind])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(graph, (example,), check_trace=False)  # type: ignore[no-untyped-call] # torch's
        shape = PartialShape([batch, side, side, 3])
        return openvino.convert_model(traced, input=[shape], example_input=example)
