from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - the name everyone reads it by

from ml.evaluation import loss_and_error
from ml.interpretation import most_confused, per_class, read_predictions, top_losses
from ml.losses import item_losses, scores_of
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
    for min_val, expected in case["most_confused"].items():
        ours = most_confused(reading.matrix, reading.vocab, int(min_val))
        assert [[c.actual, c.predicted, c.count] for c in ours] == expected
    worst = top_losses(losses, len(case["top_losses"]["idx"]))
    assert worst == case["top_losses"]["idx"]
    assert [losses[i] for i in worst] == pytest.approx(case["top_losses"]["values"], rel=1e-5)
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


@pytest.mark.parametrize("case", cases("loss_numbers"))
def test_the_notes_loss_numbers(case: dict[str, Any]) -> None:
    acts = torch.tensor(case["acts"], requires_grad=True)
    targets = torch.tensor(case["targ"])
    torch.testing.assert_close(F.softmax(acts, 1).detach(), torch.tensor(case["softmax"]), rtol=1e-5, atol=1e-6)
    ours = scores_of("cross_entropy", acts.detach()).log().float()
    torch.testing.assert_close(ours, torch.tensor(case["log_softmax"]), rtol=1e-5, atol=1e-6)
    each = F.cross_entropy(acts, targets, reduction="none")
    assert each.tolist() == pytest.approx(case["cross_entropy_none"], rel=1e-5)
    mean = F.cross_entropy(acts, targets)
    mean.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
    assert mean.item() == pytest.approx(case["cross_entropy"], rel=1e-5)
    assert acts.grad is not None
    torch.testing.assert_close(acts.grad, torch.tensor(case["grad"]), rtol=1e-5, atol=1e-6)
    torch.manual_seed(case["seed"])
    torch.testing.assert_close(torch.randn(6, 2) * 2, torch.tensor(case["acts"]), rtol=1e-5, atol=1e-6)
