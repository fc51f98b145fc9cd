"""What a phase trains, and on what."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor

from ml.learn.batches import TrainingBatches, ValidationBatches
from ml.learn.model import BreedNet


@dataclass(frozen=True)
class Lesson:
    """``part`` gives what is trained of a whole model; it shares the model's tensors, by the same names."""

    part: Callable[[BreedNet], BreedNet]
    training: TrainingBatches
    validation: ValidationBatches

    def tensors(self, models: Mapping[str, BreedNet]) -> dict[str, Tensor]:
        """What is trained of each whole model, as KIND/NAME."""
        return {
            f"{kind}/{name}": tensor
            for kind, model in models.items()
            for name, tensor in self.part(model).state_dict().items()
        }


def whole(model: BreedNet) -> BreedNet:
    """All of it."""
    return model
