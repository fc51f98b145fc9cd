"""A few real steps on made-up pictures: how fast this machine trains a kind of model, and what memory it takes.

The pictures are noise, but go the way that real ones go: uint8 at presize, augmented by ``training_input`` with a
batch's random changes, through the model, the loss, the backward pass and the optimizer.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

import torch

from ml.augment.augment import validation_input
from ml.augment.draws import draws_of_step
from ml.augment.seed import generator, seed_torch
from ml.config import TrainSettings
from ml.errors import Stopped
from ml.learn.batches import SampledBatch, TrainingBatches
from ml.learn.evaluation import predict_logits
from ml.learn.memory import halving, keep_freed_memory, peak_memory_bytes
from ml.learn.model import build_model
from ml.learn.objective import Objective
from ml.learn.precision import choose_device, choose_precision
from ml.learn.schedule import Hypers
from ml.learn.setup import describe_device
from ml.learn.step import TrainStep
from ml.reporting import NullReporter, Reporter

CLASSES = 37
LEAST_STEPS = 3
MOST_STEPS = 20
ENOUGH_SECONDS = 2.0
"""A fast machine is timed for this long, or for MOST_STEPS, so that one hiccup does not decide."""

PATIENCE_SECONDS = 8.0
"""A slow one stops after the step that passes this, warm-up included, even before LEAST_STEPS; where not even two steps
fit into it, part of a batch is timed, and the memory of a whole one stays unknown."""

PROBE_PICTURES = 8
VALID_STEPS = 2
_HYPERS = Hypers(lr=(1e-6, 1e-6, 1e-6), momentum=0.9)


@dataclass(frozen=True)
class PhaseThroughput:
    """One kind of phase: training at the median step and at each timed one, validation; peak memory in bytes."""

    freeze: bool
    images_per_second: float
    valid_images_per_second: float
    step_images_per_second: list[float]
    step_pictures: int
    """Pictures in a timed step: a batch, or the part of it that was timed."""
    accumulation: int
    """Parts that they were trained in: 2 where the memory does not hold a whole batch."""
    peak_memory_bytes: int | None


@dataclass(frozen=True)
class Throughput:
    """What was measured, and where: device and precision as a run's plan names them."""

    device: str
    precision: str
    kinds: tuple[PhaseThroughput, ...]


def measure_throughput(
    settings: TrainSettings, device: str = "auto", *, reporter: Reporter | None = None, accumulation: int = 1
) -> Throughput:
    """Time training steps with the body frozen and without, and validation steps.

    Where the memory does not hold a batch, all are timed with each batch in two halves, as a training would go on.

    Args:
        settings: which model, at which sizes, batch and precision.
        device: auto, cpu or cuda.
        reporter: is asked before each step whether to stop; None: nobody asks to.
        accumulation: parts of a batch to begin with; 2 where it is known that a whole one does not fit.

    Raises:
        OutOfMemory: a step does not fit the device, in two halves neither.
        Stopped: the reporter said so.
        LearningError: the device or the precision is not to be had.
    """
    reporter = reporter or NullReporter()
    chosen = choose_device(device)
    precision = choose_precision(settings.precision, chosen)
    keep_freed_memory(chosen)

    def timed(accumulation: int) -> tuple[PhaseThroughput, ...]:
        seed_torch(settings.seed, "throughput")
        model = build_model(settings.arch, CLASSES, None).to(chosen).to(memory_format=torch.channels_last)
        noise = Noise(settings)
        train_step = TrainStep(
            config=settings,
            model=model,
            objective=Objective(settings.loss, settings.label_smoothing),
            batches=noise,
            device=chosen,
            precision=precision,
            accumulation=accumulation,
        )
        return _time_kinds(_Timing(train_step, noise, reporter))

    kinds = halving(timed, settings, chosen, reporter, first=accumulation)
    return Throughput(describe_device(chosen), precision.name, kinds)


class Noise(TrainingBatches):
    """One batch of noise, drawn from the seed, that changes anew at each step; ``pictures`` of it are used."""

    def __init__(self, settings: TrainSettings) -> None:
        chance = generator(settings.seed, "noise")
        shape = (settings.batch_size, settings.presize, settings.presize, 3)
        self.pictures = settings.batch_size
        self.pixels = torch.randint(0, 256, shape, dtype=torch.uint8, generator=chance)
        self.classes = torch.randint(0, CLASSES, (settings.batch_size,), generator=chance)
        self._config = settings

    def sample(self, step: int) -> SampledBatch:
        """The batch, copied, as gathering it from the presized cache does."""
        config = self._config
        draws = draws_of_step(self.pictures, config.augment, config.min_scale, config.seed, step)
        return SampledBatch(self.pixels[: self.pictures].clone(), self.classes[: self.pictures], draws)


def _time_kinds(timing: "_Timing") -> tuple[PhaseThroughput, ...]:
    # Frozen first: it takes less memory, and a process' peak only rises.
    found = [(freeze, *_time_training(timing, freeze=freeze)) for freeze in (True, False)]
    part = -(-found[-1][1] // timing.train_step.accumulation)
    valid = part / median(_timed(lambda: timing.validate(part), timing, least=VALID_STEPS))
    return tuple(
        PhaseThroughput(
            freeze=freeze,
            images_per_second=pictures / median(seconds),
            valid_images_per_second=valid,
            step_images_per_second=[pictures / one for one in seconds],
            step_pictures=pictures,
            accumulation=timing.train_step.accumulation,
            peak_memory_bytes=peak,
        )
        for freeze, pictures, seconds, peak in found
    )


def _time_training(timing: "_Timing", *, freeze: bool) -> tuple[int, list[float], int | None]:
    """Pictures in a timed step, seconds of each, and peak memory where whole batches were timed."""
    timing.start(freeze=freeze)
    batch = timing.train_step.config.batch_size
    few = min(PROBE_PICTURES, batch)
    timing.train(few)
    each = timing.seconds_of(lambda: timing.train(few)) / few
    pictures = step_pictures(batch, each)
    seconds = _timed(lambda: timing.train(pictures), timing, least=LEAST_STEPS)
    return pictures, seconds, peak_memory_bytes(timing.device) if pictures == batch else None


def step_pictures(batch: int, seconds_each: float) -> int:
    """How many pictures a timed step has: a batch, or what lets four steps fit into PATIENCE_SECONDS."""
    if 2 * batch * seconds_each <= PATIENCE_SECONDS:
        return batch
    return min(batch, max(PROBE_PICTURES, int(PATIENCE_SECONDS / 4 / seconds_each)))


class _Timing:
    """Steps to be timed; ``start`` before ``train``."""

    def __init__(self, train_step: TrainStep, noise: Noise, reporter: Reporter) -> None:
        self.train_step, self.noise, self.reporter = train_step, noise, reporter
        self.device = train_step.device
        self.steps = 0

    def start(self, *, freeze: bool) -> None:
        self.train_step.model.train()
        self.train_step.model.freeze_body(freeze)
        self.optimizer, self.scaler = self.train_step.optimizer(), self.train_step.scaler()

    def train(self, pictures: int) -> None:
        self.noise.pictures = pictures
        self.train_step.take(self.noise.sample(self.steps), self.steps, self.optimizer, _HYPERS, self.scaler)
        self.steps += 1

    def validate(self, pictures: int) -> None:
        train_step = self.train_step
        inputs = validation_input(self.noise.pixels[:pictures].clone().to(self.device), train_step.config.size)
        predict_logits(train_step.model, iter([inputs]), precision=train_step.precision, device=self.device)

    def seconds_of(self, step: Callable[[], None]) -> float:
        if self.reporter.should_stop():
            raise Stopped
        started = time.perf_counter()
        step()
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.perf_counter() - started


def _timed(step: Callable[[], None], timing: "_Timing", *, least: int) -> list[float]:
    """Seconds of each step after the first, which warms up."""
    began = time.perf_counter()
    timing.seconds_of(step)
    timed: list[float] = []
    while len(timed) < least or (sum(timed) < ENOUGH_SECONDS and len(timed) < MOST_STEPS):
        timed.append(timing.seconds_of(step))
        if time.perf_counter() - began >= PATIENCE_SECONDS:
            break
    return timed
