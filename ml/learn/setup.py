"""What a training and a search for a rate both begin with: device, split, presized pictures and the first weights."""

import time
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import torch

from ml.augment.seed import seed_torch
from ml.config import TrainSettings
from ml.data.bundle import ImageSource
from ml.data.cache import PresizedCache, open_cache
from ml.data.manifest import Manifest
from ml.data.split import Split, make_split
from ml.decode.images import Limits
from ml.errors import Stopped
from ml.fetch.weights import WeightsFile, find_weights, load_state
from ml.learn.batches import TrainingBatches, ValidationBatches, check_batch
from ml.learn.memory import keep_freed_memory
from ml.learn.model import BreedNet, build_model
from ml.learn.objective import Objective, breed_weights
from ml.learn.precision import Precision, choose_device, choose_precision
from ml.learn.predictions import label_ids
from ml.learn.step import TrainStep
from ml.reporting import Plan, Progress, Reporter
from ml.versions import check_versions, installed_versions

_MIB = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Paths:
    """Folders: presized caches, weight files (or None), this run's scratch and outputs; and what is decoded at most.

    ``cache_bytes`` is what may be kept in the folder of caches; None: as much as its disk holds.
    """

    cache: Path
    weights: Path | None
    work: Path
    limits: Limits = field(default_factory=Limits)
    cache_bytes: int | None = None


@dataclass(frozen=True)
class Setup:
    """Everything that is prepared once; what learns is made of it, as often as needed.

    ``weights`` are the pretrained ones, ``initial`` a run's own; at most one of them is there.
    """

    config: TrainSettings
    manifest: Manifest
    cache: PresizedCache
    split: Split
    device: torch.device
    precision: Precision
    weights: WeightsFile | None
    initial: Path | None

    @cached_property
    def labels(self) -> list[int]:
        """Each item's label id."""
        return label_ids(self.manifest)

    @cached_property
    def training(self) -> TrainingBatches:
        return TrainingBatches(self.cache, self.labels, self.split, self.config)

    @property
    def validation(self) -> ValidationBatches:
        return ValidationBatches(self.cache, self.labels, self.split.valid, self.config)

    @cached_property
    def objective(self) -> Objective:
        config, weights = self.config, None
        if config.balance_loss:
            counts = torch.bincount(self.training.targets, minlength=len(self.manifest.vocab))
            weights = breed_weights(counts, config.balance_loss).to(self.device)
        return Objective(config.loss, config.label_smoothing, weights)

    def model(self) -> BreedNet:
        """A model with its first weights, on the device; the same each time."""
        seed_torch(self.config.seed, "head")
        pretrained = load_state(self.weights.path) if self.weights else None
        model = build_model(self.config.arch, len(self.manifest.vocab), pretrained)
        if self.initial is not None:
            model.load_state_dict(load_state(self.initial))
        return model.to(self.device).to(memory_format=torch.channels_last)

    def train_step(self, accumulation: int) -> TrainStep:
        """A model with its first weights and what one step of learning needs."""
        return TrainStep(
            config=self.config,
            model=self.model(),
            objective=self.objective,
            batches=self.training,
            device=self.device,
            precision=self.precision,
            accumulation=accumulation,
        )

    def plan(
        self,
        *,
        steps: int,
        resumed_from_step: int = 0,
        accumulation: int = 1,
        halved_from_step: int = 0,
        ranks: int = 1,
    ) -> Plan:
        each = describe_device(self.device)
        return Plan(
            device=each if ranks == 1 else f"{ranks} x {each}",
            precision=self.precision.name,
            precision_reason=self.precision.reason,
            weights_file=self.weights.path.name if self.weights else None,
            weights_sha256=self.weights.sha256 if self.weights else None,
            versions=installed_versions(),
            train_items=len(self.split.train),
            valid_items=len(self.split.valid),
            steps=steps,
            resumed_from_step=resumed_from_step,
            accumulation=accumulation,
            halved_from_step=halved_from_step if accumulation > 1 else None,
        )


def set_up(
    config: TrainSettings,
    manifest: Manifest,
    source: ImageSource,
    *,
    paths: Paths,
    reporter: Reporter,
    device: str,
    initial: Path | None,
) -> Setup:
    """Choose device and precision, split, find weights and open the cache; the cheap refusals come first.

    Raises:
        LearningError: with a code, whatever a user can act on.
        Stopped: the reporter asked for it.
    """
    check_versions()
    chosen = choose_device(device)
    precision = choose_precision(config.precision, chosen)
    split = make_split(manifest, config)
    check_batch(split, config)
    weights = _weights(config.arch, paths, reporter) if config.pretrained and initial is None else None
    cache = presized(config, manifest, source, paths, reporter)
    keep_freed_memory(chosen)
    return Setup(config, manifest, cache, split, chosen, precision, weights, initial)


def _weights(arch: str, paths: Paths, reporter: Reporter) -> WeightsFile:
    def tell(done: int, total: int) -> None:
        reporter.on_progress(Progress(stage="fetch", step=done // _MIB, steps=total // _MIB))
        if reporter.should_stop():
            raise Stopped

    return find_weights(arch, paths.weights, tell)


def presized(
    config: TrainSettings, manifest: Manifest, source: ImageSource, paths: Paths, reporter: Reporter
) -> PresizedCache:
    """The dataset's presized cache, built now where it is not there yet."""
    started = time.monotonic()

    def tell(done: int, total: int) -> None:
        left = (time.monotonic() - started) * (total - done) / done if done else None
        reporter.on_progress(Progress(stage="presize", step=done, steps=total, stage_eta_seconds=left))

    cache = open_cache(
        manifest,
        source,
        presize=config.presize,
        root=paths.cache,
        limits=paths.limits,
        on_progress=tell,
        should_stop=reporter.should_stop,
        cache_bytes=paths.cache_bytes,
    )
    if reporter.should_stop():
        raise Stopped
    return cache


def describe_device(device: torch.device) -> str:
    """``cpu`` with its threads, or the GPU's name."""
    if device.type == "cuda":
        return f"cuda ({torch.cuda.get_device_name(device)})"
    return f"cpu ({torch.get_num_threads()} threads)"
