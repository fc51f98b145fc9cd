"""AdamW over a model's parameter groups, with rates and momentum of their own at each step (workflow-spec 6).

torch's own follows the workflow: it debiases with the momentum that is in force, adds eps outside of the debiased root,
and takes weight decay by group, so that BatchNorm and biases have none. It is the fused one: it updates everything in
one pass over memory, and leaves out a step whose gradients overflow without asking the device first.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.optim import AdamW

from ml.learn.schedule import Hypers

SQUARE_MOMENTUM = 0.99
EPS = 1e-5

_NUMBER = "number"
"""Which of the model's groups a group of the optimizer belongs to: the index of its rate."""

_SHARE = "share"
"""What part of that rate it learns at."""

_STEPS = "step"
_STATE = (_STEPS, "exp_avg", "exp_avg_sq")
"""AdamW's names of what it keeps for a parameter."""


@dataclass
class ParameterGroup:
    """Parameters that share a learning rate. ``decayed`` get weight decay, ``plain`` (BatchNorm, biases) do not.

    ``number`` is the index of the rate, None: the group's own place; it learns at ``share`` of it.
    """

    decayed: list[Tensor]
    plain: list[Tensor]
    number: int | None = None
    share: float = 1.0


def make_optimizer(groups: Sequence[ParameterGroup], weight_decay: float) -> AdamW:
    """One over what requires a gradient now; what is frozen stays bit for bit as it is.

    A phase makes its own optimizer, which is what clearing the state at freeze and unfreeze means.
    """
    parts = [
        {"params": trainable, "weight_decay": decay, _NUMBER: number, _SHARE: group.share}
        for place, group in enumerate(groups)
        for number in (place if group.number is None else group.number,)
        for members, decay in ((group.decayed, weight_decay), (group.plain, 0.0))
        if (trainable := [parameter for parameter in members if parameter.requires_grad])
    ]
    return AdamW(parts, betas=(0.0, SQUARE_MOMENTUM), eps=EPS, fused=True)


def set_hypers(optimizer: AdamW, hypers: Hypers) -> None:
    """Say what is in force for the next step."""
    for group in optimizer.param_groups:
        group["lr"] = hypers.lr[group[_NUMBER]] * group[_SHARE]
        group["betas"] = (hypers.momentum, SQUARE_MOMENTUM)


def check_gradients(optimizer: AdamW) -> None:
    """Refuse a step in which AdamW would pass over a parameter without a word.

    Raises:
        RuntimeError: a parameter has no gradient.
    """
    missing = sum(parameter.grad is None for parameter in _parameters(optimizer))
    if missing:
        message = f"{missing} trainable parameters got no gradient"
        raise RuntimeError(message)


def steps_made(optimizer: AdamW) -> int:
    """Steps that changed something: those whose gradients overflowed are not among them. Waits for the device."""
    state = optimizer.state.get(_parameters(optimizer)[0])
    return int(state[_STEPS].item()) if state else 0


def optimizer_state(optimizer: AdamW) -> dict[str, Tensor]:
    """Everything a bit-equal resume needs, by stable names."""
    kept = optimizer.state_dict()["state"]
    return {f"{number}.{name}": kept[number][name] for number in kept for name in _STATE}


def load_optimizer_state(optimizer: AdamW, tensors: dict[str, Tensor]) -> None:
    """Take back what :func:`optimizer_state` gave.

    Raises:
        KeyError: the state is of another model or phase.
    """
    state = {
        number: {name: _laid_out_as(parameter, tensors[f"{number}.{name}"]) for name in _STATE}
        for number, parameter in enumerate(_parameters(optimizer))
    }
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def _laid_out_as(parameter: Tensor, tensor: Tensor) -> Tensor:
    """Where it has the parameter's shape, in the parameter's order in memory, by which the fused step pairs the two."""
    if tensor.shape != parameter.shape:
        return tensor
    return torch.empty_like(parameter, requires_grad=False).copy_(tensor)


def _parameters(optimizer: AdamW) -> list[Tensor]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]
