"""One run from config to weights: phases, steps, validation, checkpoints (workflow-spec 12)."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor
from torch.optim import AdamW

from ml.config import ResolvedConfig
from ml.config_phases import ResolvedPhase
from ml.errors import CheckpointInvalid, LossDiverged, NoRateFound, Stopped
from ml.learn.averaging import WeightAverage
from ml.learn.batches import TrainingBatches, ValidationBatches, sampled_ahead
from ml.learn.best_epoch import BestEpoch
from ml.learn.checkpoint import Checkpoint, CheckpointKeeper, Position, part_of, read_checkpoint, write_checkpoint
from ml.learn.evaluation import MOST_FEATURES, loss_and_error, predict_outputs
from ml.learn.lesson import Lesson, whole
from ml.learn.lr_find import find_rate, record_of
from ml.learn.memory import peak_memory_bytes
from ml.learn.model import BreedNet
from ml.learn.objective import Objective
from ml.learn.optimizer import load_optimizer_state, optimizer_state, steps_made
from ml.learn.pace import Pace
from ml.learn.precision import Precision, check_scale, why_skipped
from ml.learn.probe import load_learned
from ml.learn.ranks import ALONE, Ranks, other_ranks
from ml.learn.schedule import Hypers, hypers_of
from ml.learn.smoothing import SmoothLoss
from ml.learn.step import TrainStep
from ml.reporting import BatchRecord, EpochRecord, Progress, Reporter

_DIVERGED_LOSS = 1e6
"""Guessing costs a few units and a certain mistake a few hundred: a loss like this is no training any more, even where
it stays finite for want of weight decay."""

_SYNC_EVERY = 16
"""On a GPU the losses are read back this often: each reading waits for the device."""


@dataclass(kw_only=True)
class Trainer:
    """Everything the loop works on; ``train`` is the story, the rest its steps."""

    config: ResolvedConfig
    revision: str
    model: BreedNet
    objective: Objective
    training: TrainingBatches
    validation: ValidationBatches
    device: torch.device
    precision: Precision
    reporter: Reporter
    keeper: CheckpointKeeper
    work: Path
    checkpoint_seconds: float
    run_body: Callable[[BreedNet, int], Lesson] | None = None
    """Makes the lesson of phases on features from the model, in so many parts a batch; None where there are none."""
    ranks: Ranks = ALONE
    """The processes that train together: each has its share of what is trained and validated on."""
    accumulation: int = 1
    """Parts that a batch is trained in; what a checkpoint says is kept to, where it is more."""
    halved_from: int = 0
    """The first step that is trained in parts, where ``accumulation`` is more than 1."""
    step: int = 0
    smooth: SmoothLoss = field(default_factory=SmoothLoss)
    rate: float | None = None
    """What the last search for a learning rate found."""
    skipped: int = 0
    """Steps of the phase's finished epochs that fp16 left out."""
    left_out: int = 0
    """Epochs of phases that ended early."""
    logits: Tensor | None = None
    """Validation logits of the weights as they stand after an epoch, of all ranks' pictures."""
    features: Tensor | None = None
    """What the model made of the first ``MOST_FEATURES`` of these pictures, as far as they are this rank's."""

    def __post_init__(self) -> None:
        """Prepare what no caller chooses."""
        self.train_step = TrainStep(
            config=self.config,
            model=self.model,
            objective=self.objective,
            batches=self.training,
            device=self.device,
            precision=self.precision,
            accumulation=self.accumulation,
            ranks=self.ranks,
        )
        self.average = WeightAverage(self.model, self.config.weight_averaging) if self.config.weight_averaging else None
        self.lesson = Lesson(whole, self.training, self.validation)
        self.best = BestEpoch(self.config.patience)
        self.scaler = self.train_step.scaler()
        self.pace = Pace(self.config, self.training.per_epoch)
        self._waiting: list[tuple[BatchRecord, Tensor]] = []
        self._restored: dict[str, Tensor] | None = None
        self._began = False
        self._taken_up: int | None = None
        self._kept_at = time.monotonic()

    @property
    def learned(self) -> BreedNet:
        """What is measured and kept: the model, or the mean of what it was."""
        return self.model if self.average is None else self.average.model

    @property
    def _models(self) -> dict[str, BreedNet]:
        """The model, and the mean where one is kept, by the names that checkpoints have for them."""
        return {"model": self.model} | ({} if self.average is None else {"average": self.average.model})

    @property
    def steps(self) -> int:
        """Steps of all phases together."""
        return self.config.epochs * self.training.per_epoch

    @property
    def epochs_trained(self) -> int:
        """Finished epochs of all phases."""
        return self.step // self.training.per_epoch - self.left_out

    def restore(self) -> None:
        """Go on from the newest kept checkpoint that is whole; whoever watches is told of those that are not."""
        passed_over = False
        for fetch in self.keeper.kept():
            try:
                checkpoint = read_checkpoint(fetch(), config=self.config, revision=self.revision)
            except CheckpointInvalid as error:
                self.reporter.on_log(f"{error.detail}; it is not used")
                passed_over = True
                continue
            self._go_on_from(checkpoint)
            if passed_over:
                self.reporter.on_log(f"the training goes on from the checkpoint before, at step {self.step}")
            return
        if passed_over:
            self.reporter.on_log("no kept checkpoint can be used: the training starts from the beginning")

    def _go_on_from(self, checkpoint: Checkpoint) -> None:
        for model, tensors in zip(self._models.values(), (checkpoint.model, checkpoint.average), strict=False):
            load_learned(model, tensors)
        position = checkpoint.position
        self.best = BestEpoch(self.config.patience, position.best_loss, position.since_best, checkpoint.best)
        self.left_out = position.left_out
        self.step, self.rate = position.step, position.rate
        self.smooth = SmoothLoss(position.smooth_value, position.smooth_count)
        if position.scaler:  # empty where the attempt before, on another device, scaled nothing
            self.scaler.load_state_dict(position.scaler)
        self.skipped = position.skipped
        self.halved_from = position.halved_from if position.accumulation > 1 else position.step
        self.accumulation = max(self.accumulation, position.accumulation)
        self.train_step = replace(self.train_step, accumulation=self.accumulation)
        self._restored = checkpoint.optimizer
        if position.ranks != self.ranks.size:
            self.reporter.on_log(other_ranks(position.ranks, self.ranks.size))

    def train(self) -> None:
        """Run all phases from where training stands.

        Raises:
            Stopped: the reporter asked for it; a checkpoint was kept.
            LossDiverged: the loss is no longer a number, or no fp16 gradient is.
            NoRateFound: a phase's rate was left to a search, and the search has no answer.
        """
        first = 0
        for number, phase in enumerate(self.config.phases):
            last = first + phase.epochs * self.training.per_epoch
            if self.step < last:
                self._take_up(number)
                self._say_where(number, (self.step - first) // self.training.per_epoch)
                self._train_phase(number, phase, first, last)
            first = last

    def last_outputs(self) -> tuple[Tensor, Tensor]:
        """Validation logits of the weights as they stand after an epoch, and the features of the first pictures."""
        if self.logits is None or self.features is None:
            phase = len(self.config.phases) - 1
            epoch = self.config.phases[phase].epochs - 1
            self._take_up(phase)
            self._say_where(phase, epoch)
            self.logits, self.features = self._validate(phase, epoch)
        return self.logits, self.ranks.joined(self.features)

    def tell_validating(self) -> None:
        """That the trained model is being looked at."""
        phase = len(self.config.phases) - 1
        self.reporter.on_progress(self._progress("validate", phase, self.config.phases[phase].epochs - 1))

    def _take_up(self, phase: int) -> None:
        """Make the phase's lesson, unless it was made before."""
        if self._taken_up == phase:
            return
        self.lesson = Lesson(whole, self.training, self.validation)
        if self.config.on_features(phase):
            if self.run_body is None:
                message = "a phase on features needs run_body"
                raise ValueError(message)
            self.lesson = self.run_body(self.model, self.accumulation)
        part = self.lesson.part(self.model)
        self.train_step = replace(self.train_step, model=part, batches=self.lesson.training)
        self._taken_up = phase

    def _say_where(self, phase: int, epoch: int) -> None:
        """So that it is known that there are batches if this process is killed for its memory."""
        if not self._began:
            self._began = True
            self.reporter.on_progress(self._progress("train", phase, epoch))

    def _train_phase(self, number: int, phase: ResolvedPhase, first: int, last: int) -> None:
        if phase.auto is not None:
            phase = phase.at_rate(self._rate_for(number, phase, first))
        self.train_step.model.freeze_body(phase.freeze)
        optimizer = self.train_step.optimizer()
        if self.step == first:
            self.smooth, self.skipped = SmoothLoss(), 0
        elif self._restored is not None:
            load_optimizer_state(optimizer, self._restored)
        self._restored = None
        for epoch in range((self.step - first) // self.training.per_epoch, phase.epochs):
            end = first + (epoch + 1) * self.training.per_epoch
            valid_loss = self._train_epoch(number, epoch, optimizer, phase, range(first, last), end)
            self.best.finished(valid_loss, self.lesson.tensors(self._models))
            if self.best.is_over or self.step == last:
                self._end_phase(number, epoch, phase)
                self.step = last
            self._keep(optimizer)
            if self.reporter.should_stop():
                raise Stopped
            if self.step == last:
                return

    def _end_phase(self, number: int, epoch: int, phase: ResolvedPhase) -> None:
        """Go back to the best epoch, where one is kept; ``epoch`` is the last that was trained."""
        left, since = phase.epochs - epoch - 1, self.best.since
        if since:
            for kind, model in self._models.items():
                load_learned(model, part_of(self.best.tensors, f"{kind}/"))
            self.logits = self.features = None
            self.reporter.on_log(f"phase {number + 1} {self.best.ending(epoch, phase.epochs)}")
        self.left_out += left
        self.best = BestEpoch(self.config.patience)

    def _rate_for(self, number: int, phase: ResolvedPhase, first: int) -> float:
        """The rate of a phase that names none. It is searched at the phase's start, never again after a step of it."""
        if self.rate is None or (phase.auto == "find" and self.step == first):
            tried = replace(self.train_step, batches=self.lesson.training.held_at(first))
            found = find_rate(tried, freeze=phase.freeze, reporter=self.reporter, phase=number)
            self.reporter.on_rate(record_of(found, number))
            self.rate = found.rate
        if self.rate is None:
            detail = f"the search for a learning rate before phase {number + 1} has no answer: {found.agreement_reason}"
            raise NoRateFound(detail, hint=found.hint)
        return self.rate

    def _train_epoch(
        self, number: int, epoch: int, optimizer: AdamW, phase: ResolvedPhase, steps: range, end: int
    ) -> float:
        """Train to step ``end`` and validate; returns the validation loss."""
        started, began_at = time.perf_counter(), self.step
        self.train_step.model.train()
        with sampled_ahead(self.lesson.training, self.step, end, self.device) as batches:
            for batch in batches:
                hypers = hypers_of(phase, len(steps), self.step - steps.start)
                loss = self.train_step.take(batch, self.step, optimizer, hypers, self.scaler)
                self._note_step(loss, hypers, number)
                if self.average is not None:
                    self.average.stepped(self.train_step.model, self.step)
                self._after_step(optimizer, number, epoch, end)
        self._flush()
        self._tell_skipped(number, epoch, end - steps.start - steps_made(optimizer))
        seconds = time.perf_counter() - started
        images = (end - began_at) * self.config.batch_size
        self.logits, self.features = self._validate(number, epoch)
        valid_loss, error_rate = loss_and_error(self.config.loss, self.logits, self.validation.targets)
        valid_loss = self.ranks.agreed(valid_loss)
        self._check_loss(valid_loss, self.step - 1, hypers_of(phase, len(steps), end - steps.start - 1).lr)
        self.reporter.on_epoch(
            EpochRecord(
                phase=number,
                epoch=epoch,
                train_loss=self.smooth.debiased,
                valid_loss=valid_loss,
                error_rate=error_rate,
                seconds=time.perf_counter() - started,
                images_per_second=images / seconds,
                peak_memory_bytes=peak_memory_bytes(self.device),
            )
        )
        return valid_loss

    def _note_step(self, loss: Tensor, hypers: Hypers, phase: int) -> None:
        """Note a finished step, whose loss is read back later."""
        record = BatchRecord(
            step=self.step, phase=phase, raw_loss=0.0, train_loss=0.0, lr=hypers.lr, momentum=hypers.momentum
        )
        self._waiting.append((record, loss))
        self.step += 1

    def _after_step(self, optimizer: AdamW, phase: int, epoch: int, end: int) -> None:
        if self.device.type == "cpu" or len(self._waiting) >= _SYNC_EVERY:
            self._flush()
        speed = self.pace.stepped(self.config.batch_size, self.step)
        self.reporter.on_progress(self._progress("train", phase, epoch, speed))
        if self.step == end:
            # The epoch's row comes first: a checkpoint from before it would resume in the next epoch, without it.
            return
        if self.reporter.should_stop():
            self._flush()
            self._keep(optimizer)
            raise Stopped
        if time.monotonic() - self._kept_at >= self.checkpoint_seconds:
            self._flush()
            self._keep(optimizer)

    def _progress(self, stage: str, phase: int, epoch: int, speed: float | None = None) -> Progress:
        return Progress(
            stage=stage,
            in_batches=True,
            phase=phase,
            epoch=epoch,
            epochs=self.config.phases[phase].epochs,
            step=self.step,
            steps=self.steps,
            eta_seconds=self.pace.eta_seconds(self.step),
            images_per_second=speed,
        )

    def _flush(self) -> None:
        """Read the waiting losses back, check and report them."""
        records = []
        for record, loss in self._waiting:
            raw = loss.item()
            self._check_loss(raw, record.step, record.lr)
            smooth = self.smooth.update(raw)
            records.append(replace(record, raw_loss=raw, train_loss=smooth))
        self._waiting.clear()
        if records:
            self.reporter.on_batches(records)
        check_scale(self.scaler)

    def _tell_skipped(self, phase: int, epoch: int, in_phase: int) -> None:
        """Say how many of the epoch's steps changed nothing; ``in_phase`` is how many did since the phase began."""
        skipped, self.skipped = in_phase - self.skipped, in_phase
        if skipped:
            of = f"{skipped} of the {self.training.per_epoch} steps of phase {phase + 1}, epoch {epoch + 1}"
            self.reporter.on_log(f"{of}, {why_skipped(self.scaler)}")

    def _check_loss(self, loss: float, step: int, lr: tuple[float, ...]) -> None:
        if not loss < _DIVERGED_LOSS:  # also true for NaN
            detail = f"the loss became {loss:.3g} at step {step} of {self.steps}, at learning rate {max(lr):.3g}"
            raise LossDiverged(detail, hint="Lower the learning rate, by a factor of ten to begin with.")

    def _validate(self, phase: int, epoch: int) -> tuple[Tensor, Tensor]:
        """Logits, and this rank's features of the first pictures."""
        validation = self.lesson.validation
        with self.pace.validating(self.step):
            logits, features = predict_outputs(
                self.lesson.part(self.learned),
                validation.load(self.device, self.accumulation),
                precision=self.precision,
                device=self.device,
                on_batch=lambda: self.reporter.on_progress(self._progress("validate", phase, epoch)),
                most_features=MOST_FEATURES - validation.before(self.accumulation),
            )
            return self.ranks.joined(logits), features

    def _keep(self, optimizer: AdamW) -> None:
        if self.ranks.rank:
            self._kept_at = time.monotonic()
            return
        path = self.work / "checkpoint.safetensors"
        position = Position(
            step=self.step,
            smooth_value=self.smooth.value,
            smooth_count=self.smooth.count,
            scaler=self.scaler.state_dict(),
            skipped=self.skipped,
            rate=self.rate,
            accumulation=self.accumulation,
            halved_from=self.halved_from,
            best_loss=self.best.loss,
            since_best=self.best.since,
            left_out=self.left_out,
            ranks=self.ranks.size,
        )
        learned = self.lesson.tensors(self._models)
        write_checkpoint(
            path,
            position=position,
            model=part_of(learned, "model/"),
            average=part_of(learned, "average/"),
            best=self.best.tensors,
            optimizer=optimizer_state(optimizer),
            config=self.config,
            revision=self.revision,
        )
        self.keeper.keep(path, self.step)
        self._kept_at = time.monotonic()
