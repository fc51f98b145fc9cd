"""Breeds are added to a trained model from a few photos: rows for them in its last layer, and nothing else changes.

The network looks at the new photos; what it made of the validation side, and of some photos that it learned from, was
kept by its training. What is told of the new breeds, and kept of their photos, are answers to photos that were left
out: the rows are fitted once for each fold without it, and answer among all breeds.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

import torch
import torch.nn.functional as F  # noqa: N812 - the name everyone reads it by
from torch import Tensor

from ml.config import ResolvedConfig
from ml.data.bundle import ImageSource
from ml.data.cache import PresizedCache
from ml.data.manifest import Manifest
from ml.errors import DatasetUnusable, Stopped
from ml.fetch.weights import load_state
from ml.judge.judgement import Judgement
from ml.learn.added_files import AddResult, Answers, leave_files
from ml.learn.batches import ValidationBatches
from ml.learn.gaze import Gaze
from ml.learn.known import known_items
from ml.learn.memory import PREDICTED, halving, keep_freed_memory
from ml.learn.model import BreedNet, build_model
from ml.learn.new_breeds import Addition, NewPhotos
from ml.learn.new_rows import Examples, fit_layer, held_apart
from ml.learn.precision import Precision, choose_device, choose_precision
from ml.learn.predictions import label_ids
from ml.learn.read_before import ReadBefore
from ml.learn.setup import Paths, describe_device, presized
from ml.reporting import Plan, Progress, Reporter
from ml.run_files import FEATURES, JUDGEMENT, WEIGHTS
from ml.versions import check_versions, installed_versions


def add_breeds(
    config: ResolvedConfig,
    manifest: Manifest,
    source: ImageSource,
    fresh: Sequence[NewPhotos],
    *,
    paths: Paths,
    reporter: Reporter,
    parent: Path,
    device: str = "auto",
    accumulation: int = 1,
    earlier: frozenset[str] = frozenset(),
) -> AddResult:
    """Fit rows for the breeds of ``fresh``, and measure what came of it.

    Args:
        config: of the run that has them.
        manifest: the dataset whose breeds the network was trained on.
        source: its items' bytes.
        fresh: the datasets of the new breeds, as in the config.
        paths: folders.
        reporter: hears of the progress and is asked whether to stop.
        parent: a folder with the files of the parent, which knows all but the last of ``fresh``; those for judging its
            answers and of its features may be missing, as runs of before there were such left none.
        device: auto, cpu or cuda.
        accumulation: parts that a batch is looked at in, to begin with.
        earlier: sha256 (hex) of the pictures that the runs before this one were trained on.

    Raises:
        DatasetUnusable: a new breed has too few photos.
        LearningError: with a code, whatever else a user can act on.
        Stopped: the reporter asked for it.
    """
    check_versions()
    addition = Addition(config, manifest, fresh)
    addition.check()
    chosen = choose_device(device)
    precision = choose_precision(config.precision, chosen)
    reporter.on_plan(_plan(addition, chosen, precision))
    new = [presized(config, one.manifest, one.source, paths, reporter) for one in fresh]
    own = None if (parent / FEATURES).exists() else presized(config, manifest, source, paths, reporter)
    keep_freed_memory(chosen)

    def look(parts: int) -> tuple[BreedNet, ReadBefore, Tensor]:
        network = _network(addition, parent / WEIGHTS).to(chosen)
        sides = {} if own is None else _sides(addition)
        pictures = sum(map(len, (*sides.values(), *(one.items for one in fresh))))
        gaze = Gaze(network, precision, chosen, parts, reporter, pictures)
        before = ReadBefore.read(parent / FEATURES) if own is None else _before(addition, gaze, own, sides)
        photos = (ValidationBatches(cache, (), one.items, config) for cache, one in zip(new, fresh, strict=True))
        return network, before, torch.cat([gaze.features(some) for some in photos])

    network, before, features = halving(look, config, chosen, reporter, first=accumulation, doing=PREDICTED)
    fitting = _Fitting(addition, network, before, _finite(features), precision, chosen, reporter)
    left_out = fitting.left_out()
    layer = fitting.layer()
    answers = Answers(before, fitting.before(), fitting.answers(layer, before.valid), features, left_out)
    judgement = Judgement.read(parent / JUDGEMENT) if (parent / JUDGEMENT).exists() else None
    return leave_files(addition, network.cpu(), layer, answers, judgement, precision.name, paths.work, earlier)


def _finite(features: Tensor) -> Tensor:
    """One such photo would make the answers to all pictures no numbers."""
    bad = int((~features.isfinite().all(1)).sum())
    if bad:
        raise DatasetUnusable(
            f"for {bad} of the new photos the network gives values that are no finite numbers",
            "Leave these photos out.",
        )
    return features


def _sides(addition: Addition) -> dict[str, Sequence[int]]:
    """Items of which the parent's training did not keep what is needed."""
    return {"valid": addition.split.valid, "learned": known_items(addition.split, addition.config.seed)}


def _before(addition: Addition, gaze: Gaze, cache: PresizedCache, sides: Mapping[str, Sequence[int]]) -> ReadBefore:
    """What it would have kept."""
    labels = label_ids(addition.manifest)
    read = {name: gaze.read(ValidationBatches(cache, (), items, addition.config)) for name, items in sides.items()}
    return ReadBefore(**read, targets=torch.tensor([labels[item] for item in sides["learned"]]))


def _network(addition: Addition, model: Path) -> BreedNet:
    """The parent's."""
    network = build_model(addition.config.arch, len(addition.vocab_before), None)
    network.load_state_dict(load_state(model))
    return network.to(memory_format=torch.channels_last)


def _plan(addition: Addition, device: torch.device, precision: Precision) -> Plan:
    return Plan(
        device=describe_device(device),
        precision=precision.name,
        precision_reason=precision.reason,
        weights_file=None,
        weights_sha256=None,
        versions=installed_versions(),
        train_items=len(addition.new_targets),
        valid_items=len(addition.split.valid),
        steps=0,
        resumed_from_step=0,
    )


class _Fitting:
    """Fits last layers, all on the CPU and in float64, and has them answer as the whole network would."""

    def __init__(
        self,
        addition: Addition,
        network: BreedNet,
        before: ReadBefore,
        features: Tensor,
        precision: Precision,
        device: torch.device,
        reporter: Reporter,
    ) -> None:
        self._addition, self._precision, self._device, self._reporter = addition, precision, device, reporter
        self._last = cast("Tensor", network.head[-1].weight).detach().cpu()
        self._trained, self._before = addition.trained(self._last), before
        self._read, self._targets = features[:, -network.read :], addition.new_targets
        self._known = Examples(before.valid.double(), addition.valid_targets)
        self._learned_targets = addition.learned_targets(before.targets)
        self._folds = torch.from_numpy(addition.folds)

    def layer(self, without: int | None = None) -> Tensor:
        """The last layer, float64 [classes, read], fitted on all new photos but those of one fold."""
        kept = torch.ones(len(self._folds), dtype=torch.bool) if without is None else self._folds != without
        read = torch.cat([self._before.learned, self._read[kept]]).double()
        targets = torch.cat([self._learned_targets, self._targets[kept]])
        fitted = fit_layer(self._addition.config.loss, self._trained, Examples(read, targets))
        return held_apart(fitted, self._trained, self._known)

    def before(self) -> Tensor:
        """Logits of the validation side as the parent gives them, float32 [n, classes before]."""
        return self.answers(self._last, self._before.valid)

    def left_out(self) -> Tensor:
        """Logits of the new photos, float32 [n, classes], each from a layer that was fitted without its fold.

        Raises:
            Stopped: the reporter asked for it.
        """
        logits = torch.empty(len(self._folds), len(self._addition.vocab))
        folds = int(self._folds.max()) + 1
        for fold in range(folds):
            own = self._folds == fold
            logits[own] = self.answers(self.layer(fold), self._read[own])
            self._reporter.on_progress(Progress(stage="train", in_batches=True, step=fold + 1, steps=folds + 1))
            if self._reporter.should_stop():
                raise Stopped
        return logits

    def answers(self, layer: Tensor, read: Tensor) -> Tensor:
        """Logits float32 [n, classes] of what the last layer reads."""
        with torch.inference_mode(), self._precision.autocast(self._device):
            found: Tensor = F.linear(read.to(self._device), layer.float().to(self._device))
        return found.float().cpu()
