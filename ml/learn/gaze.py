"""A network looks at photos once, for what is worked out from that afterwards."""

import torch
from torch import Tensor

from ml.learn.batches import ValidationBatches
from ml.learn.features_progress import FeaturesProgress
from ml.learn.model import BreedNet
from ml.learn.precision import Precision
from ml.reporting import Reporter


class Gaze:
    """Looks, tells how far it is, and notices that it must stop; ``pictures`` is how many there are in all."""

    def __init__(
        self,
        model: BreedNet,
        precision: Precision,
        device: torch.device,
        parts: int,
        reporter: Reporter,
        pictures: int,
    ) -> None:
        self._model, self._precision, self._device, self._parts = model.eval(), precision, device, parts
        self._progress = FeaturesProgress(reporter, pictures)
        self._progress.begin()

    def features(self, batches: ValidationBatches) -> Tensor:
        """What it makes of them, float32 [n, features] on the CPU.

        Raises:
            Stopped: the reporter asked for it.
        """
        return self._look(batches, 0)

    def read(self, batches: ValidationBatches) -> Tensor:
        """What its last layer reads of them, float32 [n, read] on the CPU.

        Raises:
            Stopped: the reporter asked for it.
        """
        return self._look(batches, -self._model.read)

    def _look(self, batches: ValidationBatches, first: int) -> Tensor:
        found = []
        for batch in batches.load(self._device, self._parts):
            with torch.inference_mode(), self._precision.autocast(self._device):
                found.append(self._model.outputs(batch)[1][:, first:].float().cpu().clone())
            self._progress.add(len(batch))
        return torch.cat(found).clone()
