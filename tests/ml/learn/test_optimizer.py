from typing import Any

import pytest
import torch

from ml.learn.optimizer import Adam, ParameterGroup
from ml.learn.schedule import Hypers
from ml.learn.smoothing import SmoothLoss
from tests.ml.facts import cases, facts


@pytest.mark.parametrize("case", cases("adam"))
def test_adam_follows_fastai_s_trajectory(case: dict[str, Any]) -> None:
    params = [torch.tensor(p, requires_grad=True) for p in case["init"]]
    group = ParameterGroup(params, []) if case["do_wd"] else ParameterGroup([], params)
    adam = Adam([group], case["wd"])
    for momentum, grads, after in zip(case["mom"], case["grads"], case["params_after"], strict=True):
        for param, grad in zip(params, grads, strict=True):
            param.grad = torch.tensor(grad)
        adam.step(Hypers((case["lr"],), momentum))
        for param, expected in zip(params, after, strict=True):
            torch.testing.assert_close(param.detach(), torch.tensor(expected), atol=1e-6, rtol=0)


def test_a_frozen_parameter_stays_bit_for_bit_even_with_weight_decay() -> None:
    frozen, free = torch.ones(3), torch.ones(3, requires_grad=True)
    adam = Adam([ParameterGroup([frozen, free], [])], weight_decay=0.1)
    free.grad = torch.ones(3)
    adam.step(Hypers((0.1,), 0.9))
    assert torch.equal(frozen, torch.ones(3))
    assert not torch.equal(free.detach(), torch.ones(3))


def test_a_restored_state_continues_bit_for_bit() -> None:
    def trained(steps: int, param: torch.Tensor, adam: Adam, first: int = 0) -> None:
        for step in range(first, steps):
            param.grad = torch.full((4,), float(step + 1))
            adam.step(Hypers((0.01,), 0.9))

    whole = torch.ones(4, requires_grad=True)
    trained(6, whole, Adam([ParameterGroup([whole], [])], 0.01))
    part = torch.ones(4, requires_grad=True)
    first = Adam([ParameterGroup([part], [])], 0.01)
    trained(3, part, first)
    second = Adam([ParameterGroup([part], [])], 0.01)
    second.load_state(first.state())
    trained(6, part, second, first=3)
    assert torch.equal(whole, part)


def test_a_missing_gradient_is_an_error_not_a_silent_skip() -> None:
    adam = Adam([ParameterGroup([torch.ones(2, requires_grad=True)], [])], 0.0)
    with pytest.raises(RuntimeError, match="got no gradient"):
        adam.step(Hypers((0.1,), 0.9))


@pytest.mark.parametrize("case", cases("smooth_loss"))
def test_the_training_loss_is_fastai_s_debiased_average(case: dict[str, Any]) -> None:
    smooth = SmoothLoss(beta=case["beta"])
    assert [smooth.update(loss) for loss in case["raw"]] == pytest.approx(case["smoothed"], rel=2e-5)


def test_the_average_runs_on_over_epochs() -> None:
    for case in facts("smooth_loss")["recorder"]:
        smooth = SmoothLoss()
        losses = [smooth.update(loss) for loss in case["raw_train"]]
        assert losses == pytest.approx(case["losses"], rel=2e-5)
        ends = [losses[(epoch + 1) * case["train_batches"] - 1] for epoch in range(case["epochs"])]
        assert ends == pytest.approx([row[0] for row in case["epoch_values"]], rel=2e-5)
