"""The quickest way for a model to answer on this machine, of those that answer as its validation did."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from ml.decode.images import Limits
from ml.serve.classifier import Classifier
from ml.serve.machine import machine_kind
from ml.serve.way import Way

TOP1_EQUAL = 0.995
"""Least share of samples whose first breed stays the first."""
MOST_MOVED = 0.02
"""Most that a probability may move."""


@dataclass(frozen=True)
class Sample:
    """A validation photo of the run, as a file, and the probabilities stored for it: float32 [classes]."""

    data: bytes
    probabilities: NDArray[np.float32]


@dataclass(frozen=True)
class Candidate:
    """A way that was tried.

    ``pictures_per_second`` is of the engine alone, as many at a time as it is best at; ``latency_ms`` one picture's.
    ``top1_equal`` (a share) and ``most_moved`` (a probability) are of the first ``pictures`` samples; None where a
    quicker way had passed already, or the way did not run: ``problem`` says why.
    """

    way: Way
    pictures_per_second: float | None
    latency_ms: float | None
    top1_equal: float | None
    most_moved: float | None
    pictures: int
    passed: bool
    problem: str | None = None


@dataclass(frozen=True)
class Choice:
    """The way chosen on machines of the kind ``machine``, and all that were tried, quickest first."""

    way: Way
    machine: str
    candidates: tuple[Candidate, ...]

    def content(self) -> dict[str, Any]:
        """For a record, as JSON's types."""
        content: dict[str, Any] = _CONTENT.dump_python(self, mode="json")
        return content

    @classmethod
    def read(cls, content: object) -> Self:
        """From a record.

        Raises:
            ValueError: it is none, or of another version of this program.
        """
        return cls(**vars(_CONTENT.validate_python(content)))


_CONTENT = TypeAdapter(Choice)


def choose(folder: Path, samples: Sequence[Sample], limits: Limits, device: str = "auto") -> Choice:
    """Measure and check, within some seconds.

    Args:
        folder: with the model's files.
        samples: of the run's validation side; without any, the exact way is chosen.
        limits: what a picture may cost.
        device: auto, cpu or cuda.

    Raises:
        CheckpointInvalid: a file of the model is missing or broken.
        DeviceUnavailable: the device is not there.
    """
    classifier = Classifier.load(folder, device)
    exact = checked(classifier, samples, limits)
    classifier.close()
    return Choice(exact.way, machine_kind(device), (exact,))


def checked(classifier: Classifier, samples: Sequence[Sample], limits: Limits) -> Candidate:
    """How far the classifier's probabilities lie from those stored."""
    if not samples:
        return Candidate(classifier.way, None, None, None, None, 0, passed=False)
    stored = np.stack([sample.probabilities for sample in samples])
    found = np.stack([_probabilities(classifier, sample.data, limits) for sample in samples])
    equal = float((found.argmax(1) == stored.argmax(1)).mean())
    moved = float(np.abs(found - stored).max())
    passed = equal >= TOP1_EQUAL and moved <= MOST_MOVED
    return Candidate(classifier.way, None, None, equal, moved, len(samples), passed)


def _probabilities(classifier: Classifier, data: bytes, limits: Limits) -> NDArray[np.float32]:
    return classifier.scores(list(classifier.run([classifier.prepare(data, limits)])))
