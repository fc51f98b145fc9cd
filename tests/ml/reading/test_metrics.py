from typing import Any

import numpy as np
import pytest
import torch

from ml.config import LossName
from ml.learn.evaluation import loss_and_error
from ml.learn.losses import item_losses, item_losses_of_scores, scores_of, training_loss
from ml.reading.metrics import macro_error, most_confused, per_class, read_predictions, reliability, wilson
from tests.ml.facts import cases


@pytest.mark.parametrize("case", cases("interpretation"), ids=lambda case: f"{case['n']}x{case['classes']}")
def test_stored_predictions_are_read_as_fastai_reads_them(case: dict[str, Any]) -> None:
    logits, targets = np.array(case["logits"], dtype=np.float32), np.array(case["targets"])
    n = case["n"]
    reading = read_predictions(
        scores_of("cross_entropy", torch.tensor(logits)).numpy(),
        item_losses("cross_entropy", torch.tensor(logits).double(), torch.tensor(targets)).numpy(),
        targets,
        vocab=case["vocab"],
        items=range(n),
        paths=[f"{i}.jpg" for i in range(n)],
    )
    assert reading.matrix == case["confusion_matrix"]
    assert [case["vocab"].index(row["predicted"]) for row in reading.items] == case["decoded"]
    losses = [row["loss"] for row in reading.items]
    assert losses == pytest.approx(case["losses"], rel=1e-5, abs=1e-6)
    assert reading.valid_loss == pytest.approx(case["valid_loss"], rel=1e-5)
    assert reading.error_rate == pytest.approx(case["error_rate"], rel=1e-5)
    assert 1 - reading.error_rate == pytest.approx(case["accuracy"], rel=1e-5)
    for min_val, expected in case["most_confused"].items():
        ours = most_confused(reading.matrix, reading.vocab, int(min_val))
        assert [[c.actual, c.predicted, c.count] for c in ours] == expected
    by_loss = sorted(range(n), key=lambda place: -losses[place])
    worst = by_loss[: len(case["top_losses"]["idx"])]
    assert worst == case["top_losses"]["idx"]
    assert [losses[i] for i in worst] == pytest.approx(case["top_losses"]["values"], rel=1e-5)
    best = by_loss[: -1 - len(case["smallest_losses"]["idx"]) : -1]
    assert best == case["smallest_losses"]["idx"]
    assert [losses[i] for i in best] == pytest.approx(case["smallest_losses"]["values"], rel=1e-5, abs=1e-6)
    for row, probabilities in zip(reading.items, case["probs_first5"], strict=False):
        assert row["probability_predicted"] == pytest.approx(max(probabilities), rel=1e-5)


@pytest.mark.parametrize("case", cases("interpretation"), ids=lambda case: f"{case['n']}x{case['classes']}")
def test_validation_figures_are_size_weighted_means(case: dict[str, Any]) -> None:
    loss, error = loss_and_error("cross_entropy", torch.tensor(case["logits"]), torch.tensor(case["targets"]))
    assert loss == pytest.approx(case["valid_loss"], rel=1e-5)
    assert error == pytest.approx(case["error_rate"], rel=1e-5)


def test_per_class_scores_and_what_has_no_answer() -> None:
    scores = per_class([[3, 1, 0], [1, 0, 0], [0, 0, 0]], ["a", "b", "c"])
    assert (scores[0].precision, scores[0].recall, scores[0].f1, scores[0].support) == (0.75, 0.75, 0.75, 4)
    assert (scores[1].precision, scores[1].recall, scores[1].f1) == (0.0, 0.0, 0.0)
    assert (scores[2].precision, scores[2].recall, scores[2].f1, scores[2].support) == (None, None, None, 0)


def test_a_perfect_matrix_has_nothing_confused() -> None:
    assert most_confused([[2, 0], [0, 3]], ["a", "b"], 0) == []


# Left out: nll_of_softmax_none and softmax_2718, the notes' detours to what we compute at once, and the seed of acts,
# which are drawn by torch itself.
@pytest.mark.parametrize("case", cases("loss_numbers"))
def test_the_notes_loss_numbers(case: dict[str, Any]) -> None:
    acts, targets = torch.tensor(case["acts"], requires_grad=True), torch.tensor(case["targ"])
    scores = scores_of("cross_entropy", acts.detach()).float()
    torch.testing.assert_close(scores, torch.tensor(case["softmax"]), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(scores.log(), torch.tensor(case["log_softmax"]), rtol=1e-5, atol=1e-6)
    # Of two classes, the softmax is the sigmoid of their difference.
    torch.testing.assert_close(scores[:, 0], torch.tensor(case["sigmoid_of_difference"]), rtol=1e-5, atol=1e-6)
    alone = scores_of("binary_cross_entropy", acts.detach()).float()
    torch.testing.assert_close(alone, torch.tensor(case["sigmoid"]), rtol=1e-5, atol=1e-6)
    each = item_losses("cross_entropy", acts, targets)
    assert each.tolist() == pytest.approx(case["cross_entropy_none"], rel=1e-5)
    from_scores = item_losses_of_scores("cross_entropy", scores, targets)
    assert from_scores.tolist() == pytest.approx(case["minus_log"], rel=1e-5)
    mean = training_loss("cross_entropy", acts, targets)
    mean.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
    assert mean.item() == pytest.approx(case["cross_entropy"], rel=1e-5)
    assert acts.grad is not None
    torch.testing.assert_close(acts.grad, torch.tensor(case["grad"]), rtol=1e-5, atol=1e-6)


def test_reliability_puts_confidence_beside_accuracy() -> None:
    confidence = np.array([0.05, 0.62, 0.68, 0.7, 0.95, 1.0])
    hit = np.array([False, True, False, True, True, True])
    found = reliability(confidence, hit)
    assert [one.n for one in found.bins] == [1, 0, 0, 0, 0, 0, 2, 1, 0, 2]
    sixth = found.bins[6]
    assert (sixth.low, sixth.high, sixth.accuracy) == (0.6, 0.7, 0.5)
    assert sixth.confidence == pytest.approx(0.65)
    assert (found.bins[1].confidence, found.bins[1].accuracy, found.bins[1].accuracy_low) == (None, None, None)
    assert found.n == 6
    # By hand: 1 * .05 + 2 * .15 + 1 * .3 + 2 * .025, over six pictures.
    assert found.ece == pytest.approx((0.05 + 2 * 0.15 + 0.3 + 2 * 0.025) / 6)


def test_every_picture_is_in_one_bin_and_an_edge_opens_its_bin() -> None:
    edges = np.arange(11) / 10
    found = reliability(edges, np.ones(11, dtype=np.bool_))
    assert [one.n for one in found.bins] == [1] * 9 + [2]


def test_a_wilson_interval_is_that_of_the_textbook_and_stays_within_0_and_1() -> None:
    # 8 of 10: statsmodels' proportion_confint(8, 10, method="wilson").
    assert wilson(8, 10) == pytest.approx((0.4901624715, 0.9433178485), abs=1e-9)
    assert wilson(0, 10)[0] == pytest.approx(0, abs=1e-12)
    assert wilson(10, 10)[1] == pytest.approx(1, abs=1e-12)
    assert all(0 <= edge <= 1 for n in range(1, 50) for hits in (0, n) for edge in wilson(hits, n))
    assert wilson(0, 1)[1] < 1


@pytest.mark.parametrize("confidence", [[], [1.2], [-0.1], [float("nan")]])
def test_reliability_refuses_what_is_no_confidence(confidence: list[float]) -> None:
    with pytest.raises(ValueError, match="confidences in 10 bins"):
        reliability(np.array(confidence), np.ones(len(confidence), dtype=np.bool_))


@pytest.mark.parametrize("loss", ["cross_entropy", "binary_cross_entropy"])
def test_losses_of_scores_are_those_of_the_logits(loss: LossName) -> None:
    logits = torch.randn(6, 4, generator=torch.Generator().manual_seed(0)).double()
    targets = torch.tensor([0, 1, 2, 3, 0, 1])
    torch.testing.assert_close(
        item_losses_of_scores(loss, scores_of(loss, logits), targets), item_losses(loss, logits, targets)
    )


@pytest.mark.parametrize(("loss", "most"), [("cross_entropy", 708.4), ("binary_cross_entropy", (708.4 + 36.7) / 2)])
def test_a_certain_hit_costs_nothing_and_a_certain_miss_much(loss: LossName, most: float) -> None:
    scores = torch.tensor([[1.0, 0.0], [1.0, 0.0]], dtype=torch.float64)
    hit, miss = item_losses_of_scores(loss, scores, torch.tensor([0, 1])).tolist()
    assert (hit, miss) == (0, pytest.approx(most, abs=0.1))


def test_saturated_logits_cost_as_scores_about_what_they_cost_as_logits() -> None:
    # The sigmoid of 40 is 1 in float64: what it misses by is no longer to be seen.
    logits, targets = torch.tensor([[40.0, -40.0]]).double(), torch.tensor([1])
    exact = item_losses("binary_cross_entropy", logits, targets).item()
    seen = item_losses_of_scores("binary_cross_entropy", scores_of("binary_cross_entropy", logits), targets).item()
    assert exact == pytest.approx(40)
    assert exact - 2 < seen <= exact


def test_the_macro_error_counts_each_breed_alike_and_leaves_out_those_without_pictures() -> None:
    matrix = [[90, 10, 0], [1, 1, 0], [0, 0, 0]]
    assert macro_error(matrix) == pytest.approx((0.1 + 0.5) / 2)
    assert macro_error([[0, 0], [0, 0]]) is None
