"""Test-time augmentation: a picture's scores averaged over augmented copies and the plain one (workflow-spec 10.6)."""

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor, nn

from ml.augment.augment import training_input
from ml.augment.draws import draw_batch
from ml.augment.seed import generator
from ml.config import ResolvedConfig
from ml.data.cache import PresizedCache
from ml.learn.batches import ValidationBatches, cuts, gather
from ml.learn.evaluation import predict_logits
from ml.learn.losses import scores_of
from ml.learn.precision import Precision

COPIES = 4
BETA = 0.25


def combine(plain: Tensor, augmented: Tensor, beta: float = BETA, *, use_max: bool = False) -> Tensor:
    """A + beta * (plain - A), where A is the mean over the augmented passes.

    Args:
        plain: scores of the plain pass, [items, classes].
        augmented: scores of the augmented passes, [passes, items, classes].
        beta: the plain pass's share, 0 to 1.
        use_max: take the largest score of all passes instead; beta is then not used. Like other shares than ``BETA`` it
            is fastai's too, and the parity facts hold it; no run asks for it.

    Returns:
        Scores [items, classes]; rows that sum to 1 go on doing so, except with ``use_max``.
    """
    if use_max:
        return torch.cat([augmented, plain[None]]).amax(0)
    return torch.lerp(augmented.mean(0), plain, beta)


def tta_scores(
    model: nn.Module,
    cache: PresizedCache,
    items: Sequence[int],
    config: ResolvedConfig,
    *,
    precision: Precision,
    device: torch.device,
    on_batch: Callable[[], None] | None = None,
    parts: int = 1,
) -> Tensor:
    """Averaged scores of ``items``, in their order: float64 [items, classes] on the CPU.

    The copies are made by the training transforms, drawn from the run's seed, so that equal runs get equal copies.
    The model works in evaluation mode. Each batch is predicted in ``parts`` parts, and ``on_batch`` called once a part
    of each of the ``COPIES + 1`` passes.
    """

    def scores(inputs: Iterator[Tensor]) -> Tensor:
        logits = predict_logits(model, inputs, precision=precision, device=device, on_batch=on_batch)
        return scores_of(config.loss, logits)

    plain = scores(ValidationBatches(cache, (), items, config).load(device, parts))
    return combine(plain, torch.stack([scores(_copies(cache, items, config, n, device, parts)) for n in range(COPIES)]))


def _copies(
    cache: PresizedCache, items: Sequence[int], config: ResolvedConfig, number: int, device: torch.device, parts: int
) -> Iterator[Tensor]:
    """The inputs of augmented pass ``number``, batch by batch, each in parts; its draws are of the whole batch."""
    step = config.batch_size
    batches = -(-len(items) // step)
    for batch in range(batches):
        part = items[batch * step : (batch + 1) * step]
        chance = generator(config.seed, "tta", number * batches + batch)
        draws = draw_batch(len(part), config.augment, config.min_scale, chance)
        images = gather(cache, part, draws.positions.tolist())
        for cut in cuts(len(part), step, parts):
            yield training_input(images[cut].to(device), draws.rows(cut), config.size)
