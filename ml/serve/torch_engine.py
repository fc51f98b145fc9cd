"""The network run by torch as it is; in its validation's precision that is what the stored predictions came from."""

from collections.abc import Sequence

import numpy as np
import torch

from ml.learn.precision import Precision
from ml.serve.engine import Prepared
from ml.serve.graph import ServedGraph
from ml.serve.outputs import Outputs


class TorchEngine:
    """One pass at a time, over all cores or on a GPU."""

    concurrency = 1
    batch = None

    def __init__(self, graph: ServedGraph, precision: Precision, device: torch.device) -> None:
        self._graph: ServedGraph | None = graph
        self._precision = precision
        self._device = device

    def run(self, inputs: Sequence[Prepared]) -> Outputs:
        assert self._graph is not None, "the engine is closed"  # noqa: S101 - its owner's fault
        pixels = torch.from_numpy(np.stack(inputs)).to(self._device)
        with torch.inference_mode(), self._precision.autocast(self._device):
            logits, features = self._graph(pixels)
        return Outputs(logits.cpu().numpy(), features.cpu().numpy())

    def close(self) -> None:
        """Let go of the weights."""
        self._graph = None
