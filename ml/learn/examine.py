"""Renew a run's interpretation: predict its validation side, or another dataset, again with the stored weights."""

import time
from collections.abc import Sequence
from pathlib import Path

import torch

from ml.config import ResolvedConfig
from ml.data.bundle import ImageSource
from ml.data.manifest import Manifest
from ml.data.split import make_split
from ml.errors import DatasetUnusable, Stopped
from ml.fetch.weights import load_state
from ml.learn.batches import ValidationBatches, cuts
from ml.learn.evaluation import predict_logits
from ml.learn.judging import fit_on
from ml.learn.memory import PREDICTED, halving, keep_freed_memory
from ml.learn.model import BreedNet, build_model
from ml.learn.precision import choose_device, choose_precision
from ml.learn.predictions import LearnedPictures, read_averages, read_logits
from ml.learn.setup import Paths, presized
from ml.learn.training import FitResult
from ml.learn.tta import COPIES, tta_scores
from ml.reading.metrics import Reading
from ml.reporting import Progress, Reporter
from ml.run_files import PREDICTIONS, WEIGHTS
from ml.versions import check_versions


def interpret(
    config: ResolvedConfig,
    manifest: Manifest,
    source: ImageSource,
    *,
    paths: Paths,
    reporter: Reporter,
    model: Path,
    device: str = "auto",
    tta: bool = False,
    learned: Manifest | None = None,
    accumulation: int = 1,
    earlier: frozenset[str] = frozenset(),
) -> FitResult:
    """Predict with ``model`` (a folder with ``model.safetensors``): the validation side, or all of another dataset.

    Args:
        config: what the run was trained by.
        manifest: the dataset to predict.
        source: its items' bytes.
        paths: folders.
        reporter: hears of the progress and is asked whether to stop.
        model: the run's weights.
        device: auto, cpu or cuda.
        tta: average each picture's scores over augmented copies.
        learned: the run's own dataset, where ``manifest`` is another; then every item is predicted, the vocabulary
            stays the model's, and each row says whether the model was trained on that very picture.
        accumulation: parts that a batch is predicted in, to begin with: what the run was trained in. Where the memory
            does not hold a whole one, it is done once more, in two halves.
        earlier: sha256 (hex) of the pictures that the runs before this one were trained on, whose weights it goes back
            to; where there are any, rows of the run's own dataset say the same.

    Raises:
        DatasetUnusable: the other dataset has a breed that the model does not know.
        LearningError: with a code, whatever else a user can act on.
        Stopped: the reporter asked for it.
    """
    check_versions()
    chosen = choose_device(device)
    precision = choose_precision(config.precision, chosen)
    items, known = _chosen(config, manifest, learned, earlier)
    cache = presized(config, manifest, source, paths, reporter)
    keep_freed_memory(chosen)

    def predict(parts: int) -> Reading:
        network = _network(config.arch, len(config.vocab((learned or manifest).vocab)), model, chosen)
        tell = _Teller(reporter, len(cuts(len(items), config.batch_size, parts)) * (COPIES + 1 if tta else 1))
        if tta:
            scores = tta_scores(
                network, cache, items, config, precision=precision, device=chosen, on_batch=tell, parts=parts
            )
            return read_averages(config.loss, scores, manifest, items, paths.work, known)
        inputs = ValidationBatches(cache, (), items, config).load(chosen, parts)
        logits = predict_logits(network, inputs, precision=precision, device=chosen, on_batch=tell)
        calibrated = fit_on(config.loss, logits, manifest, items, known).calibrated if learned is None else None
        return read_logits(config.loss, logits, manifest, items, paths.work, known, calibrated)

    reading = halving(predict, config, chosen, reporter, first=accumulation, doing=PREDICTED)
    return FitResult({PREDICTIONS: paths.work / PREDICTIONS}, reading)


def _chosen(
    config: ResolvedConfig, manifest: Manifest, learned: Manifest | None, earlier: frozenset[str]
) -> tuple[Sequence[int], LearnedPictures | None]:
    """Which items are predicted, and what the model was trained on, where a row is to say so."""
    base = learned or manifest
    own = make_split(base, config)
    known = LearnedPictures(config.vocab(base.vocab), earlier | {base.items[i].sha256 for i in own.train})
    if learned is None:
        return own.valid, known if earlier or config.added else None
    _check_breeds(manifest, known.vocab)
    return range(len(manifest.items)), known


def _network(arch: str, classes: int, model: Path, device: torch.device) -> BreedNet:
    network = build_model(arch, classes, None)
    network.load_state_dict(load_state(model / WEIGHTS))
    return network.to(device).to(memory_format=torch.channels_last)


def _check_breeds(manifest: Manifest, known: Sequence[str]) -> None:
    unknown = [breed for breed in manifest.vocab if breed not in known]
    if unknown:
        detail = f"dataset {manifest.name!r} has {len(unknown)} of its breeds unknown to the model: {unknown[0]!r} …"
        raise DatasetUnusable(detail, hint="Choose a dataset whose breeds are all among the model's.")


class _Teller:
    """Progress before the first batch and after each, with the time left; also where it sees that it must stop."""

    def __init__(self, reporter: Reporter, steps: int) -> None:
        self._reporter, self._steps = reporter, steps
        self._done, self._began = 0, time.monotonic()
        # Before the first batch: if this process is killed for its memory, it is known that there are batches.
        self._tell(None)

    def __call__(self) -> None:
        self._done += 1
        left = (time.monotonic() - self._began) / self._done * (self._steps - self._done)
        self._tell(left)
        if self._reporter.should_stop():
            raise Stopped

    def _tell(self, left: float | None) -> None:
        self._reporter.on_progress(
            Progress(stage="interpret", in_batches=True, step=self._done, steps=self._steps, eta_seconds=left)
        )
