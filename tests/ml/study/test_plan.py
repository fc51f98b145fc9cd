from typing import Any

import pytest
from pydantic import ValidationError

from ml.config import FineTune, OneCycle
from ml.study.plan import DoesNotFit, SpaceRefused, StudyPlan, check_space, combinations, config_with, value_of

LOG = {"low": 1e-4, "high": 1e-2, "log": True}


def plan(**changes: Any) -> StudyPlan:  # noqa: ANN401 - any field of it
    return StudyPlan.model_validate({"space": {"base_lr": LOG}, **changes})


def checked(space: dict[str, Any], **config: Any) -> None:  # noqa: ANN401 - any field of it
    made = plan(space=space, config=config)
    check_space(made.config, made.space, made.objective)


def test_a_space_has_lists_and_ranges_of_any_field_that_the_config_has() -> None:
    checked(
        {"base_lr": LOG, "size": [96, 128], "augment.max_rotate": {"low": 0, "high": 20}, "pretrained": [True, False]}
    )
    checked({"lr_max": [1e-3, [1e-5, 1e-3]], "freeze": [True, False]}, recipe="one_cycle")
    checked({"batch_size": {"low": 8, "high": 64, "step": 8}})


@pytest.mark.parametrize(
    ("space", "said", "hint"),
    [
        ({"bese_lr": LOG}, "it is no field of this recipe", "GET /config"),
        ({"max_rotate": [5, 10]}, "it is no field of this recipe", "Did you mean augment.max_rotate?"),
        ({"augment": [1, 2]}, "it is no field of this recipe", "augment."),
        ({"lr_max": [1e-3, 1e-2]}, "it is no field of this recipe", "GET /config"),
        ({"seed": [1, 2]}, "the best seed is luck", "Leave it out"),
        ({"split_seed": [1, 2]}, "measured on other photos", "Leave it out"),
        ({"recipe": ["fine_tune", "probe"]}, "search each recipe by itself", "Leave it out"),
        ({"arch": {"low": 1, "high": 2}}, "which has no range", "Give a list"),
        ({"epochs": {"low": 1.5, "high": 3}}, "whole numbers", "Give whole numbers"),
        ({"size": [8, 128]}, "it takes no such value", "a whole number from 32 to 1024"),
        ({"size": {"low": 8, "high": 128}}, "it takes no such value", "from 32 to 1024"),
        ({"precision": ["fp32", "fp64"]}, "it takes no such value", "fp32, bf16"),
        ({"size": [128, 128]}, "it has a value twice", "once"),
        ({"size": [224, 600]}, "it is larger than presize 460", "Raise presize"),
    ],
)
def test_what_cannot_be_searched_is_told_with_its_field(space: dict[str, Any], said: str, hint: str) -> None:
    with pytest.raises(SpaceRefused) as refused:
        checked(space)
    assert refused.value.name == next(iter(space))
    assert said in refused.value.detail
    assert hint in refused.value.hint


def test_losses_of_two_kinds_are_not_compared() -> None:
    both = plan(space={"loss": ["cross_entropy", "binary_cross_entropy"]}, objective="valid_loss")
    with pytest.raises(SpaceRefused, match="cannot be compared"):
        check_space(both.config, both.space, both.objective)
    check_space(both.config, both.space, "error_rate")


def test_a_value_that_may_fit_another_of_the_space_is_let_pass_and_a_pair_that_does_not_fit_is_refused() -> None:
    checked({"size": [224, 600], "presize": [460, 640]})
    with pytest.raises(DoesNotFit, match="size: it is larger than presize 460"):
        config_with(FineTune(), {"size": 600})
    assert config_with(FineTune(), {"size": 600, "presize": 640}).size == 600


@pytest.mark.parametrize(
    "changes",
    [
        {"space": {}},
        {"space": {"size": [128]}},
        {"space": {"size": 128}},
        {"space": {"size": {"low": 128, "high": 96}}},
        {"space": {"base_lr": {"low": 0, "high": 1, "log": True}}},
        {"space": {"base_lr": {"low": 1e-4, "high": 1e-2, "log": True, "step": 1e-3}}},
        {"space": {"base_lr": {"low": 1e-4, "high": float("inf")}}},
        {"space": {f"field_{n}": [1, 2] for n in range(13)}},
        {"space": {"size": list(range(32, 132))}},
        {"trials": 0},
        {"trials": 201},
        {"trials": True},
        {"minutes": 0},
        {"minutes": 20_000},
        {"pruner": "asha"},
        {"objective": "accuracy"},
        {"limits": {"answer_ms": 0}},
        {"at_once": 9},
        {"surprise": 1},
    ],
)
def test_a_plan_has_bounds(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        plan(**changes)


def test_a_trials_config_is_the_bases_with_its_settings() -> None:
    base = OneCycle(recipe="one_cycle", arch="resnet18", freeze=False)
    config = config_with(base, {"lr_max": 1e-3, "augment.max_rotate": 20.0})
    assert isinstance(config, OneCycle)
    assert (config.arch, config.freeze, config.lr_max, config.augment.max_rotate) == ("resnet18", False, 1e-3, 20.0)
    assert value_of(base, "augment.max_rotate") == base.augment.max_rotate


def test_combinations_are_counted_where_there_is_an_end_of_them() -> None:
    assert combinations(plan(space={"size": [96, 128], "pretrained": [True, False]}).space) == 4
    assert combinations(plan().space) is None
