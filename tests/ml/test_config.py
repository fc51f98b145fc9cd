"""Configurations at the edge of what they may say."""

import math
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from ml.config import inherit, resolve, train_config
from ml.config_phases import ResolvedPhase, spread_rates
from ml.learn.schedule import one_cycle
from ml.presets import PRESETS

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
    ("sent", "said"),
    [
        (31, "it is not a whole number of pixels from 32 to 1024"),
        (2000, "it is not a whole number of pixels from 32 to 1024"),
        (100.5, "it is not a whole number of pixels from 32 to 1024"),
        ("auto", "it is not a whole number of pixels from 32 to 1024"),
        ([128], "it is not a whole number of pixels from 32 to 1024"),
        ([160, 128], "it falls from 160 to 128"),
        (True, "it is true or false"),
    ],
)
def test_a_size_of_training_is_one_a_rising_pair_or_that_of_measuring(sent: object, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        train_config.validate_python({"train_size": sent})
    for fine in (32, "size", [128, 128], [32, 1024]):
        train_config.validate_python({"train_size": fine})


@pytest.mark.parametrize("recipe", ["fine_tune", "one_cycle", "probe"])
def test_what_is_new_is_off_unless_asked_for(recipe: str) -> None:
    config = resolve(train_config.validate_python({"recipe": recipe}))
    assert (config.train_size, config.patience, config.layer_decay, config.trivial_augment) == ("size", 0, 1.0, False)


def test_a_preset_of_a_recipe_says_the_recipe_s_own_defaults() -> None:
    for name in ("fine_tune", "probe"):
        preset = next(one for one in PRESETS if one.name == name)
        assert resolve(train_config.validate_python(preset.config)) == resolve(
            train_config.validate_python({"recipe": name})
        )


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


PHASES = {"recipe": "phases", "phases": [{"freeze": True, "epochs": 1}]}


@pytest.mark.parametrize("recipe", [{}, {"recipe": "one_cycle"}, PHASES])
def test_a_training_takes_several_devices_and_one_unless_told(recipe: dict[str, object]) -> None:
    usual = resolve(train_config.validate_python(recipe))
    assert (usual.devices, usual.batch_norm) == (1, "sync")
    assert resolve(train_config.validate_python({**recipe, "devices": "all"})).devices == "all"
    assert resolve(train_config.validate_python({**recipe, "devices": 4, "batch_size": 8})).devices == 4
    with pytest.raises(ValidationError, match="a batch of 6 has fewer than 2 photos for each of them"):
        train_config.validate_python({**recipe, "devices": 4, "batch_size": 6})


@pytest.mark.parametrize("wrong", [0, 65, 1.5, "two"])
def test_what_is_no_number_of_devices_is_refused_in_one_sentence(wrong: object) -> None:
    with pytest.raises(ValidationError, match='it is not a whole number of devices from 1 to 64 or "all"') as refused:
        train_config.validate_python({"devices": wrong})
    assert len(refused.value.errors()) == 1


def test_devices_are_the_hosts_and_not_inherited() -> None:
    parent = resolve(train_config.validate_python({"devices": 2, "batch_size": 16}))
    child = inherit(train_config.validate_python({}), parent)
    assert (child.batch_size, resolve(child).devices) == (16, 1)
