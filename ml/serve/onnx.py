"""A network as ONNX: one file of bytes that other engines read."""

from collections.abc import Sequence

import torch
from torch import nn

from ml.errors import ExportRefused

PIXELS = "pixels"
"""The name of the only input, [n,side,side,3]; n may be any number."""
MOST_BYTES = 2**31 - 2**24
"""Of parameters: a file of protobuf ends at 2 GiB, and the nodes need a little."""


def onnx_of(graph: nn.Module, side: int, outputs: Sequence[str]) -> bytes:
    """Export a network in evaluation mode on the CPU, such as ``ServedGraph``.

    It takes seconds, and about four times the parameters' bytes of memory.

    Args:
        graph: from pixels, uint8 [n,side,side,3], to as many tensors [n,...] as ``outputs`` has names.
        side: of the input, pixels.
        outputs: names of what it puts out, in order.

    Raises:
        ExportRefused: the network does not fit one file.
    """
    _check_size(graph)
    example = torch.zeros(2, side, side, 3, dtype=torch.uint8)
    program = torch.onnx.export(
        graph,
        (example,),
        input_names=[PIXELS],
        output_names=list(outputs),
        dynamic_shapes=({0: torch.export.Dim.DYNAMIC},),
        dynamo=True,
        verbose=False,
    )
    assert program is not None  # noqa: S101 - it is None only with dynamo=False
    return bytes(program.model_proto.SerializeToString())


def _check_size(graph: nn.Module) -> None:
    size = sum(tensor.nbytes for tensor in graph.state_dict().values())
    if size > MOST_BYTES:
        detail = f"the model has {size >> 20} MiB of weights, and an ONNX file holds {MOST_BYTES >> 20} MiB at most"
        raise ExportRefused(detail, "Export it as safetensors or torchscript.")
