"""Trying something on a model and leaving no trace of it."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def restored_state(model: nn.Module) -> Iterator[None]:
    """Within the block anything may happen to the model; after it, however it ends, all is as it was, bit for bit.

    That is: parameters, buffers (BatchNorm's averages), gradients, requires_grad flags, training or evaluation mode of
    each module, and torch's global random state, the CPU's and the model's device's. An optimizer made within the block
    is its maker's own; one made before knows nothing of the block as long as it does not step.

    The copy of the weights lies in the host's memory, where a GPU has the least to spare.
    """
    tensors = {name: tensor.detach().to("cpu", copy=True) for name, tensor in model.state_dict().items()}
    parameters = [(parameter, parameter.requires_grad, parameter.grad) for parameter in model.parameters()]
    modes = [(module, module.training) for module in model.modules()]
    devices = {parameter.device for parameter, _, _ in parameters if parameter.device.type == "cuda"}
    for parameter, _, _ in parameters:
        parameter.grad = None
    try:
        with torch.random.fork_rng(devices=list(devices)):
            yield
    finally:
        model.load_state_dict(tensors)
        for parameter, trainable, gradient in parameters:
            parameter.requires_grad_(trainable)
            parameter.grad = gradient
        for module, training in modes:
            module.training = training
