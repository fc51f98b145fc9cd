from typing import Any

import pytest

from ml.study.plan import Range, StudyPlan
from ml.study.replay import ToldTrial, next_settings, pruned_after

SPACE = {
    "base_lr": {"low": 1e-4, "high": 1e-1, "log": True},
    "size": [96, 128, 160],
    "batch_size": {"low": 8, "high": 64},
}


def plan(**changes: Any) -> StudyPlan:  # noqa: ANN401 - any field of it
    return StudyPlan.model_validate({"space": SPACE, "config": {"size": 128}, **changes})


def done(settings: dict[str, Any], *curve: float) -> ToldTrial:
    return ToldTrial(settings, curve, "done", curve[-1])


def searched(asked: StudyPlan, trials: int) -> list[ToldTrial]:
    """A search whose error is lowest at a rate of 1e-3 and a size of 160."""
    told: list[ToldTrial] = []
    for _ in range(trials):
        settings = next_settings(asked, told)
        assert settings is not None
        rate, size = float(str(settings["base_lr"])), int(str(settings["size"]))
        told.append(done(settings, abs(rate - 1e-3) * 10 + (160 - size) / 100))
    return told


def test_the_base_configs_own_settings_come_first_where_they_lie_in_the_space() -> None:
    assert next_settings(plan(), []) == {"base_lr": 2e-3, "size": 128, "batch_size": 64}
    elsewhere = next_settings(plan(config={"size": 224}), [])
    assert elsewhere is not None
    assert elsewhere["size"] in {96, 128, 160}


def test_the_same_record_has_the_same_answer_and_another_seed_another() -> None:
    told = searched(plan(), 7)
    assert searched(plan(), 7) == told
    assert next_settings(plan(), told) == next_settings(plan(), told)
    assert next_settings(plan(seed=7), told) != next_settings(plan(), told)


def test_proposals_lie_in_the_space_in_few_digits_and_none_comes_twice() -> None:
    asked = plan(trials=30)
    told = [dict(one.settings) for one in searched(asked, 24)]
    for settings in told:
        rate, size, batch = settings["base_lr"], settings["size"], settings["batch_size"]
        assert isinstance(asked.space["base_lr"], Range)
        assert 1e-4 <= float(str(rate)) <= 1e-1
        assert float(f"{float(str(rate)):.4g}") == rate
        assert size in {96, 128, 160}
        assert isinstance(batch, int)
        assert 8 <= batch <= 64
    assert all(told[i] not in told[:i] for i in range(len(told)))


def test_later_trials_are_better_than_the_first_ones() -> None:
    values = [one.value or 0.0 for one in searched(plan(trials=40), 40)]
    assert sum(values[-10:]) < sum(values[:10])


@pytest.mark.parametrize("trials", [3, 20])
def test_a_space_of_few_combinations_is_gone_through_once(trials: int) -> None:
    asked = plan(space={"size": [96, 128], "pretrained": [True, False]}, trials=trials)
    told: list[ToldTrial] = []
    while (settings := next_settings(asked, told)) is not None:
        told.append(done(settings, 0.5))
    tried = {(one.settings["size"], one.settings["pretrained"]) for one in told}
    assert (len(told), len(tried)) == (4, 4)


def test_a_choice_may_be_a_pair() -> None:
    pairs = [[1e-6, 1e-4], [1e-5, 1e-3], 1e-3]
    asked = plan(config={"recipe": "one_cycle"}, space={"lr_max": pairs}, trials=2)
    first = next_settings(asked, [])
    assert first is not None
    second = next_settings(asked, [done(first, 0.4)])
    assert second is not None
    assert first != second
    assert all(one["lr_max"] in pairs for one in (first, second))


def at(rate: float) -> dict[str, Any]:
    return {"base_lr": rate, "size": 128, "batch_size": 16}


GOOD = [done(at(rate), 0.5, 0.3, 0.2) for rate in (1e-3, 2e-3, 3e-3, 4e-3)]


def test_the_median_ends_what_is_worse_than_half_of_the_others_were() -> None:
    bad = ToldTrial(at(1e-1), [0.9, 0.8], None)
    fine = ToldTrial(at(5e-3), [0.4, 0.2], None)
    late = ToldTrial(at(5e-3), [0.25, 0.5, 0.6], None)
    assert pruned_after(plan(), [*GOOD, bad], 5, 3) == 1
    assert pruned_after(plan(), [*GOOD, fine], 5, 3) is None
    assert pruned_after(plan(), [*GOOD, late], 5, 3) is None, "its best so far counts, and its last epoch is its end"
    assert pruned_after(plan(pruner="none"), [*GOOD, bad], 5, 3) is None
    assert pruned_after(plan(), [*GOOD[:1], bad], 2, 3) is None, "with one trial there is nothing to compare with"


def test_hyperband_ends_the_worse_part_and_says_the_same_again() -> None:
    asked = plan(pruner="hyperband", trials=12, config={"epochs": 9, "freeze_epochs": 0})
    told = [done(at(1e-3 + n * 1e-4), *[0.5 + n / 100] * 9) for n in range(9)]
    ended = [pruned_after(asked, [*told, ToldTrial(at(9e-2), [0.95] * 8, None)], 10, 9) for _ in range(2)]
    assert ended[0] is not None
    assert ended[0] == ended[1]


def test_one_trial_that_goes_on_beside_others_is_not_held_against_them() -> None:
    others = [*GOOD, ToldTrial(at(6e-3), [0.1], None)]
    assert pruned_after(plan(at_once=2), [*others, ToldTrial(at(7e-3), [0.45], None)], 6, 3) is None
