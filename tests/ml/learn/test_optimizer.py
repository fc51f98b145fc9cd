from typing import Any

import pytest
import torch
from torch import Tensor
from torch.optim import AdamW

from ml.learn.optimizer import (
    ParameterGroup,
    check_gradients,
    load_optimizer_state,
    make_optimizer,
    optimizer_state,
    set_hypers,
)
from ml.learn.schedule import Hypers
from ml.learn.smoothing import SmoothLoss
from tests.ml.facts import cases, facts


def step(optimizer: AdamW, lr: float, momentum: float) -> None:
    set_hypers(optimizer, Hypers((lr,), momentum))
    optimizer.step()


@pytest.mark.parametrize("case", cases("adam"))
def test_adam_follows_fastai_s_trajectory(case: dict[str, Any]) -> None:
    params = [torch.tensor(p, requires_grad=True) for p in case["init"]]
    group = ParameterGroup(params, []) if case["do_wd"] else ParameterGroup([], params)
    optimizer = make_optimizer([group], case["wd"])
    for momentum, grads, after in zip(case["mom"], case["grads"], case["params_after"], strict=True):
        for param, grad in zip(params, grads, strict=True):
            param.grad = torch.tensor(grad)
        step(optimizer, case["lr"], momentum)
        for param, expected in zip(params, after, strict=True):
            torch.testing.assert_close(param.detach(), torch.tensor(expected), atol=1e-6, rtol=0)


def test_each_group_has_its_rate_and_what_is_plain_no_decay() -> None:
    weights = [torch.ones(2, requires_grad=True) for _ in range(4)]
    optimizer = make_optimizer([ParameterGroup(weights[:1], weights[1:2]), ParameterGroup(weights[2:], [])], 0.1)
    set_hypers(optimizer, Hypers((0.5, 0.25), 0.9))
    for weight in weights:
        weight.grad = torch.zeros(2)
    optimizer.step()
    assert [weight[0].item() for weight in weights] == pytest.approx([0.95, 1.0, 0.975, 0.975])


def test_a_group_may_learn_at_a_share_of_another_s_rate() -> None:
    weights = [torch.ones(2, requires_grad=True) for _ in range(3)]
    shares = (
        ParameterGroup(weights[:1], [], 1, 0.25),
        ParameterGroup(weights[1:2], [], 1),
        ParameterGroup(weights[2:], []),
    )
    optimizer = make_optimizer(shares, 0.1)
    set_hypers(optimizer, Hypers((0.5, 1.0, 0.2), 0.9))
    assert [group["lr"] for group in optimizer.param_groups] == [0.25, 1.0, 0.2]


def test_a_frozen_parameter_stays_bit_for_bit_even_with_weight_decay() -> None:
    frozen, free = torch.ones(3), torch.ones(3, requires_grad=True)
    optimizer = make_optimizer([ParameterGroup([frozen, free], [])], weight_decay=0.1)
    free.grad = torch.ones(3)
    step(optimizer, 0.1, 0.9)
    assert torch.equal(frozen, torch.ones(3))
    assert not torch.equal(free.detach(), torch.ones(3))


def image_weights() -> Tensor:
    """Weights that lie in memory as a convolution's do: in another order than a file's."""
    start = torch.linspace(-1, 1, 24).reshape(2, 3, 2, 2)
    return start.to(memory_format=torch.channels_last).requires_grad_()


def test_a_restored_state_continues_bit_for_bit() -> None:
    def trained(param: Tensor, optimizer: AdamW, steps: range) -> None:
        for number in steps:
            param.grad = (param.detach() + number).cos()
            step(optimizer, 0.01, 0.9)

    def fresh(param: Tensor) -> AdamW:
        return make_optimizer([ParameterGroup([param], [])], 0.01)

    whole, part = image_weights(), image_weights()
    trained(whole, fresh(whole), range(6))
    first, second = fresh(part), fresh(part)
    trained(part, first, range(3))
    # a file gives back contiguous tensors, whatever order they had
    load_optimizer_state(second, {name: one.clone().contiguous() for name, one in optimizer_state(first).items()})
    trained(part, second, range(3, 6))
    assert torch.equal(whole, part)


def test_the_state_of_another_model_is_not_taken() -> None:
    one, other = (make_optimizer([ParameterGroup([torch.ones(2, requires_grad=True)], [])], 0.0) for _ in range(2))
    with pytest.raises(KeyError, match=r"0\.step"):
        load_optimizer_state(one, optimizer_state(other))


def test_a_missing_gradient_is_an_error_not_a_silent_skip() -> None:
    optimizer = make_optimizer([ParameterGroup([torch.ones(2, requires_grad=True)], [])], 0.0)
    with pytest.raises(RuntimeError, match="1 trainable parameters got no gradient"):
        check_gradients(optimizer)


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
