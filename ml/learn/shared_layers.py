"""Layers that look at a whole batch, or draw for it, where a process has but a share of its pictures.

With them a network that several processes train does what it does in one: dropout and stochastic depth draw for the
whole batch, and take their own pictures' rows of that; BatchNorm has the whole batch's statistics.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import torch
import torch.distributed as dist
import torch.nn.functional as F  # noqa: N812 - the name everyone reads it by
from torch import Tensor, nn
from torchvision.ops import StochasticDepth

from ml.learn.rows import Rows


@dataclass
class Sight:
    """What such layers must know: which rows the next pictures are, and whom to add numbers up with."""

    group: dist.ProcessGroup | None = None
    rows: Rows | None = None

    def __deepcopy__(self, _memo: dict[int, Any]) -> "Sight":
        """A copied model looks at the same batches."""
        return self


class SharedDropout(nn.Dropout):
    """Dropout by the rows of what is drawn for the whole batch."""

    def __init__(self, p: float, sight: Sight) -> None:
        super().__init__(p)
        self.sight = sight

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - torch's name
        """Float [n,…]."""
        rows = self.sight.rows
        if not self.training or rows is None or self.p == 0:
            return super().forward(input)
        mask = super().forward(input.new_ones(rows.of, *input.shape[1:]))
        return input * mask[rows.first : rows.end]


class SharedStochasticDepth(StochasticDepth):  # type: ignore[misc]  # torchvision has no types
    """The same, of whole pictures."""

    def __init__(self, p: float, mode: str, sight: Sight) -> None:
        super().__init__(p, mode)
        self.sight = sight

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - torch's name
        """Float [n,…]."""
        rows = self.sight.rows
        if not self.training or rows is None or self.p == 0:
            return cast("Tensor", super().forward(input))
        mask: Tensor = super().forward(input.new_ones(rows.of, *(1 for _ in input.shape[1:])))
        return input * mask[rows.first : rows.end]


class _Summed(torch.autograd.Function):
    """A sum over the processes, whose gradient is the sum of theirs: each one's loss has felt it."""

    @staticmethod
    def forward(ctx: Any, own: Tensor, group: dist.ProcessGroup) -> Tensor:  # noqa: ANN401 - torch's
        ctx.group = group
        total = own.clone()
        dist.all_reduce(total, group=group)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:  # noqa: ANN401 - torch's
        total = gradients[0].clone()
        dist.all_reduce(total, group=ctx.group)
        return total, None


class CpuSyncBatchNorm(nn.BatchNorm1d):
    """torch's own SyncBatchNorm runs on GPUs alone; this one adds up over CPUs, whatever the inputs' kind."""

    def __init__(self, num_features: int, eps: float, momentum: float | None, sight: Sight) -> None:
        super().__init__(num_features, eps, momentum)
        self.sight = sight

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - torch's name
        """Float [n,channels,…], normalised in float32."""
        if not self.training or self.sight.group is None:
            return F.batch_norm(input, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
        with torch.autocast(input.device.type, enabled=False):
            return self._normalised(input.float(), self.sight.group).to(input.dtype)

    def _normalised(self, values: Tensor, group: dist.ProcessGroup) -> Tensor:
        channels, places = values.shape[1], [place for place in range(values.ndim) if place != 1]
        aligned = (1, channels, *(1 for _ in values.shape[2:]))
        count = values.new_tensor([values.numel() / channels])
        sums = _summed(torch.cat([values.sum(places), count]), group)
        total = float(sums[-1].detach())
        mean = sums[:-1] / total
        apart = values - mean.view(aligned)
        variance = _summed(apart.square().sum(places), group) / total
        self._move_averages(mean.detach(), variance.detach() * total / max(total - 1, 1))
        scale = (variance + self.eps).rsqrt() * self.weight
        return apart * scale.view(aligned) + self.bias.view(aligned)

    @torch.no_grad()
    def _move_averages(self, mean: Tensor, variance: Tensor) -> None:
        for average, now in ((self.running_mean, mean), (self.running_var, variance)):
            cast("Tensor", average).lerp_(now, cast("float", self.momentum))
        cast("Tensor", self.num_batches_tracked).add_(1)


def _summed(own: Tensor, group: dist.ProcessGroup) -> Tensor:
    return cast("Tensor", _Summed.apply(own, group))


Batched = nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d


def share_draws(model: nn.Module, sight: Sight) -> None:
    """Have the network draw for whole batches; its tensors and their names stay as they are."""

    def shared(layer: nn.Module) -> nn.Module | None:
        if isinstance(layer, StochasticDepth):
            return SharedStochasticDepth(layer.p, layer.mode, sight)
        return SharedDropout(layer.p, sight) if isinstance(layer, nn.Dropout) else None

    _replace(model, shared)


def share_statistics(model: nn.Module, device: torch.device, sight: Sight) -> None:
    """Have the network's BatchNorm look at whole batches; its tensors and their names stay as they are."""

    def shared(layer: nn.Module) -> nn.Module | None:
        if not isinstance(layer, Batched):
            return None
        about = (layer.num_features, layer.eps, layer.momentum)
        new = nn.SyncBatchNorm(*about) if device.type == "cuda" else CpuSyncBatchNorm(*about, sight)
        new.weight, new.bias = layer.weight, layer.bias
        new.running_mean, new.running_var = layer.running_mean, layer.running_var
        new.num_batches_tracked = layer.num_batches_tracked
        return new

    _replace(model, shared)


def _replace(module: nn.Module, shared: Callable[[nn.Module], nn.Module | None]) -> None:
    for name, child in module.named_children():
        new = shared(child)
        if new is None:
            _replace(child, shared)
        else:
            setattr(module, name, new)
