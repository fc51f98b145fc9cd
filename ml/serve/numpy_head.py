"""A network's head by numpy, for a picture or two.

Torch shares even so small a product among all cores, and a thread that waits for another's part waits until that one
has had a core: beside passes that keep all of them busy, longer than the product takes.
"""

from collections.abc import Callable
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ml.serve.outputs import Floats, Outputs

_Step = Callable[[Floats], Floats]


class NumpyHead:
    """What follows the pooling, as it is in evaluation."""

    def __init__(self, head: nn.Sequential) -> None:
        _pool, _flat, *between, last = head
        self._between = [step for module in between if (step := _step(module)) is not None]
        self._last = _linear(last)

    def outputs(self, pooled: Floats) -> Outputs:
        """As ``ml.learn.model.outputs_of_pooled``: logits and features of [n, pooled]."""
        read = pooled
        for step in self._between:
            read = step(read)
        return Outputs(self._last(read), np.concatenate([pooled, read], 1))


def _step(module: nn.Module) -> _Step | None:
    match module:
        case nn.Dropout():
            return None
        case nn.ReLU():
            return lambda x: np.maximum(x, 0)
        case nn.BatchNorm1d():
            return _batch_norm(module)
        case _:
            return _linear(module)


def _batch_norm(module: nn.BatchNorm1d) -> _Step:
    mean, variance = module.running_mean, module.running_var
    if mean is None or variance is None:
        raise TypeError("a BatchNorm1d without running statistics is not known here")
    scale = module.weight / torch.sqrt(variance + module.eps)
    by, on = _array(scale), _array(module.bias - mean * scale)
    return lambda x: x * by + on


def _linear(module: nn.Module) -> _Step:
    if not isinstance(module, nn.Linear):
        raise TypeError(f"a head with {type(module).__name__} is not known here")
    by = _array(module.weight).T
    bias = cast("torch.Tensor | None", module.bias)  # torch says never None
    if bias is None:
        return lambda x: x @ by
    on = _array(bias)
    return lambda x: x @ by + on


def _array(tensor: torch.Tensor) -> NDArray[np.float32]:
    found: NDArray[np.float32] = tensor.detach().float().numpy()
    return found
