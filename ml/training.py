"""``fit``: from a resolved config and a dataset to weights, stored predictions and their reading."""

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ml.batches import TrainingBatches, ValidationBatches
from ml.bundle import ImageSource
from ml.cache import PresizedCache, open_cache
from ml.checkpoint import CheckpointKeeper, save_tensors
from ml.config import ResolvedConfig
from ml.errors import OutOfMemory, Stopped
from ml.images import Limits
from ml.interpretation import Reading
from ml.manifest import Manifest
from ml.model import BreedNet, build_model
from ml.precision import Precision, choose_device, choose_precision
from ml.predictions import PREDICTIONS, label_ids, read_logits
from ml.reporting import Plan, Progress, Reporter
from ml.seed import seed_torch
from ml.split import Split, make_split
from ml.trainer import Trainer
from ml.versions import check_versions, installed_versions
from ml.weights import WeightsFile, find_weights, load_state

MODEL_FORMAT_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class Places:
    """Folders: presized caches, weight files (or None), this run's scratch and outputs; and what is decoded at most."""

    cache: Path
    weights: Path | None
    work: Path
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True)
class FitResult:
    """What a run leaves: files by name and what its validation predictions say."""

    files: dict[str, Path]
    reading: Reading


def fit(
    config: ResolvedConfig,
    manifest: Manifest,
    source: ImageSource,
    *,
    places: Places,
    reporter: Reporter,
    keeper: CheckpointKeeper,
    device: str = "auto",
    checkpoint_seconds: float = 60.0,
    initial: Path | None = None,
) -> FitResult:
    """Train as the config says, resuming from the keeper's checkpoint where there is one.

    Args:
        config: what to train.
        manifest: the dataset's items.
        source: the items' bytes.
        places: folders.
        reporter: hears everything.
        keeper: holds checkpoints.
        device: auto, cpu or cuda.
        checkpoint_seconds: a checkpoint is kept at least this often, and at each epoch's end.
        initial: a parent run's ``model.safetensors`` to start from instead of pretrained weights.

    Raises:
        LearningError: with a code, whatever a user can act on.
        Stopped: the reporter asked for it.
    """
    check_versions()
    chosen = choose_device(device)
    precision = choose_precision(config.precision, chosen)
    split = make_split(manifest, config.valid_pct, config.split_seed)
    weights = find_weights(config.arch, places.weights) if config.pretrained and initial is None else None
    cache = presized(config, manifest, source, places, reporter)
    labels = label_ids(manifest)
    training = TrainingBatches(cache, labels, split, config)
    model = _start_model(config, len(manifest.vocab), weights, initial)
    trainer = Trainer(
        config=config,
        revision=manifest.revision,
        model=model.to(chosen).to(memory_format=torch.channels_last),
        training=training,
        validation=ValidationBatches(cache, labels, split.valid, config),
        device=chosen,
        precision=precision,
        reporter=reporter,
        keeper=keeper,
        work=places.work,
        checkpoint_seconds=checkpoint_seconds,
    )
    trainer.restore()
    reporter.on_plan(_plan(trainer, precision, weights, split))
    logits = _train(trainer)
    reading = read_logits(config.loss, logits, manifest, split.valid, places.work)
    files = {
        PREDICTIONS: places.work / PREDICTIONS,
        **save_model(trainer.model, config, manifest, reading, places.work),
    }
    return FitResult(files, reading)


def _train(trainer: Trainer) -> Tensor:
    try:
        return trainer.train()
    except torch.OutOfMemoryError as error:
        config = trainer.config
        detail = f"{config.arch} at size {config.size} and batch_size {config.batch_size} does not fit the device"
        raise OutOfMemory(detail, hint="Halve batch_size, or choose a smaller arch or size.") from error


def presized(
    config: ResolvedConfig, manifest: Manifest, source: ImageSource, places: Places, reporter: Reporter
) -> PresizedCache:
    """The dataset's presized cache, built now where it is not there yet."""
    started = time.monotonic()

    def tell(done: int, total: int) -> None:
        left = (time.monotonic() - started) * (total - done) / done if done else None
        reporter.on_progress(Progress(stage="presize", step=done, steps=total, eta_seconds=left))

    cache = open_cache(
        manifest,
        source,
        presize=config.presize,
        root=places.cache,
        limits=places.limits,
        on_progress=tell,
        should_stop=reporter.should_stop,
    )
    if reporter.should_stop():
        raise Stopped
    return cache


def save_model(
    model: BreedNet, config: ResolvedConfig, manifest: Manifest, reading: Reading, work: Path
) -> dict[str, Path]:
    """Write ``model.safetensors`` and ``model.json``, all that serving needs."""
    weights, about = work / "model.safetensors", work / "model.json"
    save_tensors(model.state_dict(), weights, {"format_version": str(MODEL_FORMAT_VERSION), "arch": config.arch})
    description: dict[str, Any] = {
        "format_version": MODEL_FORMAT_VERSION,
        "arch": config.arch,
        "loss": config.loss,
        "vocab": list(manifest.vocab),
        "size": config.size,
        "presize": config.presize,
        "config": config.model_dump(mode="json"),
        "drawn": manifest.drawn,
        "dataset": {"name": manifest.name, "revision": manifest.revision},
        "epochs": config.epochs,
        "error_rate": reading.error_rate,
        "versions": installed_versions(),
    }
    about.write_text(json.dumps(description, indent=1, ensure_ascii=False), encoding="utf-8")
    return {weights.name: weights, about.name: about}


def _start_model(config: ResolvedConfig, classes: int, weights: WeightsFile | None, initial: Path | None) -> BreedNet:
    seed_torch(config.seed, "head")
    model = build_model(config.arch, classes, load_state(weights.path) if weights else None)
    if initial is not None:
        model.load_state_dict(load_state(initial))
    return model


def _plan(trainer: Trainer, precision: Precision, weights: WeightsFile | None, split: Split) -> Plan:
    return Plan(
        device=describe_device(trainer.device),
        precision=precision.name,
        precision_reason=precision.reason,
        weights_file=weights.path.name if weights else None,
        weights_sha256=weights.sha256 if weights else None,
        versions=installed_versions(),
        train_items=len(split.train),
        valid_items=len(split.valid),
        steps=trainer.steps,
        resumed_from_step=trainer.step,
    )


def describe_device(device: torch.device) -> str:
    """``cpu`` with its threads, or the GPU's name."""
    if device.type == "cuda":
        return f"cuda ({torch.cuda.get_device_name(device)})"
    return f"cpu ({torch.get_num_threads()} threads)"
