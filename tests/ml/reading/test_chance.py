import random

import pytest

from ml.reading.chance import Chance, exact_interval


@pytest.mark.parametrize(("n", "error"), [(100, 0.05), (677, 0.13), (2000, 0.5)])
def test_the_true_error_rate_lies_within_the_margin_about_nineteen_times_in_twenty(n: int, error: float) -> None:
    draw = random.Random(1)  # noqa: S311 - no secret
    rates = [sum(draw.random() < error for _ in range(n)) / n for _ in range(400)]
    within = sum(abs(rate - error) <= Chance(n).of_error(rate) for rate in rates) / len(rates)
    assert 0.92 <= within <= 0.99


def test_a_margin_is_there_without_an_error_too_and_never_above_one() -> None:
    assert 0 < Chance(100).of_error(0.0) < 0.05
    assert Chance(1).of_error(0.5) <= 1


@pytest.mark.parametrize(
    ("errors", "n", "low", "high"),
    [(0, 10, 0.0, 0.3085), (1, 10, 0.0025, 0.4450), (5, 35, 0.0481, 0.3026), (10, 10, 0.6915, 1.0)],
)
def test_the_exact_interval_is_that_of_the_tables(errors: int, n: int, low: float, high: float) -> None:
    assert exact_interval(errors, n) == pytest.approx((low, high), abs=1e-4)
