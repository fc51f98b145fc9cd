"""Configurations at the edge of what they may say."""

import math
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from ml.config import resolve, train_config
from ml.config_phases import ResolvedPhase, spread_rates
from ml.learn.schedule import one_cycle

LEAST, MOST = 1e-30, 1e30
PHASE = {"freeze": False, "epochs": 1}


def phases_of(config: dict[str, Any]) -> tuple[ResolvedPhase, ...]:
    return resolve(train_config.validate_python(config)).phases


@pytest.mark.parametrize(
    "config",
    [
        {"base_lr": 1e31},
        {"base_lr": 1e308},
        {"base_lr": 5e-324},
        {"lr_mult": 1e308},
        {"recipe": "one_cycle", "lr_max": 1e308},
        {"recipe": "one_cycle", "lr_max": [5e-324, 1]},
        {"recipe": "phases", "phases": [{**PHASE, "lr_max": [1, 1e308]}]},
        {"recipe": "phases", "phases": [{**PHASE, "div": 1e308}]},
        {"recipe": "phases", "phases": [{**PHASE, "div_final": 1e308}]},
        {"lr_sweep": {"end_lr": 1e308}},
    ],
)
def test_a_rate_beyond_what_can_be_computed_is_refused(config: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        train_config.validate_python(config)


@pytest.mark.parametrize(
    "config",
    [
        {"base_lr": 1e9},
        {"base_lr": MOST, "lr_mult": 1},
        {"base_lr": LEAST, "lr_mult": MOST},
        {"recipe": "one_cycle", "lr_max": [LEAST, MOST]},
        {"recipe": "phases", "phases": [{**PHASE, "lr_max": [LEAST, MOST], "div": MOST, "div_final": MOST}]},
        {"recipe": "phases", "phases": [{**PHASE, "lr_max": LEAST, "div": MOST, "div_final": MOST}]},
    ],
)
def test_every_rate_of_an_accepted_config_is_finite_and_above_zero(config: dict[str, Any]) -> None:
    for phase in phases_of(config):
        assert all(rate > 0 and math.isfinite(rate) for rate in phase.lr_max)
        for position in (0.0, 0.1, 0.5, 0.99):
            assert all(rate > 0 and math.isfinite(rate) for rate in one_cycle(phase, position).lr)


def test_a_fine_tune_at_auto_has_the_rates_of_the_one_that_is_given_the_found_rate_whatever_it_is() -> None:
    chance = np.random.default_rng(3)
    for _ in range(2000):
        rate, lr_mult = float(10 ** chance.uniform(-6, 0)), float(chance.choice([1, 100, chance.uniform(1, 1000)]))
        shared = {"lr_mult": lr_mult, "freeze_epochs": int(chance.integers(2))}
        auto, given = (resolve(train_config.validate_python({**shared, "base_lr": lr})) for lr in ("auto", rate))
        assert tuple(phase.at_rate(rate) for phase in auto.phases) == given.phases
        assert given.phases[-1].lr_max == pytest.approx(spread_rates(rate / 2 / lr_mult, rate / 2))


@pytest.mark.parametrize(
    "sent",
    [
        {"epochs": True},
        {"batch_size": False},
        {"base_lr": True},
        {"size": True},
        {"seed": True},
        {"augment": {"max_rotate": True}},
        {"recipe": "one_cycle", "epochs": 1, "lr_max": [True, 1e-3]},
        {"recipe": "phases", "phases": [{"freeze": True, "epochs": True}]},
    ],
)
def test_true_is_no_number(sent: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="true or false, which is no value here"):
        train_config.validate_python(sent)


def test_true_is_true_where_it_is_asked_for() -> None:
    found = train_config.validate_python({"pretrained": False, "augment": {"flip": False}})
    assert (found.pretrained, found.augment.flip) == (False, False)
