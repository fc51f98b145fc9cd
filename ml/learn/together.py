"""Several processes of one host train one model, by ``torch.distributed``."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Literal, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from ml.learn.model import BreedNet
from ml.learn.ranks import Network
from ml.learn.restored import restored_state
from ml.learn.rows import Rows
from ml.learn.shared_layers import Sight, share_draws, share_statistics

LONGEST_WAIT = timedelta(minutes=30)
"""For the others: process 0 may be storing a checkpoint while the artifact store is slow. One that ends is missed at
once, by whoever started them."""

_SIDE = 64
"""Of the two pictures of a pass that teaches nothing, in pixels."""


class Together:
    """Implements ``ml.learn.ranks.Ranks`` for one of ``size`` processes, each with a device of its own."""

    def __init__(
        self, meeting: Path, rank: int, size: int, device: torch.device, batch_norm: Literal["sync", "local"]
    ) -> None:
        """Wait for all the others.

        Args:
            meeting: a file, not there yet, of a folder that all see.
            rank: this process's number.
            size: how many there are.
            device: that this one trains on.
            batch_norm: whose statistics BatchNorm takes.
        """
        self.rank, self.size = rank, size
        self._device, self._batch_norm = device, batch_norm
        backend = "nccl" if device.type == "cuda" else "gloo"
        store = dist.FileStore(str(meeting), size)  # type: ignore[attr-defined]  # it is exported
        dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=LONGEST_WAIT)
        self._talk = _group()
        # Of its own: in a backward pass BatchNorm's sums come between those of the gradients.
        self._sight = Sight(_group())
        self._wrapped: tuple[BreedNet, tuple[bool, ...], DistributedDataParallel] | None = None

    def prepare(self, model: BreedNet) -> None:
        """Change a network's layers so that what they do is done for whole batches; before anything else holds it."""
        share_draws(model, self._sight)
        if self._batch_norm == "sync":
            share_statistics(model, self._device, self._sight)

    def told(self, words: str) -> str:
        """What process 0 has said, on each."""
        said = [words]
        dist.broadcast_object_list(said, src=0, group=self._talk)
        return said[0]

    @contextmanager
    def part(self, model: BreedNet, rows: Rows | None, *, is_last: bool) -> Iterator[Network]:
        """Gradients of parts before the last stay here."""
        network = self._network(model)
        self._sight.rows = rows
        with nullcontext() if is_last else network.no_sync():
            yield network

    def _network(self, model: BreedNet) -> DistributedDataParallel:
        """The model, wrapped anew where other parameters learn than before."""
        learning = tuple(parameter.requires_grad for parameter in model.parameters())
        if self._wrapped is None or self._wrapped[0] is not model or self._wrapped[1] != learning:
            self._sight.rows = None
            self._wrapped = (model, learning, _wrapped(model, self._device))
        return self._wrapped[2]

    def mean(self, loss: Tensor) -> Tensor:
        """On the device, which is not waited for."""
        total = loss.clone()
        dist.all_reduce(total)
        return total / self.size

    def stepped(self, model: BreedNet) -> None:
        """BatchNorm's running averages, where each process has its own photos'."""
        if self._batch_norm == "sync":
            return
        averages = [
            average
            for layer in model.modules()
            if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d)
            for average in (layer.running_mean, layer.running_var)
            if average is not None
        ]
        if not averages:
            return
        together = torch.cat(averages)
        dist.all_reduce(together)
        together /= self.size
        first = 0
        for average in averages:
            average.copy_(together[first : first + len(average)])
            first += len(average)

    def agreed(self, value: float) -> float:
        """By way of the host, so that no device is waited for."""
        said = torch.tensor([value], dtype=torch.float64)
        dist.broadcast(said, src=0, group=self._talk)
        return float(said)

    def joined(self, outputs: Tensor) -> Tensor:
        """By way of the host."""
        found: list[Tensor] = [outputs] * self.size
        dist.all_gather_object(found, outputs, group=self._talk)
        return torch.cat([one for one in found if len(one)])


def _group() -> dist.ProcessGroup:
    """All of them, by way of the hosts' memory."""
    return cast("dist.ProcessGroup", dist.new_group(backend="gloo", timeout=LONGEST_WAIT))


def _wrapped(model: BreedNet, device: torch.device) -> DistributedDataParallel:
    """Its gradients become the mean over the processes; buffers are theirs, or shared by ``stepped``.

    After its first backward pass it puts the gradients that travel together into another order, on which sums of more
    than two numbers depend. That pass is made here: so all steps have the same order, those after a resume too, and a
    training that is resumed ends bit for bit like one that was not.
    """
    with warnings.catch_warnings():
        # Its new name is not in the releases before it.
        warnings.filterwarnings("ignore", message="`broadcast_buffers` is deprecated", category=FutureWarning)
        wrapped = DistributedDataParallel(model, broadcast_buffers=False)
    with restored_state(model):
        wrapped(torch.zeros(2, 3, _SIDE, _SIDE, device=device)).sum().backward()
    return wrapped
