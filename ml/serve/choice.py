"""The quickest way for a model to answer on this machine, of those that answer as its validation did."""

import logging
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from ml import cores
from ml.decode.images import Limits
from ml.errors import DeviceUnavailable
from ml.learn.precision import choose_device
from ml.run_files import DESCRIPTION
from ml.serve.classifier import Classifier
from ml.serve.description import Description
from ml.serve.machine import machine_kind
from ml.serve.speed import BATCH, prepare_ms, speed
from ml.serve.way import InputName, Way
from ml.serve.ways import exact_way, quick_ways

logger = logging.getLogger(__name__)

Rows = NDArray[np.float32]

TOP1_EQUAL = 0.995
"""Least share of samples whose first breed stays the first."""
MOST_MOVED = 0.02
"""Most that a probability may move by another way of computing it, where the run's own format allows no more."""
MOST_NOISE = 0.04
"""Most that a probability may move where the run's own format is no exacter on the whole."""
MORE_NOISE = 2.0
"""How many times the root mean square of the run's own format a way's may be; 200 photos tell it to a quarter."""
NEARER: tuple[InputName, ...] = ("two_steps", "exact")
"""What is tried where the direct input moves answers, the quickest first."""
MOST_SAMPLES = 200
"""Enough for one other first breed to be allowed."""
MOST_PROBLEM = 500
"""Letters of an engine's error that are kept."""


@dataclass(frozen=True)
class Sample:
    """A validation photo of the run, as a file, and the probabilities stored for it: float32 [classes]."""

    data: bytes
    probabilities: Rows


@dataclass(frozen=True)
class Candidate:
    """A way that was tried.

    ``pictures_per_second`` is of the engine alone, many at a time; ``latency_ms`` a lone picture's; ``prepare_ms`` what
    one core takes to bring a sample from its file to the engine. ``top1_equal`` (a share) and ``most_moved`` (a
    probability) are of the first ``pictures`` samples; None where a quicker way had passed already, or this one did not
    run: ``problem`` says why.
    """

    way: Way
    pictures_per_second: float | None
    latency_ms: float | None
    top1_equal: float | None
    most_moved: float | None
    pictures: int
    passed: bool
    prepare_ms: float | None = None
    problem: str | None = None

    def milliseconds(self) -> float:
        """A picture's share of the machine, where cores prepare pictures beside the engine."""
        if self.pictures_per_second is None:
            return math.inf
        return 1000 / self.pictures_per_second + (self.prepare_ms or 0) / cores.worth_starting()


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

    @staticmethod
    def read(content: object) -> "Choice":
        """From a record.

        Raises:
            ValueError: it is none, or of another version of this program.
        """
        return _CONTENT.validate_python(content)


_CONTENT = TypeAdapter(Choice)


def recorded_choice(version: int, content: object) -> Choice | None:
    """What a version's record holds; None where nothing was measured, or by a program that wrote it in another form."""
    if content is None:
        return None
    try:
        return Choice.read(content)
    except ValueError as error:
        logger.warning("version %d: its recorded choice cannot be read: %s", version, error)
        return None


def choose(folder: Path, samples: Sequence[Sample], limits: Limits, device: str = "auto") -> Choice:
    """Measure and check, within some seconds, one way after the other in memory.

    The exact way is always allowed. Another is where its answers to the samples are those stored: the first breed for
    99.5 % of them, and no probability moved by more than 0.02. What was validated in bf16 or fp16 is known to that
    format's noise alone, up to 0.03 where a model is unsure. So there all is held to what fp32 says, from which a
    probability may lie up to 0.04 where the way is no noisier on the whole than what is stored; and the first breed may
    be either's.

    Args:
        folder: with the model's files.
        samples: of the run's validation side; the first 200 count. Without any, the exact way is chosen.
        limits: what a picture may cost.
        device: auto, cpu or cuda.

    Raises:
        CheckpointInvalid: a file of the model is missing or broken.
        DeviceUnavailable: the device is not there.
    """
    about, chosen = Description.read(folder / DESCRIPTION), choose_device(device)
    exact = exact_way(about, chosen)
    trial = _Trial(folder, device, samples[:MOST_SAMPLES], limits, exact)
    if samples and about.precision != "fp32":
        trial = replace(trial, unrounded=trial.answers(replace(exact, precision="fp32")))
    tried = [trial.exact()]
    for way in quick_ways(exact, chosen) if samples else ():
        tried += trial.of(way, min(one.milliseconds() for one in tried if one.passed))
    ranked = sorted(tried, key=Candidate.milliseconds)
    return Choice(next(one.way for one in ranked if one.passed), machine_kind(device), tuple(ranked))


@dataclass(frozen=True)
class _Trial:
    """Tries one way after the other."""

    folder: Path
    device: str
    samples: Sequence[Sample]
    limits: Limits
    known: Way
    """The one that needs no check."""
    unrounded: Rows | None = None
    """The exact way's answers in fp32, where validation's format was another."""

    def answers(self, way: Way) -> Rows:
        """Probabilities of the samples, [samples, classes]."""
        with self._loaded(way) as classifier:
            return self._answers(classifier)

    def exact(self) -> Candidate:
        """The way that needs no check."""
        with self._loaded(self.known) as classifier:
            return replace(self._timed(classifier), passed=True)

    def of(self, way: Way, to_beat: float) -> list[Candidate]:
        """The way; where its answers are others, also its engine with inputs that are nearer to validation's.

        Args:
            way: with the direct input.
            to_beat: milliseconds a picture of the best that has passed; what is slower is not checked.
        """
        tried = [self._judged(way, to_beat)]
        for nearer in (replace(way, input=one) for one in NEARER):
            if tried[-1].passed or tried[-1].pictures == 0 or nearer == self.known:
                break
            tried.append(self._judged(nearer, to_beat))
        return tried

    def _judged(self, way: Way, to_beat: float) -> Candidate:
        try:
            with self._loaded(way) as classifier:
                candidate = self._timed(classifier)
                return candidate if candidate.milliseconds() > to_beat else self._checked(candidate, classifier)
        except (RuntimeError, DeviceUnavailable) as error:
            # An engine that does not take this network, or this machine: told in the record, and the others remain.
            return Candidate(way, None, None, None, None, 0, passed=False, problem=str(error)[:MOST_PROBLEM])

    @contextmanager
    def _loaded(self, way: Way) -> Iterator[Classifier]:
        classifier = Classifier.load(self.folder, self.device, way)
        try:
            classifier.warm_up()
            yield classifier
        finally:
            classifier.close()

    def _timed(self, classifier: Classifier) -> Candidate:
        files = [sample.data for sample in self.samples[:BATCH]]
        prepare = prepare_ms(classifier, files, self.limits) if files else None
        return Candidate(
            classifier.way,
            *speed(classifier, choose_device(self.device)),
            None,
            None,
            0,
            passed=False,
            prepare_ms=prepare,
        )

    def _checked(self, candidate: Candidate, classifier: Classifier) -> Candidate:
        """How far the classifier's probabilities lie from those of the validation."""
        stored = np.stack([sample.probabilities for sample in self.samples])
        unrounded = stored if self.unrounded is None else self.unrounded
        found = self._answers(classifier)
        equal, moved = apart(found, stored, unrounded)
        passed = equal >= TOP1_EQUAL and is_near(found, stored, unrounded)
        return replace(candidate, top1_equal=equal, most_moved=moved, pictures=len(stored), passed=passed)

    def _answers(self, classifier: Classifier) -> Rows:
        rows = []
        for first in range(0, len(self.samples), BATCH):
            batch = [classifier.prepare(one.data, self.limits) for one in self.samples[first : first + BATCH]]
            rows += [classifier.scores([output]) for output in classifier.run(batch)]
        return np.stack(rows)


def is_near(found: Rows, stored: Rows, unrounded: Rows) -> bool:
    """Whether no probability has moved by more than it may, all [n, classes].

    The farthest of some thousand probabilities says little of a number format's noise: of two draws of the same noise
    one has it at 0.017, the other at 0.035. Their root mean square does, so that it decides between the two bounds.
    """
    moved = _farthest(found, unrounded)
    is_as_exact = _noise(found, unrounded) <= MORE_NOISE * _noise(stored, unrounded)
    return moved <= MOST_MOVED or (moved <= MOST_NOISE and is_as_exact)


def apart(found: Rows, stored: Rows, unrounded: Rows) -> tuple[float, float]:
    """The share of rows whose first class is either's, and how far the farthest value lies from fp32's.

    Args:
        found: [n, classes], as the other two.
        stored: in validation's number format.
        unrounded: the same in fp32.
    """
    first = found.argmax(1)
    equal = (first == stored.argmax(1)) | (first == unrounded.argmax(1))
    return float(equal.mean()), _farthest(found, unrounded)


def _noise(one: Rows, other: Rows) -> float:
    return float(np.sqrt(np.mean(np.square(one.astype(np.float64) - other))))


def _farthest(one: Rows, other: Rows) -> float:
    moved = float(np.abs(one - other).max())
    # What is no number is as far away as can be.
    return math.inf if math.isnan(moved) else moved
