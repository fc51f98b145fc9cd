"""A classifier that costs nothing: it looks at the mean colour, and can be made to wait or to fail."""

import io
import json
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ml.config import LossName
from ml.decode.images import Limits
from ml.judge.judgement import Judgement
from ml.serve.judgement import JudgedScores, judge, read_judgement
from ml.serve.outputs import Output, Outputs
from ml.serve.way import Way
from tests.ml.pictures import open_rgb
from tests.patience import PATIENCE_SECONDS

Colour = NDArray[np.float32]


class FakeClassifier:
    """Red pictures are the first breed, green ones the second, blue ones the third."""

    def __init__(
        self,
        vocab: Sequence[str],
        arch: str,
        *,
        drawn: bool,
        marker: bytes = b"",
        loss: LossName = "cross_entropy",
        judgement: Judgement | None = None,
    ) -> None:
        self.vocab = tuple(vocab)
        self.arch = arch
        self.drawn = drawn
        self.loss = loss
        self.judgement = judgement
        self.marker = marker
        self.copies = 5
        self.concurrency = 1
        self.batch: int | None = None
        self.closed = False
        self.batches: list[int] = []
        self.may_go = threading.Event()
        self.may_go.set()
        self.warm = False
        self.failure: Exception | None = None
        self.way: Way | None = None

    @classmethod
    def load(cls, folder: Path, way: Way | None = None) -> "FakeClassifier":
        about = json.loads((folder / "model.json").read_text())
        weights = (folder / "model.safetensors").read_bytes()
        loss: LossName = about.get("loss", "cross_entropy")
        loaded = cls(
            about["vocab"],
            about["arch"],
            drawn=about["drawn"],
            marker=weights,
            loss=loss,
            judgement=read_judgement(folder, loss, about["vocab"]),
        )
        loaded.way = way
        return loaded

    def prepare(self, data: bytes, limits: Limits) -> Colour:
        picture = np.asarray(open_rgb(data, limits), dtype=np.float32)
        colour: Colour = picture.mean((0, 1)) / 255
        return colour

    def prepare_copies(self, data: bytes, limits: Limits) -> list[Colour]:
        """The picture, and four that are a little darker each."""
        colour = self.prepare(data, limits)
        return [colour * (1 - 0.1 * number) for number in range(5)]

    def run(self, batch: Sequence[Colour]) -> Outputs:
        self.batches.append(len(batch))
        assert self.may_go.wait(PATIENCE_SECONDS)
        if self.failure is not None:
            raise self.failure
        colours = np.stack(batch)
        return Outputs((colours * 8).astype(np.float32), colours)

    def judge(self, outputs: Sequence[Output]) -> JudgedScores:
        return judge(self.judgement, self.loss, outputs)

    def warm_up(self) -> None:
        self.warm = True

    def close(self) -> None:
        self.closed = True


def picture_of_zeros() -> bytes:
    """Bytes that are no picture."""
    return io.BytesIO(bytes(100)).getvalue()
