"""A network looks at photos once, for what is worked out from that afterwards."""

import time

import torch
from torch import Tensor

from ml.errors import Stopped
from ml.learn.batches import ValidationBatches
from ml.learn.model import BreedNet
from ml.learn.precision import Precision
from ml.reporting import Progress, Reporter


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
        self._reporter, self._pictures, self._done = reporter, pictures, 0
        self._began = time.monotonic()
        # Before the first batch: if this process is killed for its memory, it is known that there are batches.
        self._tell(None)

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
            self._seen(len(batch))
        return torch.cat(found).clone()

    def _seen(self, pictures: int) -> None:
        self._done += pictures
        self._tell((time.monotonic() - self._began) / self._done * (self._pictures - self._done))
        if self._reporter.should_stop():
            raise Stopped

    def _tell(self, left: float | None) -> None:
        self._reporter.on_progress(
            Progress(stage="features", in_batches=True, step=self._done, steps=self._pictures, stage_eta_seconds=left)
        )
