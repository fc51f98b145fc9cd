"""A running mean of a model's weights, which generalises better than the last ones (Polyak and Juditsky 1992)."""

import copy

import torch

from ml.learn.model import BreedNet


class WeightAverage:
    """The mean of what a model was after each step, BatchNorm's statistics among it.

    ``decay`` in [0, 1) is how much of the mean stays in a step. It begins low and rises to this, as (1 + t) / (10 + t)
    after t steps: otherwise the first weights, which know nothing, would stay in a short training's mean.
    """

    def __init__(self, model: BreedNet, decay: float) -> None:
        self.model = copy.deepcopy(model)
        self._decay = decay

    @torch.no_grad()
    def stepped(self, model: BreedNet, steps: int) -> None:
        """Take in the model after its step number ``steps`` (from 1)."""
        decay = min(self._decay, (1 + steps) / (10 + steps))
        now, mean = model.state_dict(), self.model.state_dict()
        fractions = [name for name, tensor in now.items() if tensor.is_floating_point()]
        torch._foreach_lerp_([mean[n] for n in fractions], [now[n] for n in fractions], 1 - decay)
        for name in now.keys() - set(fractions):  # how many batches BatchNorm has seen
            mean[name].copy_(now[name])
