"""The network on a GPU, captured once for each of some batch sizes: a pass is one launch instead of some hundred.

A batch goes through the smallest captured size that holds it. What lies in the rest of its rows is of no account: in
evaluation no picture knows of another.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ml.learn.precision import Precision
from ml.serve.engine import Prepared
from ml.serve.graph import ServedGraph
from ml.serve.outputs import Outputs

SIZES = (64, 32, 16, 8, 4, 2, 1)
"""The largest first: the others then fit into the memory that it took."""
_WARM_PASSES = 3
"""Before a capture, for what libraries choose and allocate at first."""


@dataclass(frozen=True)
class _Captured:
    graph: torch.cuda.CUDAGraph
    logits: Tensor
    features: Tensor


class CudaGraphsEngine:
    """One batch at a time; a batch larger than the largest size goes in parts."""

    concurrency = 1
    batch = None

    def __init__(self, graph: ServedGraph, side: int, precision: Precision, device: torch.device) -> None:
        shape = (SIZES[0], side, side, 3)
        self._host = torch.zeros(shape).pin_memory()
        self._pixels = torch.zeros(shape, device=device)
        self._stream: torch.cuda.Stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call] # torch's
        self._lock = threading.Lock()
        with torch.inference_mode(), precision.autocast(device):
            self._captured = self._capture_all(graph)

    def run(self, inputs: Sequence[Prepared]) -> Outputs:
        """In parts of at most the largest size."""
        with self._lock, torch.inference_mode(), torch.cuda.stream(self._stream):
            parts = [self._part(inputs[first : first + SIZES[0]]) for first in range(0, len(inputs), SIZES[0])]
        return Outputs(*(np.concatenate(rows) for rows in zip(*parts, strict=True)))

    def close(self) -> None:
        """Drop the captured graphs and their memory."""
        self._captured = {}
        del self._host, self._pixels

    def _part(self, inputs: Sequence[Prepared]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        count = len(inputs)
        captured = self._captured[size_for(count)]
        np.stack(inputs, out=self._host.numpy()[:count])
        self._pixels[:count].copy_(self._host[:count], non_blocking=True)
        captured.graph.replay()
        # A copy to pageable memory waits until the stream is done, so that the host's buffer is free again.
        return captured.logits[:count].cpu().numpy(), captured.features[:count].cpu().numpy()

    def _capture_all(self, graph: ServedGraph) -> dict[int, _Captured]:
        captured: dict[int, _Captured] = {}
        for size in SIZES:
            pool = captured[SIZES[0]].graph.pool() if captured else None
            captured[size] = self._capture(graph, self._pixels[:size], pool)
        return captured

    def _capture(self, graph: ServedGraph, pixels: Tensor, pool: Any) -> _Captured:  # noqa: ANN401 - torch's own handle
        self._stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._stream):
            for _ in range(_WARM_PASSES):
                graph(pixels)
        self._stream.synchronize()
        cuda_graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(cuda_graph, pool=pool, stream=self._stream):
            logits, features = graph(pixels)
        return _Captured(cuda_graph, logits, features)


def size_for(count: int) -> int:
    """The smallest captured size that holds ``count`` pictures, 1 to the largest size."""
    return min(size for size in SIZES if size >= count)
