"""Adam with decoupled weight decay and the debiasing of the workflow (workflow-spec 6).

Differs from ``torch.optim.AdamW`` in three points that matter: momentum varies from step to step and the debiasing
uses the current one, ``eps`` stands outside the debiased root, and decay is left out for BatchNorm and biases.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ml.learn.schedule import Hypers

SQUARE_MOMENTUM = 0.99
EPS = 1e-5


@dataclass
class ParameterGroup:
    """Parameters that share a learning rate. ``decayed`` get weight decay, ``plain`` (BatchNorm, biases) do not."""

    decayed: list[Tensor]
    plain: list[Tensor]


@dataclass
class _Bucket:
    """Tensors stepped together in fused multi-tensor calls."""

    group: int
    decay: bool
    params: list[Tensor]
    averages: list[Tensor] = field(default_factory=list)
    squares: list[Tensor] = field(default_factory=list)


class Adam:
    """Steps only parameters that require a gradient when it is made; frozen ones stay bit for bit as they are.

    A phase makes its own optimizer, which is what clearing the state at freeze and unfreeze means.
    """

    def __init__(self, groups: Sequence[ParameterGroup], weight_decay: float) -> None:
        self.weight_decay = weight_decay
        self.steps = 0
        self._buckets = []
        for number, group in enumerate(groups):
            for decay, members in ((True, group.decayed), (False, group.plain)):
                params = [p for p in members if p.requires_grad]
                if params:
                    self._buckets.append(_fresh_bucket(number, decay, params))

    @torch.no_grad()
    def step(self, hypers: Hypers) -> None:
        """One update from the gradients in ``.grad``.

        With k the step count from 1, μ the current momentum, g the gradient:
        p *= 1 - lr·wd (where decayed); m = μm + (1-μ)g; v = .99v + .01g²;
        p -= lr/(1-μᵏ) · m / (√(v/(1-.99ᵏ)) + eps).
        """
        self.steps += 1
        mu, k = hypers.momentum, self.steps
        mean_debias = 1 - mu**k
        square_debias = 1 - SQUARE_MOMENTUM**k
        for bucket in self._buckets:
            lr = hypers.lr[bucket.group]
            grads = _gradients(bucket)
            if bucket.decay and self.weight_decay:
                torch._foreach_mul_(bucket.params, 1 - lr * self.weight_decay)
            torch._foreach_mul_(bucket.averages, mu)
            torch._foreach_add_(bucket.averages, grads, alpha=1 - mu)
            torch._foreach_mul_(bucket.squares, SQUARE_MOMENTUM)
            torch._foreach_addcmul_(bucket.squares, grads, grads, value=1 - SQUARE_MOMENTUM)
            roots = [square / square_debias for square in bucket.squares]
            torch._foreach_sqrt_(roots)
            torch._foreach_add_(roots, EPS)
            torch._foreach_addcdiv_(bucket.params, bucket.averages, roots, value=-lr / mean_debias)

    def gradients(self) -> list[Tensor]:
        """Every trainable parameter's gradient, the very tensors."""
        return [grad for bucket in self._buckets for grad in _gradients(bucket)]

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for bucket in self._buckets:
            for param in bucket.params:
                param.grad = None

    def state(self) -> dict[str, Tensor]:
        """Everything a bit-equal resume needs, by stable names."""
        tensors = {"steps": torch.tensor(self.steps)}
        for b, bucket in enumerate(self._buckets):
            for i, (average, square) in enumerate(zip(bucket.averages, bucket.squares, strict=True)):
                tensors[f"{b}.{i}.average"] = average
                tensors[f"{b}.{i}.square"] = square
        return tensors

    @torch.no_grad()
    def load_state(self, tensors: dict[str, Tensor]) -> None:
        """Take back what :meth:`state` gave.

        Raises:
            KeyError: the state is of another model or phase.
        """
        self.steps = int(tensors["steps"])
        for b, bucket in enumerate(self._buckets):
            for i, (average, square) in enumerate(zip(bucket.averages, bucket.squares, strict=True)):
                average.copy_(tensors[f"{b}.{i}.average"])
                square.copy_(tensors[f"{b}.{i}.square"])


def _fresh_bucket(group: int, decay: bool, params: list[Tensor]) -> _Bucket:
    zeros = [torch.zeros_like(p, memory_format=torch.preserve_format) for p in params]
    return _Bucket(group, decay, params, zeros, [torch.zeros_like(z) for z in zeros])


def _gradients(bucket: _Bucket) -> list[Tensor]:
    grads = [p.grad for p in bucket.params if p.grad is not None]
    if len(grads) != len(bucket.params):
        message = f"{len(bucket.params) - len(grads)} trainable parameters of group {bucket.group} got no gradient"
        raise RuntimeError(message)
    return grads
