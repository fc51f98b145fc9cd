"""Finding a learning rate: a few sweeps over different batches, after which everything is as it was."""

import time
from pathlib import Path

from ml.augment.seed import derive_seed
from ml.config import LrFind, LrSweep
from ml.data.bundle import ImageSource
from ml.data.manifest import Manifest
from ml.errors import Stopped, SweepTooShort
from ml.learn.memory import halving
from ml.learn.restored import restored_state
from ml.learn.setup import Paths, set_up
from ml.learn.step import TrainStep
from ml.learn.sweep import one_sweep
from ml.reading.agreement import RateSearch
from ml.reading.suggestions import LEAST_POINTS, LEAST_STEPS
from ml.reporting import Progress, RateRecord, Reporter

__all__ = ["RateSearch", "check_sweep", "find_rate", "record_of", "search"]


def search(
    config: LrFind,
    manifest: Manifest,
    source: ImageSource,
    *,
    paths: Paths,
    reporter: Reporter,
    device: str = "auto",
    initial: Path | None = None,
    accumulation: int = 1,
) -> RateSearch:
    """The whole of an lr_find job: search on a fresh model, or on a run's, and report what was found; trains nothing.

    Args:
        config: the model, its settings and the sweeps.
        manifest: the dataset's items.
        source: the items' bytes.
        paths: folders.
        reporter: hears everything.
        device: auto, cpu or cuda.
        initial: a run's ``model.safetensors``, to search on a model that was trained.
        accumulation: parts that a batch is trained in, to begin with.

    Raises:
        LearningError: with a code, whatever a user can act on.
        Stopped: the reporter asked for it.
    """
    check_sweep(config.lr_sweep)
    setup = set_up(config, manifest, source, paths=paths, reporter=reporter, device=device, initial=initial)
    steps = config.lr_sweep.sweeps * config.lr_sweep.steps

    def attempt(accumulation: int) -> RateSearch:
        reporter.on_plan(setup.plan(steps=steps, accumulation=accumulation))
        return find_rate(setup.train_step(accumulation), freeze=config.freeze, reporter=reporter, whole_job=True)

    found = halving(attempt, config, setup.device, reporter, first=accumulation)
    reporter.on_rate(record_of(found, 0))
    return found


def find_rate(
    train_step: TrainStep, *, freeze: bool, reporter: Reporter, phase: int = 0, whole_job: bool = False
) -> RateSearch:
    """Sweep as ``train_step.config.lr_sweep`` says, on the weights as they stand with the body frozen or not.

    Each sweep sees batches, augmentation and dropout of its own, drawn from the run's seed and the sweep's number; the
    phase makes no difference. After each, the model and torch's random state are as they were, bit for bit, also where
    it ends with an error (:func:`ml.learn.restored.restored_state`).

    Args:
        train_step: what to try on.
        freeze: whether the body is frozen, as it will be in training.
        reporter: hears of the progress and is asked whether to stop.
        phase: for the progress.
        whole_job: whether nothing comes after the search, so that the time left is the job's.

    Raises:
        SweepTooShort: there are too few steps for any suggestion.
        Stopped: the reporter asked for it.
    """
    sweep = train_step.config.lr_sweep
    check_sweep(sweep)
    watch = _Watch(reporter, sweep, phase, whole_job=whole_job)
    watch.before_first()
    sweeps = []
    for number in range(sweep.sweeps):
        with restored_state(train_step.model):
            train_step.model.freeze_body(freeze)
            seed = derive_seed(train_step.config.seed, "sweep", number)
            sweeps.append(one_sweep(train_step.reseeded(seed), sweep, watch.after_step))
        watch.next_sweep()
    return RateSearch(tuple(sweeps), freeze=freeze, batch_size=train_step.config.batch_size)


def check_sweep(sweep: LrSweep) -> None:
    """Refuse a sweep that cannot have an answer, before anything is prepared.

    Raises:
        SweepTooShort: it has fewer than 23 steps.
    """
    if sweep.steps < LEAST_STEPS:
        detail = (
            f"a sweep of {sweep.steps} steps leaves fewer than {LEAST_POINTS} points, as its first tenth and its last "
            "five are not looked at"
        )
        raise SweepTooShort(detail, hint=f"Set lr_sweep.steps to {LEAST_STEPS} or more; 100 is usual.")


def record_of(found: RateSearch, phase: int) -> RateRecord:
    """The search before phase ``phase``, for the record."""
    return RateRecord(phase=phase, rate=found.rate, agreement=found.agreement, content=found.content())


class _Watch:
    """Tells how far the search is, and notices that it must stop."""

    def __init__(self, reporter: Reporter, sweep: LrSweep, phase: int, *, whole_job: bool) -> None:
        self._reporter, self._sweep, self._phase, self._whole_job = reporter, sweep, phase, whole_job
        self._ended = 0
        self._ran = 0
        self._began = time.monotonic()

    def before_first(self) -> None:
        """So that it is known that there are batches if this process is killed for its memory."""
        steps = self._sweep.sweeps * self._sweep.steps
        self._reporter.on_progress(Progress(stage="lr_find", in_batches=True, phase=self._phase, step=0, steps=steps))

    def after_step(self, step: int) -> None:
        self._ran += 1
        done, steps = self._ended * self._sweep.steps + step, self._sweep.sweeps * self._sweep.steps
        left = (time.monotonic() - self._began) / self._ran * (steps - done)
        self._reporter.on_progress(
            Progress(
                stage="lr_find",
                in_batches=True,
                phase=self._phase,
                step=done,
                steps=steps,
                eta_seconds=left if self._whole_job else None,
                stage_eta_seconds=None if self._whole_job else left,
            )
        )
        if self._reporter.should_stop():
            raise Stopped

    def next_sweep(self) -> None:
        self._ended += 1
