import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - the name everyone reads it by

from ml.config import LossName
from ml.learn.losses import training_loss
from ml.learn.objective import Objective, breed_weights

LOGITS = torch.tensor([[2.0, -1.0, 0.5], [0.0, 0.0, 0.0], [-3.0, 4.0, 1.0], [0.1, 0.2, 0.3]])
TARGETS = torch.tensor([0, 2, 1, 1])
BOTH: tuple[LossName, LossName] = ("cross_entropy", "binary_cross_entropy")


@pytest.mark.parametrize("loss", BOTH)
def test_nothing_added_is_the_loss_itself_bit_for_bit(loss: LossName) -> None:
    assert torch.equal(Objective(loss).mean(LOGITS, TARGETS), training_loss(loss, LOGITS, TARGETS))


def test_smoothing_is_the_loss_with_a_part_of_each_target_shared_among_all() -> None:
    shared = F.one_hot(TARGETS, 3) * 0.9 + 0.1 / 3
    smoothed = Objective("cross_entropy", 0.1).mean(LOGITS, TARGETS)
    torch.testing.assert_close(smoothed, -(shared * F.log_softmax(LOGITS, 1)).sum(1).mean())
    smoothed = Objective("binary_cross_entropy", 0.1).mean(LOGITS, TARGETS)
    torch.testing.assert_close(smoothed, F.binary_cross_entropy_with_logits(LOGITS, shared))


@pytest.mark.parametrize("loss", BOTH)
def test_a_blend_is_learned_in_the_shares_of_its_two_pictures(loss: LossName) -> None:
    one_hot, before = F.one_hot(TARGETS, 3), F.one_hot(TARGETS.roll(1), 3)
    wanted = 0.7 * one_hot + 0.3 * before
    found = Objective(loss).blended(LOGITS, TARGETS, TARGETS.roll(1), 0.7)
    if loss == "cross_entropy":
        torch.testing.assert_close(found, F.cross_entropy(LOGITS, wanted))
    else:
        torch.testing.assert_close(found, F.binary_cross_entropy_with_logits(LOGITS, wanted))


def test_weights_make_a_mistake_in_a_rare_breed_count_more() -> None:
    weights = torch.tensor([1.0, 0.5, 2.0])
    found = Objective("cross_entropy", weights=weights).mean(LOGITS, TARGETS)
    each = F.cross_entropy(LOGITS, TARGETS, reduction="none")
    torch.testing.assert_close(found, (each * torch.tensor([1.0, 2.0, 0.5, 0.5])).mean())


def test_a_batch_in_parts_has_the_whole_batch_s_weighted_loss() -> None:
    objective = Objective("cross_entropy", weights=torch.tensor([1.0, 0.5, 2.0]))
    parts = [objective.mean(LOGITS[cut], TARGETS[cut]) for cut in (slice(0, 2), slice(2, 4))]
    torch.testing.assert_close(sum(parts) / 2, objective.mean(LOGITS, TARGETS))


def test_breeds_count_alike_at_full_strength_and_pictures_at_none() -> None:
    counts = torch.tensor([160, 12, 28])
    torch.testing.assert_close(breed_weights(counts, 0.0), torch.ones(3))
    full = breed_weights(counts, 1.0)
    torch.testing.assert_close(full * counts, torch.full((3,), 200 / 3))
    half = breed_weights(counts, 0.5)
    assert (half * counts).sum().item() == pytest.approx(200)
    assert 1 < half[1] / half[0] < full[1] / full[0]


def test_a_breed_without_pictures_counts_nothing() -> None:
    assert breed_weights(torch.tensor([3, 0, 1]), 1.0).tolist() == [pytest.approx(2 / 3), 0, pytest.approx(2)]
