"""Renew a run's interpretation: predict its validation side again with the stored weights."""

from pathlib import Path

import torch

from ml.batches import ValidationBatches
from ml.bundle import ImageSource
from ml.config import ResolvedConfig
from ml.errors import Stopped
from ml.evaluation import predict_logits
from ml.manifest import Manifest
from ml.model import build_model
from ml.precision import choose_device, choose_precision
from ml.predictions import PREDICTIONS, label_ids, read_logits
from ml.reporting import Progress, Reporter
from ml.split import make_split
from ml.training import FitResult, Places, presized
from ml.versions import check_versions
from ml.weights import load_state


def interpret(
    config: ResolvedConfig,
    manifest: Manifest,
    source: ImageSource,
    *,
    places: Places,
    reporter: Reporter,
    model: Path,
    device: str = "auto",
) -> FitResult:
    """Predict the run's validation side with ``model`` (a folder with ``model.safetensors``).

    Raises:
        LearningError: with a code, whatever a user can act on.
        Stopped: the reporter asked for it.
    """
    check_versions()
    chosen = choose_device(device)
    split = make_split(manifest, config.valid_pct, config.split_seed)
    cache = presized(config, manifest, source, places, reporter)
    network = build_model(config.arch, len(manifest.vocab), None)
    network.load_state_dict(load_state(model / "model.safetensors"))
    batches = ValidationBatches(cache, label_ids(manifest), split.valid, config)
    total = -(-len(split.valid) // config.batch_size)
    done = 0

    def tell() -> None:
        nonlocal done
        done += 1
        reporter.on_progress(Progress(stage="interpret", step=done, steps=total))
        if reporter.should_stop():
            raise Stopped

    logits = predict_logits(
        network.to(chosen).to(memory_format=torch.channels_last),
        batches.load(chosen),
        precision=choose_precision(config.precision, chosen),
        device=chosen,
        on_batch=tell,
    )
    reading = read_logits(config.loss, logits, manifest, split.valid, places.work)
    return FitResult({PREDICTIONS: places.work / PREDICTIONS}, reading)
