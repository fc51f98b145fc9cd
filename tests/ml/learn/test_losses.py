import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - the name everyone reads it by

from ml.config import LossName
from ml.learn.losses import item_losses, item_losses_of_scores, scores_of, training_loss

LOGITS = torch.tensor([[2.0, -1.0, 0.5], [0.0, 0.0, 0.0], [-3.0, 4.0, 1.0], [0.1, 0.2, 0.3]])
TARGETS = torch.tensor([0, 2, 1, 1])
BOTH: tuple[LossName, LossName] = ("cross_entropy", "binary_cross_entropy")


def test_cross_entropy_is_torch_s_and_so_are_its_items() -> None:
    assert torch.equal(
        item_losses("cross_entropy", LOGITS, TARGETS), F.cross_entropy(LOGITS, TARGETS, reduction="none")
    )
    torch.testing.assert_close(training_loss("cross_entropy", LOGITS, TARGETS), F.cross_entropy(LOGITS, TARGETS))


def test_binary_cross_entropy_is_torch_s_over_one_sigmoid_an_output() -> None:
    wanted = torch.tensor([[1.0, 0, 0], [0, 0, 1], [0, 1, 0], [0, 1, 0]])
    torch.testing.assert_close(
        training_loss("binary_cross_entropy", LOGITS, TARGETS), F.binary_cross_entropy_with_logits(LOGITS, wanted)
    )
    by_hand = F.binary_cross_entropy(torch.sigmoid(LOGITS), wanted, reduction="none").mean(1)
    torch.testing.assert_close(item_losses("binary_cross_entropy", LOGITS, TARGETS), by_hand)


def test_a_certain_right_answer_costs_nothing_and_a_certain_wrong_one_much() -> None:
    sure = torch.tensor([[30.0, -30.0, -30.0]])
    for loss in BOTH:
        assert training_loss(loss, sure, torch.tensor([0])).item() == pytest.approx(0, abs=1e-6)
        assert training_loss(loss, sure, torch.tensor([1])).item() > 19


@pytest.mark.parametrize("loss", BOTH)
def test_losses_read_from_plain_scores_are_those_of_the_logits(loss: LossName) -> None:
    scores = scores_of(loss, LOGITS)
    torch.testing.assert_close(
        item_losses_of_scores(loss, scores, TARGETS), item_losses(loss, LOGITS.double(), TARGETS)
    )


def test_scores_sum_to_one_only_under_cross_entropy_and_may_all_be_low_under_the_other() -> None:
    torch.testing.assert_close(scores_of("cross_entropy", LOGITS).sum(1), torch.ones(4, dtype=torch.float64))
    nothing_known = torch.full((1, 3), -5.0)
    assert scores_of("binary_cross_entropy", nothing_known).max() < 0.01
    assert scores_of("cross_entropy", nothing_known).max() == pytest.approx(1 / 3)
