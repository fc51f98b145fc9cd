"""What every training step is made of, in a training and in a sweep: batch, forward, loss, backward."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.amp import GradScaler
from torch.optim import AdamW

from ml.augment.seed import seed_torch
from ml.config import TrainSettings
from ml.learn.batches import SampledBatch, TrainingBatches
from ml.learn.memory import note_memory
from ml.learn.model import BreedNet
from ml.learn.objective import Objective
from ml.learn.optimizer import check_gradients, make_optimizer, set_hypers
from ml.learn.precision import Precision, make_scaler
from ml.learn.ranks import ALONE, Network, Ranks
from ml.learn.schedule import Hypers


@dataclass(frozen=True, kw_only=True)
class TrainStep:
    """A model and all that one step of learning needs; of ``config`` it looks at weight decay, sweep and seed.

    ``accumulation`` is how many parts a batch is trained in, one after the other. Loss and gradients are the means over
    the whole batch all the same, so that the recipe stays as it was. What does change: BatchNorm sees each part alone
    (its statistics are of the part, and its running averages move once a part), and dropout draws for each part.
    ``ranks`` are the processes that train the model, each on its share of the batch.
    """

    config: TrainSettings
    model: BreedNet
    objective: Objective
    batches: TrainingBatches
    device: torch.device
    precision: Precision
    accumulation: int = 1
    ranks: Ranks = ALONE

    def reseeded(self, seed: int) -> "TrainStep":
        """The same model, with other batches and other dropout."""
        config = self.config.model_copy(update={"seed": seed})
        return replace(self, config=config, batches=self.batches.reseeded(seed))

    def optimizer(self) -> AdamW:
        """A fresh one, over what is trainable now."""
        model, decay = self.model, self.config.layer_decay
        groups = model.parameter_groups() if decay == 1 else model.layer_groups(decay)
        return make_optimizer(groups, self.config.weight_decay)

    def scaler(self) -> GradScaler:
        """A fresh one, which does nothing but in fp16."""
        return make_scaler(self.precision, self.device)

    def take(self, batch: SampledBatch, number: int, optimizer: AdamW, hypers: Hypers, scaler: GradScaler) -> Tensor:
        """Train on one batch; returns its mean loss, of all ranks, a scalar on the device, without its graph.

        Args:
            batch: its images and labels.
            number: of the step; dropout draws by it.
            optimizer: steps, unless a gradient overflows in fp16.
            hypers: what is in force.
            scaler: of fp16.
        """
        seed_torch(self.config.seed, "dropout", number)
        total = torch.zeros((), device=self.device)
        parts = batch.parts(self.accumulation)
        for part in parts:
            # Of the ranks' gradients the mean is taken, whereas each picture of the batch is to count alike.
            share = part.count / batch.of * self.ranks.size
            with self.ranks.part(self.model, part.rows, is_last=part is parts[-1]) as network:
                loss = self._forward(network, part) * share
                # Here all activations are held, and after the backward pass all gradients.
                note_memory(self.device)
                scaler.scale(loss).backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            note_memory(self.device)
            total += loss.detach()
        total = self.ranks.mean(total)
        check_gradients(optimizer)
        set_hypers(optimizer, hypers)
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
        self.ranks.stepped(self.model)
        return total

    def _forward(self, network: Network, part: SampledBatch) -> Tensor:
        inputs, targets = self.batches.load(part, self.device)
        with self.precision.autocast(self.device):
            logits = network(inputs)
        if part.blend is not None:
            others = part.others.to(self.device, non_blocking=True)
            return self.objective.blended(logits.float(), targets, others, part.blend.share)
        return self.objective.mean(logits.float(), targets)
