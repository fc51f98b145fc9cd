"""Serving: a trained model answers for single pictures, exactly as it did in validation or by a quicker way."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ml.augment.augment import training_pixels, validation_pixels
from ml.augment.draws import draw_copies
from ml.augment.seed import generator
from ml.config import LossName
from ml.decode.direct import direct
from ml.decode.images import Limits, judged, view
from ml.decode.views import View
from ml.judge.judgement import Judgement
from ml.learn.losses import scores_of
from ml.learn.precision import choose_device
from ml.learn.tta import COPIES, combine
from ml.run_files import DESCRIPTION
from ml.serve.description import Description
from ml.serve.engine import Engine, Prepared
from ml.serve.engines import load_engine
from ml.serve.judgement import JudgedScores, judge, read_judgement
from ml.serve.outputs import Output, Outputs
from ml.serve.two_steps import two_steps
from ml.serve.way import InputName, Way
from ml.serve.ways import exact_way

_QUICK: Mapping[InputName, Callable[[bytes, Limits, int, int, int], Prepared | None]] = {
    "direct": direct,
    "two_steps": two_steps,
}


@dataclass(frozen=True)
class Classifier:
    """A loaded model. Every method may be called from any thread."""

    about: Description
    way: Way
    engine: Engine
    judgement: Judgement | None = None
    """How far its answers can be trusted; None where the run left nothing to say that with."""

    @classmethod
    def load(cls, folder: Path, device: str = "auto", way: Way | None = None) -> Self:
        """Read ``model.json`` and ``model.safetensors``, and what lies beside them for judging answers.

        Args:
            folder: where they are.
            device: auto, cpu or cuda.
            way: by default the exact one, which is validation's.

        Raises:
            CheckpointInvalid: a file is missing, broken or of another format version.
            DeviceUnavailable: the device is not there.
        """
        about = Description.read(folder / DESCRIPTION)
        chosen = choose_device(device)
        used = way or exact_way(about, chosen)
        judgement = read_judgement(folder, about.loss, about.vocab)
        return cls(about, used, load_engine(folder, about, used, chosen), judgement)

    @property
    def concurrency(self) -> int:
        """How many threads may be in ``run`` at a time to advantage."""
        return self.engine.concurrency

    @property
    def batch(self) -> int | None:
        """The most pictures that one ``run`` is good for; None: as many as there are."""
        return self.engine.batch

    @property
    def vocab(self) -> tuple[str, ...]:
        """The breeds, in the order of logits and scores."""
        return self.about.vocab

    @property
    def arch(self) -> str:
        """Torchvision's name."""
        return self.about.arch

    @property
    def drawn(self) -> bool:
        """True where the model learned from drawn pictures."""
        return self.about.drawn

    @property
    def loss(self) -> LossName:
        """What it was trained with; it decides what the scores sum to."""
        return self.about.loss

    @property
    def copies(self) -> int:
        """How many inputs ``prepare_copies`` makes of a picture: the plain one and the changed."""
        return COPIES + 1

    def prepare(self, data: bytes, limits: Limits) -> Prepared:
        """Decode one picture and bring it to the model's size; what a quicker input is not for goes the exact way.

        Raises:
            ImageRejected: the bytes are not a picture within the limits.
        """
        limits = judged(data, limits)
        about, quick = self.about, _QUICK.get(self.way.input)
        pixels = quick and quick(data, limits, about.size, about.presize, about.decoding)
        return _prepared(self._exact(self._squares(data, limits, 0.5))) if pixels is None else pixels

    def prepare_copies(self, data: bytes, limits: Limits) -> list[Prepared]:
        """One picture plain and, after that, ``COPIES`` times changed as in training; equal bytes get equal changes.

        Raises:
            ImageRejected: the bytes are not a picture within the limits.
        """
        chance = generator(int.from_bytes(hashlib.sha256(data).digest()[:8], "big"), "tta")
        copies = draw_copies(COPIES, self.about.augment, self.about.min_scale, chance)
        squares = self._squares(data, limits, 0.5, *(draws.positions.item() for draws in copies))
        changed = (
            training_pixels(square, draws, self.about.size)
            for square, draws in zip(squares[1:, None], copies, strict=True)
        )
        return [_prepared(one) for one in (self._exact(squares[:1]), *changed)]

    def run(self, batch: Sequence[Prepared]) -> Outputs:
        """The outputs of prepared inputs; at a time as many threads as ``concurrency`` gain by it."""
        return self.engine.run(batch)

    def scores(self, outputs: Sequence[Output]) -> NDArray[np.float32]:
        """One picture's scores in [0, 1], [classes]; under cross-entropy they sum to 1.

        Args:
            outputs: of its only input, or of those that ``prepare_copies`` made of it, in their order.
        """
        rows = scores_of(self.loss, torch.from_numpy(np.stack([one.logits for one in outputs])))
        averaged = rows if len(rows) == 1 else combine(rows[:1], rows[1:, None])
        found: NDArray[np.float32] = averaged[0].float().numpy()
        return found

    def judge(self, outputs: Sequence[Output]) -> JudgedScores:
        """What is thought of one picture, from the outputs of its only input or of its copies, in their order."""
        return judge(self.judgement, self.loss, outputs)

    def warm_up(self) -> None:
        """Pay for the first call's allocations and kernels before anyone waits."""
        side = self.about.size
        self.run([np.zeros((side, side, 3), np.float32)])

    def close(self) -> None:
        """Give the memory back; nobody may be in ``run`` then or later."""
        self.engine.close()

    def _squares(self, data: bytes, limits: Limits, *positions: float) -> Tensor:
        """uint8 [positions, presize, presize, 3]."""
        wanted = View("squares", self.about.presize, positions)
        return torch.from_numpy(view(data, limits, wanted, self.about.decoding)[0])

    def _exact(self, square: Tensor) -> Tensor:
        """Validation's resize: uint8 [1, presize, presize, 3] → float32 [1, 3, size, size] in 0-255."""
        return validation_pixels(square, self.about.size)


def _prepared(pixels: Tensor) -> Prepared:
    """From float32 [1, 3, size, size]."""
    found: Prepared = pixels[0].permute(1, 2, 0).contiguous().numpy()
    return found
