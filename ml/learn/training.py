"""``fit``: from a resolved config and a dataset to weights, stored predictions and their reading."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ml.config import ResolvedConfig
from ml.data.bundle import ImageSource
from ml.data.manifest import Manifest
from ml.decode.images import DECODING
from ml.errors import NoRateFound
from ml.judge.fitting import Worth
from ml.late import Late
from ml.learn.checkpoint import CheckpointKeeper, save_tensors
from ml.learn.devices import count_devices
from ml.learn.judging import fit_on
from ml.learn.known import known_pictures, poor_pictures
from ml.learn.lr_find import check_sweep
from ml.learn.memory import halving, last_try
from ml.learn.model import BreedNet
from ml.learn.precision import choose_device
from ml.learn.predictions import LearnedPictures, read_logits
from ml.learn.probe import run_body
from ml.learn.ranks import ALONE, Ranks
from ml.learn.read_before import ReadBefore
from ml.learn.setup import Paths, Setup, set_up
from ml.learn.trainer import Trainer
from ml.reading.metrics import Reading
from ml.reporting import Reporter
from ml.run_files import DESCRIPTION, FEATURES, JUDGEMENT, PREDICTIONS, WEIGHTS
from ml.versions import installed_versions

MODEL_FORMAT_VERSION = 1


@dataclass(frozen=True)
class FitResult:
    """What a run leaves: files by name and what its validation predictions say.

    ``worth`` says how far its answers can be trusted; None where that was not looked at. ``failure`` is why it ended
    before its last phase; all else is then of the phases that it finished.
    """

    files: dict[str, Path]
    reading: Reading
    worth: Worth | None = None
    failure: NoRateFound | None = None


_ON_SEVERAL: Late[Callable[..., FitResult]] = Late("ml.learn.several", "fit_on_several")
"""What a training on one device has no use for."""


def fit(
    config: ResolvedConfig,
    manifest: Manifest,
    source: ImageSource,
    *,
    paths: Paths,
    reporter: Reporter,
    keeper: CheckpointKeeper,
    device: str = "auto",
    checkpoint_seconds: float = 60.0,
    initial: Path | None = None,
    accumulation: int = 1,
    earlier: frozenset[str] = frozenset(),
) -> FitResult:
    """Train as the config says, resuming from the keeper's checkpoint where there is one.

    Where the memory does not hold a batch, training goes on by itself, once, with each batch in two halves: from the
    last checkpoint, or from the start. Where the search for a later phase's rate has no answer, what the phases before
    it learned is kept, and the result names the failure.

    Args:
        config: what to train.
        manifest: the dataset's items.
        source: the items' bytes.
        paths: folders.
        reporter: hears everything.
        keeper: holds checkpoints.
        device: auto, cpu or cuda.
        checkpoint_seconds: a checkpoint is kept at least this often, and at each epoch's end.
        initial: a parent run's ``model.safetensors`` to start from instead of pretrained weights.
        accumulation: parts that a batch is trained in, to begin with.
        earlier: sha256 (hex) of the pictures that the runs before this one were trained on, whose weights it goes back
            to; where there are any, each row of the predictions says whether its picture is among what was learned.

    Raises:
        LearningError: with a code, whatever a user can act on.
        Stopped: the reporter asked for it.
    """
    if any(phase.auto == "find" for phase in config.phases):
        check_sweep(config.lr_sweep)
    ranks = count_devices(config.devices, choose_device(device), config.batch_size)
    setup = set_up(config, manifest, source, paths=paths, reporter=reporter, device=device, initial=initial)

    work = partial(_on_one, setup, reporter, keeper, config, paths.work, checkpoint_seconds, earlier)
    if ranks > 1:
        told = {"config": config, "manifest": manifest, "paths": paths, "device": setup.device.type}
        told |= {"checkpoint_seconds": checkpoint_seconds, "initial": initial, "earlier": earlier}
        work = partial(_ON_SEVERAL.get(), ranks, reporter, keeper, told)
    return halving(work, config, setup.device, reporter, first=accumulation, ranks=ranks)


def _on_one(
    setup: Setup,
    reporter: Reporter,
    keeper: CheckpointKeeper,
    config: ResolvedConfig,
    work: Path,
    checkpoint_seconds: float,
    earlier: frozenset[str],
    accumulation: int,
) -> FitResult:
    trainer = trainer_of(
        setup,
        config,
        work,
        reporter,
        model=setup.model(),
        keeper=keeper,
        checkpoint_seconds=checkpoint_seconds,
        accumulation=accumulation,
    )
    trainer.restore()
    if trainer.accumulation > accumulation:
        with last_try(config):
            return finish(trainer, setup, work, earlier)
    return finish(trainer, setup, work, earlier)


def trainer_of(
    setup: Setup,
    config: ResolvedConfig,
    work: Path,
    reporter: Reporter,
    *,
    model: BreedNet,
    keeper: CheckpointKeeper,
    checkpoint_seconds: float,
    accumulation: int,
    ranks: Ranks = ALONE,
) -> Trainer:
    """What trains the model, which has its first weights; of several ``ranks`` each has one."""
    size = ranks.size
    return Trainer(
        config=config,
        revision=setup.manifest.revision,
        model=model,
        objective=setup.objective,
        training=setup.training.shared(ranks.rank, size),
        validation=setup.validation.shared(ranks.rank, size),
        device=setup.device,
        precision=setup.precision,
        reporter=reporter,
        keeper=keeper,
        work=work,
        checkpoint_seconds=checkpoint_seconds,
        run_body=partial(run_body, setup, reporter),
        accumulation=accumulation,
        ranks=ranks,
    )


def finish(trainer: Trainer, setup: Setup, work: Path, earlier: frozenset[str]) -> FitResult:
    """Train to the end, and leave what serving and reading need."""
    plan = setup.plan(
        steps=trainer.steps,
        resumed_from_step=trainer.step,
        accumulation=trainer.accumulation,
        halved_from_step=trainer.halved_from,
        ranks=trainer.ranks.size,
    )
    trainer.reporter.on_plan(plan)
    failure = train_phases(trainer)
    manifest, split = setup.manifest, setup.split
    learned = (
        LearnedPictures(manifest.vocab, earlier | {manifest.items[i].sha256 for i in split.train}) if earlier else None
    )
    loss, (logits, features) = trainer.config.loss, trainer.last_outputs()
    model = trainer.learned
    parts, tell = trainer.accumulation, trainer.tell_validating
    known = known_pictures(model, setup, parts, tell)
    poor = poor_pictures(model, setup, parts, tell, len(features), learned)
    fitted = fit_on(loss, logits, manifest, split.valid, learned, features, known, poor)
    reading = read_logits(loss, logits, manifest, split.valid, work, learned, fitted.calibrated)
    saved = save_model(model, trainer.config, setup.precision.name, manifest, reading, trainer.epochs_trained, work)
    fitted.judgement.write(work / JUDGEMENT)
    files = {PREDICTIONS: work / PREDICTIONS, JUDGEMENT: work / JUDGEMENT, **saved}
    seen = ReadBefore.of(features, len(split.valid), known)
    if seen is not None:
        seen.write(work / FEATURES)
        files[FEATURES] = work / FEATURES
    return FitResult(files, reading, fitted.worth, failure)


def train_phases(trainer: Trainer) -> NoRateFound | None:
    """Train; the failure that left a model of finished phases, where there was one."""
    try:
        trainer.train()
    except NoRateFound as error:
        if trainer.step == 0:
            raise
        return error
    return None


def save_model(
    model: BreedNet,
    config: ResolvedConfig,
    precision: str,
    manifest: Manifest,
    reading: Reading,
    epochs: int,
    work: Path,
) -> dict[str, Path]:
    """Write ``model.safetensors`` and ``model.json``, all that serving needs; ``epochs`` were trained."""
    weights, about = work / WEIGHTS, work / DESCRIPTION
    save_tensors(model.state_dict(), weights, {"format_version": str(MODEL_FORMAT_VERSION), "arch": config.arch})
    description: dict[str, Any] = {
        "format_version": MODEL_FORMAT_VERSION,
        "decoding": DECODING,
        "arch": config.arch,
        "loss": config.loss,
        "precision": precision,
        "vocab": list(config.vocab(manifest.vocab)),
        "size": config.size,
        "presize": config.presize,
        "config": config.model_dump(mode="json"),
        "drawn": manifest.drawn,
        "dataset": {"name": manifest.name, "revision": manifest.revision},
        "epochs": epochs,
        "error_rate": reading.error_rate,
        "versions": installed_versions(),
    }
    about.write_text(json.dumps(description, indent=1, ensure_ascii=False), encoding="utf-8")
    return {weights.name: weights, about.name: about}
