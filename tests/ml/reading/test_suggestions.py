import re
from typing import Any

import numpy as np
import pytest

from ml.learn.smoothing import SmoothLoss
from ml.reading.suggestions import FUNCTIONS, LEAST_POINTS, LEAST_STEPS, NoSuggestion, seen, suggest
from tests.ml.facts import cases


def numbers(values: list[Any]) -> list[float]:
    """The facts write NaN as a word."""
    return [float(value) for value in values]


@pytest.mark.parametrize("case", cases("suggestions"), ids=lambda case: str(case["kind"]))
@pytest.mark.parametrize("name", FUNCTIONS)
def test_each_suggestion_is_fastai_s(name: str, case: dict[str, Any]) -> None:
    lrs, losses = np.asarray(case["lrs"], np.float32), np.asarray(case["losses"], np.float32)
    assert FUNCTIONS[name](lrs, losses) == pytest.approx(case["out"][name]["suggestion"], rel=1e-5)


@pytest.mark.parametrize("case", cases("lr_find"), ids=lambda case: f"{case['kind']}-{case['num_it']}")
@pytest.mark.parametrize("name", FUNCTIONS)
def test_each_suggestion_of_a_whole_sweep_is_fastai_s(name: str, case: dict[str, Any]) -> None:
    lrs, losses = seen(case["lrs"], numbers(case["smoothed"]), case["num_it"])
    expected = case["suggestions"][name]
    if isinstance(expected, str):
        with pytest.raises(NoSuggestion):
            FUNCTIONS[name](lrs, losses)
    elif case["degenerate"]:
        assert 1e-8 <= FUNCTIONS[name](lrs, losses) <= 10
    else:
        assert FUNCTIONS[name](lrs, losses) == pytest.approx(expected, rel=1e-5)


def read(case: dict[str, Any]) -> Any:  # noqa: ANN401 - Suggestions; its fields are looked at
    ran = case["n_run"]
    return suggest(case["lrs"], numbers(case["raw_losses"])[:ran], numbers(case["smoothed"]), case["num_it"])


def case_of(kind: str) -> dict[str, Any]:
    found: dict[str, Any] = next(case for case in cases("lr_find") if case["kind"] == kind)
    return found


@pytest.mark.parametrize("kind", ["smooth", "noisy", "late", "early", "spiky", "decreasing", "nan", "two_valleys"])
def test_a_sweep_that_falls_has_all_four_and_no_reasons(kind: str) -> None:
    found = read(case_of(kind))
    assert found.reasons == {}
    both = (case_of(kind)["suggestions"], case_of(kind)["all_four_in_one_call"])
    assert [found.rates] * 2 == [{name: pytest.approx(rate, rel=1e-5) for name, rate in one.items()} for one in both]


# Of these sweeps all_four_in_one_call has rates that nobody should use, or an IndexError; we give a reason.
@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("very_early", r"diverged after 21 of 100 steps, at learning rate 3\.98e-06: 6 points"),
        ("instant", r"diverged after 7 of 100 steps, at learning rate 3\.02e-07: 0 points"),
        ("flat", r"the loss fell by no more than .* between learning rates 6\.31e-07 and 3\.31"),
        ("constant", "the loss fell by no more than"),
        ("increasing", "the loss fell by no more than 0 between"),
    ],
)
def test_a_sweep_that_says_nothing_has_no_suggestion_but_a_reason(kind: str, why: str) -> None:
    found = read(case_of(kind))
    assert found.rates == dict.fromkeys(FUNCTIONS)
    assert found.reasons.keys() == FUNCTIONS.keys()
    assert found.flat == ("fell" in why)
    for reason in found.reasons.values():
        assert re.search(why, reason), reason


def sweep(losses: list[float]) -> tuple[list[float], list[float]]:
    smooth = SmoothLoss()
    return [1e-7 * 1.2**i for i in range(len(losses))], [smooth.update(loss) for loss in losses]


def test_a_loss_that_is_no_number_early_is_said_to_be_one() -> None:
    losses = [3.0 - 0.1 * i for i in range(20)] + [float("nan")]
    lrs, smoothed = sweep(losses)
    found = suggest(lrs, losses, smoothed, 100)
    assert found.rates["valley"] is None
    assert "no longer a number after 21 steps" in found.reasons["valley"]


def test_noise_alone_seldom_gives_a_rate_and_the_same_noise_over_a_fall_does() -> None:
    chance = np.random.default_rng(5)
    answered = 0
    for _ in range(300):
        noise = chance.normal(0, 0.3, 100)
        flat, falling = (noise + 3.6).tolist(), (noise + np.linspace(3.6, 1.6, 100)).tolist()
        lrs, smoothed = sweep(flat)
        answered += suggest(lrs, flat, smoothed, 100).rates["valley"] is not None
        lrs, smoothed = sweep(falling)
        assert suggest(lrs, falling, smoothed, 100).rates["valley"] is not None
    assert answered <= 45


def test_the_shortest_sweep_leaves_exactly_the_points_that_are_needed() -> None:
    for steps, points in ((LEAST_STEPS, LEAST_POINTS), (LEAST_STEPS - 1, LEAST_POINTS - 1)):
        lrs, smoothed = sweep([3.0] * steps)
        assert len(seen(lrs, smoothed, steps)[0]) == points
