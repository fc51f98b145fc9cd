"""Serving: a trained model answers for single pictures exactly as it did in validation."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ml.augment.augment import training_input, validation_input
from ml.augment.draws import BatchDraws, draw_copies
from ml.augment.seed import generator
from ml.config import LossName
from ml.decode.images import Limits, view
from ml.decode.views import View
from ml.errors import CheckpointInvalid, PrecisionUnsupported
from ml.fetch.weights import load_state
from ml.learn.losses import scores_of
from ml.learn.model import BreedNet, build_model
from ml.learn.precision import Precision, choose_device, choose_precision
from ml.learn.tta import COPIES, combine
from ml.serve.description import Description
from ml.judge.judgement import Judgement
from ml.serve.graph import ServedGraph, load_graph
from ml.serve.judgement import Judged, judge, read_judgement
from ml.serve.outputs import Output, Outputs


@dataclass(frozen=True)
class Prepared:
    """One input of the model: uint8 [presize, presize, 3], and its random changes where it is an augmented copy."""

    pixels: Tensor
    draws: BatchDraws | None = None


@dataclass(frozen=True)
class Classifier:
    """A loaded model. Every method may be called from any thread."""

    about: Description
    graph: ServedGraph
    device: torch.device
    precision: Precision
    judgement: Judgement | None = None
    """How far its answers can be trusted; None where the run left nothing to say that with."""

    @classmethod
    def load(cls, folder: Path, device: str = "auto") -> Self:
        """Read ``model.json`` and ``model.safetensors``, and what lies beside them for judging answers.

        Raises:
            CheckpointInvalid: a file is missing, broken or of another format version.
            DeviceUnavailable: the device is not there.
        """
        about = Description.read(folder / "model.json")
        chosen = choose_device(device)
        graph = load_graph(_network(about, folder / "model.safetensors"), chosen)
        return cls(about, graph, chosen, _precision_of(about, chosen), read_judgement(folder, about.loss, about.vocab))

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
        """Decode and presize one picture.

        Raises:
            ImageRejected: the bytes are not a picture within the limits.
        """
        return Prepared(self._squares(data, limits, 0.5)[0])

    def prepare_copies(self, data: bytes, limits: Limits) -> list[Prepared]:
        """One picture plain and, after that, ``COPIES`` times changed as in training; equal bytes get equal changes.

        Raises:
            ImageRejected: the bytes are not a picture within the limits.
        """
        chance = generator(int.from_bytes(hashlib.sha256(data).digest()[:8], "big"), "tta")
        copies = draw_copies(COPIES, self.about.augment, self.about.min_scale, chance)
        plain, *squares = self._squares(data, limits, 0.5, *(draws.positions.item() for draws in copies))
        return [Prepared(plain), *(Prepared(*copy) for copy in zip(squares, copies, strict=True))]

    def run(self, batch: Sequence[Prepared]) -> Outputs:
        """One forward pass of prepared inputs."""
        with torch.inference_mode():
            inputs = self._inputs(batch)
            with self.precision.autocast(self.device):
                logits, features = self.graph.of_input(inputs)
            return Outputs(logits.cpu().numpy(), features.cpu().numpy())

    def scores(self, outputs: Sequence[Output]) -> NDArray[np.float32]:
        """One picture's scores in [0, 1], [classes]; under cross-entropy they sum to 1.

        Args:
            outputs: of its only input, or of those that ``prepare_copies`` made of it, in their order.
        """
        rows = scores_of(self.loss, torch.from_numpy(np.stack([one.logits for one in outputs])))
        averaged = rows if len(rows) == 1 else combine(rows[:1], rows[1:, None])
        found: NDArray[np.float32] = averaged[0].float().numpy()
        return found

    def judge(self, outputs: Sequence[Output]) -> Judged:
        """What is thought of one picture, from the outputs of its only input or of its copies, in their order."""
        return judge(self.judgement, self.loss, outputs)

    def warm_up(self) -> None:
        """Pay for the first call's allocations and kernels before anyone waits."""
        side = self.about.presize
        self.run([Prepared(torch.zeros(side, side, 3, dtype=torch.uint8))])

    def _squares(self, data: bytes, limits: Limits, *positions: float) -> tuple[Tensor, ...]:
        wanted = View("squares", self.about.presize, positions)
        return torch.from_numpy(view(data, limits, wanted, self.about.decoding)[0]).unbind()

    def _inputs(self, batch: Sequence[Prepared]) -> Tensor:
        """The model's input, plain pictures and augmented copies each drawn together, in the batch's order."""
        plain = [i for i, one in enumerate(batch) if one.draws is None]
        copies = [i for i, one in enumerate(batch) if one.draws is not None]
        parts = []
        if plain:
            parts.append(validation_input(self._pixels(batch, plain), self.about.size))
        if copies:
            draws = BatchDraws.join([one.draws for one in batch if one.draws is not None])
            parts.append(training_input(self._pixels(batch, copies), draws, self.about.size))
        order = torch.tensor([*plain, *copies]).argsort().to(self.device)
        return torch.cat(parts)[order].contiguous(memory_format=torch.channels_last)

    def _pixels(self, batch: Sequence[Prepared], which: Sequence[int]) -> Tensor:
        return torch.stack([batch[i].pixels for i in which]).to(self.device)


def _network(about: Description, weights: Path) -> BreedNet:
    network = build_model(about.arch, len(about.vocab), None)
    try:
        network.load_state_dict(load_state(weights))
    except (RuntimeError, OSError) as error:
        raise CheckpointInvalid(f"the weights do not fit {about.arch}: {error}") from error
    return network


def _precision_of(about: Description, device: torch.device) -> Precision:
    """The precision that the validation ran in, so that a served answer is the stored one; else the device's own.

    The latter is for a device that does not run the former, or only emulates it: a CPU never runs fp16, and without
    instructions for bf16 it takes several times as long as in fp32.
    """
    own = choose_precision("auto", device)
    try:
        trained = choose_precision(about.precision, device)
    except PrecisionUnsupported:
        return own
    emulated = trained.name == "bf16" and own.name != "bf16"
    return own if emulated else trained
