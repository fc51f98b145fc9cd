from typing import Any

import pytest
import torch

from ml.config import FineTune, resolve, train_config
from ml.config_phases import Phase, ResolvedPhase, even_mults, resolve_phase
from ml.learn.schedule import cosine_pair, exponential, one_cycle, position_in_phase
from tests.ml.facts import cases


def approx(values: list[float]) -> Any:  # noqa: ANN401 - pytest's own type
    return pytest.approx(values, rel=1e-4, abs=1e-10)


@pytest.mark.parametrize("case", cases("even_mults"))
def test_rates_are_spread_over_groups_in_equal_ratios(case: dict[str, Any]) -> None:
    expected = case["out"] if isinstance(case["out"], list) else [case["out"]]
    assert even_mults(case["start"], case["stop"], case["n"]) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("case", cases("one_cycle"))
def test_one_cycle_has_fastai_s_rates_and_momentum_at_every_step(case: dict[str, Any]) -> None:
    phase = _phase(case)
    steps = case["n_epoch"] * case["n_batches"]
    for step in range(steps):
        hypers = one_cycle(phase, position_in_phase(step, steps))
        assert list(hypers.lr)[-case["groups"] :] == approx(case["lr"][step])
        assert hypers.momentum == pytest.approx(case["mom"][step], rel=1e-5)


def _phase(case: dict[str, Any]) -> ResolvedPhase:
    top, kwargs = case["lr_max"], case["kwargs"]
    if isinstance(top, dict) and top["slice"][0] is None:
        # slice(None, b), a tenth of b for all groups but the last: only fine_tune's first phase has such rates.
        head = FineTune(base_lr=top["slice"][1]).phases()[0]
        phase = resolve_phase(Phase(freeze=False, epochs=case["n_epoch"], **kwargs))
        return phase.model_copy(update={"lr_max": head.lr_max})
    lr_max = tuple(top["slice"]) if isinstance(top, dict) else top
    return resolve_phase(Phase(freeze=False, epochs=case["n_epoch"], lr_max=lr_max, **kwargs))


@pytest.mark.parametrize("case", cases("fine_tune"))
def test_fine_tune_is_a_frozen_phase_and_an_unfrozen_one_at_half_the_rate(case: dict[str, Any]) -> None:
    config = resolve(train_config.validate_python({"epochs": case["epochs"], **case["kwargs"]}))
    assert [p.freeze for p in config.phases] == [True, False]
    done = 0
    for phase, expected in zip(config.phases, case["phases"], strict=True):
        assert phase.epochs * case["n_batches"] == expected["steps"]
        assert phase.freeze == (expected["trainable_groups"] == [False, False, True])
        for step in range(expected["steps"]):
            hypers = one_cycle(phase, position_in_phase(step, expected["steps"]))
            assert list(hypers.lr) == approx(case["lr"][done + step])
            assert hypers.momentum == pytest.approx(case["mom"][done + step], rel=1e-5)
        done += expected["steps"]


def test_the_cosine_pair_agrees_with_torch_s_own_one_cycle() -> None:
    steps, top, div, pct_start = 40, 1e-2, 25.0, 0.25
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=top)
    # torch reaches its peak at pct_start·steps - 1 and its end at the last step; on its own grid the curves are equal
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        top,
        total_steps=steps,
        pct_start=pct_start,
        div_factor=div,
        final_div_factor=1e3,
        cycle_momentum=False,
    )
    peak = pct_start * steps - 1
    for step in range(steps):
        share = step / peak * pct_start if step <= peak else pct_start + (step - peak) / (steps - 1 - peak) * 0.75
        ours = cosine_pair(top / div, top, top / div / 1e3, pct_start=pct_start, position=min(share, 1.0))
        assert ours == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-9)
        optimizer.step()
        scheduler.step()


def test_the_sweep_of_the_rate_finder_is_exponential() -> None:
    assert exponential(1e-7, 10, 0.0) == pytest.approx(1e-7)
    assert exponential(1e-7, 10, 0.1) == pytest.approx(6.3096e-7, rel=1e-4)
    assert exponential(1e-7, 10, 0.99) == pytest.approx(8.3176, rel=1e-4)
